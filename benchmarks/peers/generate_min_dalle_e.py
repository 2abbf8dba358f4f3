"""Draws with kakaobrain/minDALL-E and random weights of the published size, and prints the time of each stage as one JSON line.

Needs: pip install torch==2.13.0 einops tqdm; git clone https://github.com/kakaobrain/minDALL-E
"""

import argparse
import sys
import time
import types

import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--repository", required=True, help="the clone of minDALL-E")
parser.add_argument("--size", default="min-dalle-e")
parser.add_argument("--images", type=int, default=1)
parser.add_argument("--guidance", type=float, default=1)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=1)
args = parser.parse_args()
if args.guidance != 1:
    raise SystemExit("minDALL-E has no guidance: --guidance must be 1.")
from measure import report_drawings  # noqa: E402

# Its modules import OmegaConf and PyTorch Lightning only for their names.
sys.modules["omegaconf"] = types.ModuleType("omegaconf")
sys.modules["omegaconf"].OmegaConf = object
for name in ("dalle", "dalle.models", "dalle.utils"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [f"{args.repository}/{name.replace('.', '/')}"]

from dalle.models.stage1.vqgan import VQGAN  # noqa: E402
from dalle.models.stage2.transformer import Transformer1d  # noqa: E402
from dalle.utils.sampling import sampling  # noqa: E402


class Hparams(dict):
    __getattr__ = dict.__getitem__


torch.set_num_threads(args.threads)
torch.manual_seed(0)
torch.set_grad_enabled(False)
start = time.perf_counter()
decoder = Transformer1d(16384, 16384, Hparams(
    embed_dim=1536, n_layers=42, n_heads=24, n_dense_layers=42, ctx_len_img=256, ctx_len_txt=64,
    embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0, mlp_bias=True, attn_bias=True, gelu_use_approx=False,
)).eval()
tokenizer = VQGAN(16384, 256, Hparams(
    double_z=False, z_channels=256, resolution=256, in_channels=3, out_ch=3, ch=128, ch_mult=[1, 1, 2, 2, 4],
    num_res_blocks=2, attn_resolutions=[16], pdrop=0.0,
)).eval()
load = time.perf_counter() - start


def draw():
    """What Dalle.sampling does, with its stages timed."""
    start = time.perf_counter()
    prompt = torch.zeros(args.images, 64, dtype=torch.long)
    prompt[:, :3] = torch.tensor([2, 4, 6])
    codes = sampling(decoder, prompt, top_k=256, is_tqdm=False, use_fp16=False)
    generated = time.perf_counter()
    tokenizer.decode_code(codes.view(args.images, 16, 16))
    return {"256 tokens": 1000 * (generated - start), "decode pixels": 1000 * (time.perf_counter() - generated)}


draw()
report_drawings("minDALL-E", load, [draw() for _ in range(args.rounds)])
