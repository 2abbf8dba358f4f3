"""Draws with FoundationVision/LlamaGen and random weights of the published sizes, and prints the time of each stage as one JSON line.

Needs: pip install torch==2.13.0; git clone https://github.com/FoundationVision/LlamaGen
"""

import argparse
import contextlib
import sys
import time

import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--repository", required=True, help="the clone of LlamaGen")
parser.add_argument("--size", choices=["B", "L", "XL"], default="B")
parser.add_argument("--images", type=int, default=1)
parser.add_argument("--guidance", type=float, default=4)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=1)
args = parser.parse_args()
from measure import report_drawings  # noqa: E402

sys.path.insert(0, args.repository)
from autoregressive.models.generate import generate  # noqa: E402
from autoregressive.models.gpt import GPT_models  # noqa: E402
from tokenizer.tokenizer_image.vq_model import VQ_models  # noqa: E402

# Newer versions of PyTorch do not have this context, which chooses a kernel.
torch.backends.cuda.sdp_kernel = lambda **_: contextlib.nullcontext()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
torch.set_grad_enabled(False)
start = time.perf_counter()
decoder = GPT_models[f"GPT-{args.size}"](
    vocab_size=16384, block_size=256, num_classes=1000, cls_token_num=1, model_type="c2i"
).eval()
decoder.output.weight.normal_(0, 0.02)
tokenizer = VQ_models["VQ-16"](codebook_size=16384, codebook_embed_dim=8).eval()
load = time.perf_counter() - start


def draw(count=256):
    """What sample_c2i.py does, with its stages timed."""
    start = time.perf_counter()
    labels = torch.full((args.images,), 207)
    tokens = generate(
        decoder, labels, count, cfg_scale=args.guidance, cfg_interval=-1, temperature=1.0, top_k=256, top_p=1.0, sample_logits=True
    )
    generated = time.perf_counter()
    if count < 256:
        return None
    tokenizer.decode_code(tokens, [args.images, 8, 16, 16])
    return {"256 tokens": 1000 * (generated - start), "decode pixels": 1000 * (time.perf_counter() - generated)}


# A few tokens are enough to load what the first call loads.
draw(8)
report_drawings("LlamaGen", load, [draw() for _ in range(args.rounds)])
