"""Writes CLIP's fixtures by running Hugging Face transformers and OpenAI's code on small random weights.

    pip install torch==2.13.0 transformers pillow safetensors numpy
    git clone https://github.com/openai/CLIP
    python scripts/reference/clip.py CLIP

writes to packages/clip/test/fixtures

    tokenizer/           vocab.json, merges.txt and tokenizer.json of a small vocabulary in CLIP's order, and captions.json:
                         awkward captions with the ids that CLIPTokenizer gives them
    images.safetensors   pictures N.input and, scaled with Pillow and cropped to `size` pixels, N.output: uint8
                         [height, width, 3]; N.pixels: the same, normalized by CLIPImageProcessor, float32 [3, size, size]
    patch-16, patch-8    config.json and model.safetensors as Hugging Face saves them, and outputs.safetensors: what transformers
                         computes in float32. Where the activation is OpenAI's (patch-16) also openai.safetensors, the same weights
                         in OpenAI's layout: OpenAI's own class loads them strictly, and must give what transformers gives.

Weights are stored in half precision, to which they were rounded before.
"""

import argparse
import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

FIXTURES = Path(__file__).resolve().parents[2] / "packages/clip/test/fixtures"
IMAGE_SIZE = 32
LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"

CAPTIONS = [
    "",
    "a photo of a cat",
    "An Armchair in the shape of an AVOCADO.",
    "a photo of the cats, the dogs and the photographer's armchair",
    "it's they're I've I'm we'll he'd DON'T rock'n'roll ''s 'Tis 's'ss",
    "1,234,567.89 $100 50% #1 @home a&b x^2 ~ `code` {braces} <less> |pipe| back\\slash ...!!!",
    "   spaced    out   ",
    "tab\tnew\nline\r\ncarriage\u00a0no-break\u2003em\u3000ideographic\u0085next\u2028line\x0bvertical\x1cseparator",
    "zero\u200bwidth\u200djoined !\ufeff! \ufeffmarks\u00ad and\u0000nul \u0007bell \ufffd \u180e",
    " \t\n ",
    "café naïve Ångström cafe\u0301 nai\u0308ve Z\u0351\u036b\u0343a\u0310\u0308 \u212b \u1e9b\u0323",
    "İstanbul ıspanak straße STRASSE ﬁancé Ǆ ῼ",
    "ΟΔΥΣΣΕΥΣ και ΣΊΣΥΦΟΣ σας Σ",
    "😀 I ❤️ 🍕 👩‍👩‍👧‍👦 👍🏽 🇬🇧 1️⃣ ☃️ © ™ ★",
    "一只猫 北京2008奥运会 猫がソファで ﾊﾝｶｸ 𠀀𪜀 고양이",
    "красная машина قطة על כיסא बिल्ली แมวนั่ง",
    "½ ² Ⅷ ٣ ① १२३ 10:30",
    "<b>bold</b> &amp; &quot;x&quot; <br/> \u201cquotes\u201d \u2014 \u2026 snake_case __init__",
    "a <|endoftext|> b <|startoftext|>c<|ENDOFTEXT|> <|StartOfText|> < |endoftext| >",
    "a</w> </w> cat</w>",
    "a " * 75,
    "a " * 76,
    "photographphotograph" * 20,
    ("A quick brown fox jumps over the lazy dog near the river bank, then rests. " * 30),
]

# Texts from which the small vocabulary is learned. The last have the bytes of é and of Greek letters, as byte-level BPE writes them.
CORPUS = (
    "a photo of a cat a photo of the cats a photo of the dogs the photographer's photographs an armchair in the shape of an "
    "avocado the quick brown fox jumps over the lazy dog near the river bank it 's they 're i 've don 't ... !!! ... !! "
    "caf\u00c3\u00a9 \u00c3\u00a9 \u00cf\u0125 \u00cf\u0125 \u00cf\u0124"
)

# Widths and heights: odd and even, wide and tall, larger than, smaller than and equal to IMAGE_SIZE, with margins of odd width.
PICTURES = [(32, 32), (64, 64), (67, 45), (41, 77), (32, 47), (53, 32), (19, 23), (7, 5), (1, 3), (80, 33)]

