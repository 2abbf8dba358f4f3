"""Generates tokens with aMUSEd's decoder of diffusers, random weights and the published sizes, and prints the times as one JSON line.

Needs: pip install torch==2.13.0 diffusers transformers
"""

import argparse
import time

import torch
from diffusers import AmusedScheduler, UVit2DModel
from measure import report_drawings

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--passes", type=int, default=12)
parser.add_argument("--images", type=int, default=1)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=1)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)

start = time.perf_counter()
transformer = UVit2DModel(sample_size=16).eval()
scheduler = AmusedScheduler(mask_token_id=8255)
load = time.perf_counter() - start

sequences = 2 * args.images
text = torch.randn(sequences, 77, 768)
pooled = torch.randn(sequences, 768)
micro = torch.tensor([[256, 256, 0, 0, 6.0]]).expand(sequences, -1)


@torch.no_grad()
def draw(passes):
    """The loop of AmusedPipeline, without text encoder and pixels."""
    start = time.perf_counter()
    scheduler.set_timesteps(passes, (2, 0))
    latents = torch.full((args.images, 16, 16), 8255)
    for timestep in scheduler.timesteps:
        logits = transformer(
            torch.cat([latents] * 2), micro_conds=micro, pooled_text_emb=pooled, encoder_hidden_states=text
        )
        unconditional, conditional = logits.chunk(2)
        guided = unconditional + 10 * (conditional - unconditional)
        latents = scheduler.step(model_output=guided, timestep=timestep, sample=latents).prev_sample
    return {"256 tokens": 1000 * (time.perf_counter() - start)}


draw(1)
report_drawings("diffusers", load, [draw(args.passes) for _ in range(args.rounds)])
