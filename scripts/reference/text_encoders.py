"""Creates small text encoders that transformers 5 has, CLIP, T5, XLM-RoBERTa and MPNet, for the text encoder's tests.

    pip install transformers==5.24.0 torch==2.13.0 numpy safetensors
    python scripts/reference/text_encoders.py

The tokenizer of CLIP is that of scripts/reference/clip.py. It writes to packages/text-encoder/test/fixtures/text-encoders:

    captions.json    the captions that all models read
    clip/            a CLIPModel; its text encoder is read
    clip-text/       a CLIPTextModelWithProjection, of the exact GELU
    clip-bare/       a CLIPTextModel, without a projection
    t5/, flan/       T5ForConditionalGeneration of the first T5, and T5EncoderModel as of T5 1.1 and FLAN
    xlm-roberta/, mpnet/
        config.json, tokenizer.json, tokenizer_config.json, model.safetensors    as save_pretrained writes them
        outputs.safetensors:

            ids, attentionMask   int32   [captions, 24]
            hiddenStates         float32 [captions, 24, width]   the last hidden states
            penultimate          float32 [captions, 24, width]   of CLIP: those before the last layer
            pooled               float32 [captions, width]       of CLIP: the projected state at the end token, if there is a projection

    buckets.json     T5's bucket of each distance from -300 to 300: with 32 buckets up to 128, and with 8 up to 20
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, MPNetConfig, MPNetModel,
    MPNetTokenizer, T5Config, T5EncoderModel, T5ForConditionalGeneration, T5Tokenizer, XLMRobertaConfig, XLMRobertaModel,
    XLMRobertaTokenizer,
)  # fmt: skip
from transformers.models.t5.modeling_t5 import T5Attention

from minilm import CAPTIONS

PACKAGES = Path(__file__).parents[2] / "packages"
FIXTURES = PACKAGES / "text-encoder/test/fixtures/text-encoders"
LENGTH = 24
CORPUS = [caption for caption in CAPTIONS if caption]
READ = ["", "a cat", "Café 😀 <mask> avocado armchair", "red machine на дороге", CAPTIONS[4], " ".join(["cat"] * 40)]


def unigram(special: list[str], size: int) -> list[tuple[str, float]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return [tuple(piece) for piece in json.loads(tokenizer.to_str())["model"]["vocab"]]


def mpnet_tokenizer() -> MPNetTokenizer:
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=150, limit_alphabet=60, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    vocab = tokenizer.get_vocab()
    return MPNetTokenizer(vocab=dict(sorted(vocab.items(), key=lambda item: item[1])))


@torch.no_grad()
def randomize(model) -> None:
    """Large weights, nonzero biases and norm scales other than 1, so that every term of the model changes the result."""
    for name, parameter in model.named_parameters():
        is_scale = "norm" in name.lower() and name.endswith("weight")
        parameter.copy_(parameter.normal_(mean=1.0 if is_scale else 0.0, std=0.3).half().float())


@torch.no_grad()
def write(name: str, model, tokenizer, encode) -> None:
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    read = tokenizer(READ, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"]
    outputs = {"ids": ids.int(), "attentionMask": mask.int(), **encode(model, ids, mask)}
    save_file({key: value.contiguous() for key, value in outputs.items()}, folder / "outputs.safetensors")


def encode_last(model, ids, mask):
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return {"hiddenStates": encoder(input_ids=ids, attention_mask=mask).last_hidden_state}


def encode_clip(model, ids, mask):
    # Without the mask, as diffusers calls it: no token attends to the padding after it.
    whole = isinstance(model, CLIPModel)
    text = model.text_model if whole else model
    output = text(input_ids=ids, output_hidden_states=True)
    if whole:
        pooled = model.get_text_features(input_ids=ids).pooler_output
    else:
        pooled = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
    return {"hiddenStates": output.last_hidden_state, "penultimate": output.hidden_states[-2], "pooled": pooled}


def write_clips() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(PACKAGES / "clip/test/fixtures/tokenizer")
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 3,
        "max_position_embeddings": LENGTH, "projection_dim": 10, "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 8, "patch_size": 4}
    kinds = {
        "clip": CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=10)),
        "clip-text": CLIPTextModelWithProjection(CLIPTextConfig(**{**text, "hidden_act": "gelu", "eos_token_id": 2})),
        "clip-bare": CLIPTextModel(CLIPTextConfig(**text)),
    }
    for name, model in kinds.items():
        randomize(model)
        write(name, model, tokenizer, encode_clip)


def write_t5s() -> None:
    tokenizer = T5Tokenizer(vocab=[*unigram(["<pad>", "</s>", "<unk>"], 500), *((f"<extra_id_{i}>", 0.0) for i in range(3, -1, -1))], extra_ids=4)
    sizes = {
        "vocab_size": len(tokenizer), "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 3, "num_decoder_layers": 1,
        "relative_attention_num_buckets": 8, "relative_attention_max_distance": 12, "decoder_start_token_id": 0,
    }
    kinds = {
        "t5": T5ForConditionalGeneration(T5Config(**sizes, feed_forward_proj="relu")),
        "flan": T5EncoderModel(T5Config(**sizes, feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    }
    for name, model in kinds.items():
        randomize(model)
        write(name, model, tokenizer, encode_last)


def write_berts() -> None:
    sizes = {
        "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 16, "layer_norm_eps": 1e-5,
        "max_position_embeddings": LENGTH + 2,
    }
    vocab = unigram(["<s>", "<pad>", "</s>", "<unk>"], 500)
    tokenizer = XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)])
    model = XLMRobertaModel(XLMRobertaConfig(vocab_size=len(tokenizer), type_vocab_size=1, **sizes))
    randomize(model)
    write("xlm-roberta", model, tokenizer, encode_last)

    tokenizer = mpnet_tokenizer()
    model = MPNetModel(MPNetConfig(vocab_size=len(tokenizer), **sizes))
    randomize(model)
    write("mpnet", model, tokenizer, encode_last)


def write_buckets() -> None:
    distances = torch.arange(-300, 301)
    rows = [
        {"buckets": buckets, "maxDistance": most,
         "expected": T5Attention._relative_position_bucket(distances, True, buckets, most).tolist()}
        for buckets, most in [(32, 128), (8, 20)]
    ]  # fmt: skip
    (FIXTURES / "buckets.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.manual_seed(0)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "captions.json").write_text(json.dumps({"maxLength": LENGTH, "captions": READ}, ensure_ascii=False) + "\n")
    write_buckets()
    write_clips()
    write_t5s()
    write_berts()