# The widths of the towers and of the projection differ, so that mixing up two of them fails.
CONFIGS = {
    "patch-16": {"text": (16, 2, 2), "vision": (24, 2, 3), "patch": 16, "projection": 12, "activation": "quick_gelu"},
    "patch-8": {"text": (24, 1, 4), "vision": (16, 3, 2), "patch": 8, "projection": 20, "activation": "gelu"},
}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True) + "\n", encoding="utf-8")


def byte_characters():
    """Returns the characters that represent bytes in byte-level BPE, in the order of CLIP's vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = range(256 - len(printable))
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in others]


def learn_merges(text, count):
    words = Counter(text.split())
    split = {word: (*word[:-1], word[-1] + "</w>") for word in words}
    merges = []
    for _ in range(count):
        pairs = Counter()
        for word, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for word, parts in split.items():
            merged = []
            for part in parts:
                if merged and (merged[-1], part) == best:
                    merged[-1] += part
                else:
                    merged.append(part)
            split[word] = tuple(merged)
    return merges


def make_tokenizer():
    folder = FIXTURES / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(CORPUS, 60)
    characters = byte_characters()
    tokens = [*characters, *(character + "</w>" for character in characters), *map("".join, merges), START, END]
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    lines = ["#version: 0.2", *map(" ".join, merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    encoded = [tokenizer(caption, truncation=True, max_length=LENGTH).input_ids for caption in CAPTIONS]
    write_json(folder / "captions.json", [{"caption": c, "ids": ids} for c, ids in zip(CAPTIONS, encoded)])
    return tokenizer


def make_pictures():
    """Returns colored waves with noise on one side: smooth parts, and edges where bicubic interpolation overshoots."""
    random = np.random.default_rng(0)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    )
    tensors, pixels = {}, []
    for index, (width, height) in enumerate(PICTURES):
        y, x = np.mgrid[0:height, 0:width]
        phases = random.uniform(0, 6, 3)
        waves = np.stack([127.5 + 127.5 * np.sin(x / (3 + c) + y / (5 - c) + phases[c]) for c in range(3)], axis=-1)
        noise = random.integers(0, 2, (height, width, 3)) * 255
        picture = np.where((x > width // 2)[..., None], noise, waves).astype(np.uint8)
        image = Image.fromarray(picture)
        options = {"do_rescale": False, "do_normalize": False}
        output = processor(image, **options, return_tensors="np")["pixel_values"][0]
        tensors[f"{index}.input"] = torch.from_numpy(picture)
        tensors[f"{index}.output"] = torch.from_numpy(output.astype(np.uint8)).permute(1, 2, 0).contiguous()
        pixels.append(torch.from_numpy(processor(image, return_tensors="np")["pixel_values"][0]))
    # One is enough for the normalization.
    tensors["2.pixels"] = pixels[2].contiguous()
    save_file(tensors, FIXTURES / "images.safetensors")
    return torch.stack(pixels)


def openai_layout(weights, layers):
    """Converts Hugging Face's state dict to the names and shapes of OpenAI's."""
    result = {
        "logit_scale": weights["logit_scale"],
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "text_projection": weights["text_projection.weight"].T,
        "visual.class_embedding": weights["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": weights["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": weights["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": weights["visual_projection.weight"].T,
    }
    norms = {
        "ln_final": "text_model.final_layer_norm",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
    }
    for there, here in norms.items():
        for kind in ("weight", "bias"):
            result[f"{there}.{kind}"] = weights[f"{here}.{kind}"]
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for there, here, count in (
        ("transformer", "text_model.encoder", layers["text"]),
        ("visual.transformer", "vision_model.encoder", layers["vision"]),
    ):
        for layer in range(count):
            block, source = f"{there}.resblocks.{layer}", f"{here}.layers.{layer}"
            for kind in ("weight", "bias"):
                fused = [weights[f"{source}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
                result[f"{block}.attn.in_proj_{kind}"] = torch.cat(fused)
                for new, old in parts.items():
                    result[f"{block}.{new}.{kind}"] = weights[f"{source}.{old}.{kind}"]
    return {name: tensor.contiguous() for name, tensor in result.items()}


def openai_model(module, config, state):
    """Builds OpenAI's class with these weights. It has one head for every 64 columns, so small towers are built one by one."""
    text, vision = config.text_config, config.vision_config
    model = module.CLIP(
        config.projection_dim, vision.image_size, vision.num_hidden_layers, 64, vision.patch_size,
        LENGTH, text.vocab_size, text.hidden_size, text.num_attention_heads, text.num_hidden_layers,
    )
    model.visual = module.VisionTransformer(
        vision.image_size, vision.patch_size, vision.hidden_size, vision.num_hidden_layers,
        vision.num_attention_heads, config.projection_dim,
    )
    model.load_state_dict(state, strict=True)
    return model.eval()


