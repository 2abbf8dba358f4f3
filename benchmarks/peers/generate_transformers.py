"""Draws 256 tokens with the cached generation of Hugging Face transformers, by a BART of DALL·E Mini's size with random weights, and
prints the time as one JSON line. Guidance is not part of it: the batch has the rows that guidance would have.

BART's feed-forward layers have two matrices and DALL·E Mini's have three: they are as much wider here.

Needs: pip install torch==2.13.0 transformers
"""

import argparse
import time

import torch
import transformers
from measure import report_drawings
from transformers import BartConfig, BartForConditionalGeneration

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", choices=["mini", "mega"], default="mini")
parser.add_argument("--images", type=int, default=1)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=1)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)

layers, heads, width, glu = (24, 32, 2048, 4096) if args.size == "mega" else (12, 16, 1024, 2730)
start = time.perf_counter()
model = BartForConditionalGeneration(
    BartConfig(
        vocab_size=16385,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=glu * 3 // 2,
        decoder_ffn_dim=glu * 3 // 2,
        max_position_embeddings=300,
        pad_token_id=1,
        bos_token_id=16384,
        decoder_start_token_id=16384,
        eos_token_id=None,
        forced_eos_token_id=None,
    )
).eval()
load = time.perf_counter() - start
text = torch.randint(4, 16000, (2 * args.images, 64))


@torch.no_grad()
def draw():
    start = time.perf_counter()
    encoded = model.get_encoder()(text)
    encode = time.perf_counter() - start
    start = time.perf_counter()
    tokens = model.generate(
        encoder_outputs=encoded,
        attention_mask=torch.ones_like(text),
        do_sample=True,
        top_k=256,
        max_new_tokens=256,
        use_cache=True,
    )
    assert tokens.shape[1] == 257, tokens.shape
    return {"encode text": 1000 * encode, "256 tokens": 1000 * (time.perf_counter() - start)}


report_drawings(f"transformers {transformers.__version__}", load, [draw() for _ in range(args.rounds)])
