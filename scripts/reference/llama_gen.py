"""Writes packages/testing/fixtures/llama-gen-{classes,text,tokenizer}.*: decoders and a tokenizer of FoundationVision/LlamaGen of tiny sizes with
random weights, in the layout of its releases, and what its code computes.

    pip install torch==2.13.0 numpy safetensors==0.8.0
    git clone https://github.com/FoundationVision/LlamaGen
    python scripts/reference/llama_gen.py LlamaGen

Checkpoints are `.pt` files with the weights under `model`; the safetensors files next to them have inputs and results. Weights are rounded to
half precision before the models run in float32. Sizes are 16 channels and two layers, grids 4 × 4; feed-forward layers have 256 channels,
because the published code rounds up to a multiple of that.
"""

import contextlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, sys.argv[1])
from autoregressive.models.generate import generate  # noqa: E402
from autoregressive.models.gpt import ModelArgs, Transformer  # noqa: E402
from tokenizer.tokenizer_image import vq_model  # noqa: E402

OUTPUT = Path(__file__).resolve().parents[2] / "packages/testing/fixtures"
# Newer versions of PyTorch do not have this context, which chooses a kernel.
torch.backends.cuda.sdp_kernel = lambda **_: contextlib.nullcontext()
torch.set_grad_enabled(False)
torch.manual_seed(0)
GRID = 4


def randomize(model, outputs):
    for name, value in model.state_dict().items():
        if name.endswith("codebook_used"):
            continue
        is_norm = "norm" in name
        fan_in = value[0].numel() if value.dim() > 1 else 1
        if "embedding" in name or "tok_embeddings" in name:
            scale = 0.7
        elif value.dim() == 1:
            scale = 0.2
        else:
            scale = (3.0 if name in outputs else 1.0) / fan_in**0.5
        random = scale * torch.randn_like(value) + (1.0 if is_norm and name.endswith("weight") else 0.0)
        value.copy_(random.half().float())


def save(name, model):
    torch.save({"model": {key: value.half() for key, value in model.state_dict().items()}}, OUTPUT / f"{name}.pt")


def decoder(name, condition, masks, **arguments):
    model = Transformer(ModelArgs(dim=16, n_layer=2, n_head=2, vocab_size=24, block_size=GRID**2, **arguments)).eval()
    randomize(model, ["output.weight"])
    save(name, model)
    tokens = torch.randint(24, (len(condition), GRID**2))
    length = arguments["cls_token_num"]
    greedy = {
        f"greedy_tokens_{scale}": generate(
            model, condition, GRID**2, masks, cfg_scale=scale, temperature=1.0, top_k=1, top_p=1.0, sample_logits=True
        )
        for scale in (1, 3)
    }
    # All tokens at once, by the mask that generate makes for its cache.
    generate(model, condition, GRID**2, masks, cfg_scale=1, temperature=1.0, top_k=1, top_p=1.0, sample_logits=True)
    hidden = {}
    hook = model.norm.register_forward_hook(lambda module, inputs, output: hidden.update(value=output))
    places = torch.arange(length + GRID**2 - 1)
    logits, _ = model(tokens[:, :-1], condition, places, mask=model.causal_mask[:, None, places])
    hook.remove()
    assert len(set(greedy["greedy_tokens_3"].flatten().tolist())) > 6
    assert not torch.equal(greedy["greedy_tokens_3"], greedy["greedy_tokens_1"])
    outputs = {
        "condition": condition if condition.is_floating_point() else condition.int(),
        "image_tokens": tokens.int(),
        "hidden_states": hidden["value"].contiguous(),
        "logits": logits[:, length - 1 :].contiguous(),
        **{key: value.int().contiguous() for key, value in greedy.items()},
    }
    if masks is not None:
        outputs["masks"] = masks.int()
    save_file(outputs, OUTPUT / f"{name}.safetensors")


decoder("llama-gen-classes", torch.tensor([3, 0, 4]), None, model_type="c2i", num_classes=5, cls_token_num=1)
# As sample_t2i.py arranges captions: padded at the start, with zeros. Its embedding of no caption always has 120 elements.
masks = (torch.arange(120) >= torch.tensor([[117], [0], [119]])).long()
captions = torch.randn(3, 120, 12) * masks[:, :, None]
decoder("llama-gen-text", captions, masks, model_type="t2i", caption_dim=12, cls_token_num=120)

# VQModel has 128 channels. Its modules are made with fewer, under its names.
tokenizer = vq_model.VQModel.__new__(vq_model.VQModel)
nn.Module.__init__(tokenizer)
sizes = {"ch": 32, "ch_mult": (1, 1), "num_res_blocks": 1, "z_channels": 8}
tokenizer.encoder = vq_model.Encoder(**sizes)
tokenizer.decoder = vq_model.Decoder(**sizes)
tokenizer.quantize = vq_model.VectorQuantizer(24, 8, 0.25, 0.0, True, False)
tokenizer.quant_conv = nn.Conv2d(8, 8, 1)
tokenizer.post_quant_conv = nn.Conv2d(8, 8, 1)
tokenizer.eval()
randomize(tokenizer, [])
# The buffer of the published model, which counts the codes that training used.
state = {key: value.half() for key, value in tokenizer.state_dict().items()}
state["quantize.codebook_used"] = torch.zeros(16).half()
torch.save({"model": state}, OUTPUT / "llama-gen-tokenizer.pt")
# Images of large patches in different colors.
images = nn.functional.interpolate(torch.rand(4, 3, 4, 4) * 2 - 1, scale_factor=2)
_, _, (_, _, tokens) = tokenizer.encode(images)
tokens = tokens.view(4, -1)
assert len(set(tokens.flatten().tolist())) > 4, tokens
pixels = tokenizer.decode_code(tokens, [4, 8, 4, 4])
save_file(
    {"images": images, "tokens": tokens.int(), "pixels": pixels.contiguous()}, OUTPUT / "llama-gen-tokenizer.safetensors"
)