@torch.no_grad()
def make_model(module, tokenizer, pixels, name, description):
    (text_width, text_layers, text_heads), (width, layers, heads) = description["text"], description["vision"]
    shared = {"hidden_act": description["activation"], "projection_dim": description["projection"]}
    config = CLIPConfig(
        projection_dim=description["projection"],
        text_config={
            **shared, "vocab_size": len(tokenizer), "hidden_size": text_width, "intermediate_size": 4 * text_width,
            "num_hidden_layers": text_layers, "num_attention_heads": text_heads, "max_position_embeddings": LENGTH,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            **shared, "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
            "num_attention_heads": heads, "image_size": IMAGE_SIZE, "patch_size": description["patch"],
        },
    )
    torch.manual_seed(0)
    model = CLIPModel(config).eval()
    # Large weights, nonzero biases and norm scales other than 1, so that every term of the model changes the result.
    for key, parameter in model.named_parameters():
        norm = "norm" in key or "layrnorm" in key
        parameter.normal_(mean=1.0 if norm and key.endswith("weight") else 0.0, std=0.3)
        if key.endswith("patch_embedding.weight"):
            parameter.mul_(0.3)
        if key == "logit_scale":
            parameter.fill_(2.5)
        parameter.copy_(parameter.half().float())

    # A plain caption, the empty one, one with the name of the end token, and one of the full length.
    captions = [1, 0, 18, 20]
    ids = torch.full((len(captions), LENGTH), tokenizer.pad_token_id)
    for row, caption in enumerate(captions):
        encoded = tokenizer(CAPTIONS[caption], truncation=True, max_length=LENGTH).input_ids
        ids[row, : len(encoded)] = torch.tensor(encoded)
    chosen = [0, 2, 3]
    output = model(input_ids=ids, pixel_values=pixels)

    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    config.to_json_file(folder / "config.json")
    state = {key: value.half() for key, value in model.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    if description["activation"] == "quick_gelu":
        openai_state = openai_layout(state, {"text": text_layers, "vision": layers})
        logits, _ = openai_model(module, config, openai_state)(pixels, ids)
        difference = (logits - output.logits_per_image).abs().max().item()
        assert difference < 1e-4, difference
        save_file(openai_state, folder / "openai.safetensors")
    tensors = {
        "ids": ids.int(),
        # Only of the first two captions and of the images in `pictures`, to keep the file small.
        "textStates": output.text_model_output.last_hidden_state[:2],
        "pictures": torch.tensor(chosen).int(),
        "imageStates": output.vision_model_output.last_hidden_state[chosen],
        "textEmbeddings": model.get_text_features(input_ids=ids).pooler_output,
        "imageEmbeddings": model.get_image_features(pixel_values=pixels).pooler_output,
        # [captions, pictures]
        "similarities": output.logits_per_text,
    }
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "outputs.safetensors")
    print(name, "similarities:", output.logits_per_text.numpy().round(2)[:2].tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("openai", type=Path, help="path of a checkout of openai/CLIP")
    # Only the model is imported: the tokenizer and the loader of the package need more packages.
    path = parser.parse_args().openai / "clip/model.py"
    specification = importlib.util.spec_from_file_location("openai_clip", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    pixels = make_pictures()
    for name, description in CONFIGS.items():
        make_model(module, tokenizer, pixels, name, description)


if __name__ == "__main__":
    main()
