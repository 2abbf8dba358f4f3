"""Draws with kuprel/min-dalle and random weights of the published sizes, and prints the time of each stage as one JSON line.

Needs: pip install torch==2.13.0 numpy pillow requests emoji; git clone https://github.com/kuprel/min-dalle
"""

import argparse
import io
import sys
import time

import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--repository", required=True, help="the clone of min-dalle")
parser.add_argument("--size", choices=["mini", "mega"], default="mini")
parser.add_argument("--images", type=int, default=1)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--rounds", type=int, default=1)
args = parser.parse_args()
sys.path.insert(0, args.repository)

from measure import report_drawings  # noqa: E402
from min_dalle.models import DalleBartDecoder, DalleBartEncoder, VQGanDetokenizer  # noqa: E402
from PIL import Image  # noqa: E402

# Importing it sets the number of threads to that of the processors.
torch.set_num_threads(args.threads)
torch.manual_seed(0)

MEGA = args.size == "mega"
LAYERS, HEADS, WIDTH, GLU = (24, 32, 2048, 4096) if MEGA else (12, 16, 1024, 2730)
common = dict(attention_head_count=HEADS, embed_count=WIDTH, glu_embed_count=GLU, layer_count=LAYERS, device="cpu")
start = time.perf_counter()
encoder = DalleBartEncoder(text_token_count=64, text_vocab_count=50272 if MEGA else 50264, **common).eval()
decoder = DalleBartDecoder(image_vocab_count=16415 if MEGA else 16384, **common).eval()
detokenizer = VQGanDetokenizer().eval()
load = time.perf_counter() - start


@torch.no_grad()
def draw():
    """What MinDalle.generate_raw_image_stream does, with its stages timed."""
    stages = {}

    def timed(name, work):
        start = time.perf_counter()
        result = work()
        stages[name] = 1000 * (time.perf_counter() - start)
        return result

    count = args.images
    text_tokens = torch.ones((2, 64), dtype=torch.long)
    text_tokens[0, :2] = torch.tensor([0, 2])
    text_tokens[1, :6] = torch.tensor([0, 100, 200, 300, 400, 2])
    encoder_state = timed("encode text", lambda: encoder.forward(text_tokens))
    expanded = [0] * count + [1] * count
    text_tokens, encoder_state = text_tokens[expanded], encoder_state[expanded]
    attention_mask = text_tokens.not_equal(1)[:, None, None, :]
    attention_state = torch.zeros((LAYERS, count * 4, 256, WIDTH))
    image_tokens = torch.full((count, 257), 2**14 - 1, dtype=torch.long)
    token_indices = torch.arange(256)
    settings = torch.tensor([1, 256, 16], dtype=torch.float32)

    def tokens():
        state = attention_state
        for i in range(256):
            image_tokens[:, i + 1], state = decoder.sample_tokens(
                settings=settings,
                attention_mask=attention_mask,
                encoder_state=encoder_state,
                attention_state=state,
                prev_tokens=image_tokens[:, [i]],
                token_index=token_indices[[i]],
            )

    timed("256 tokens", tokens)
    # It decodes a square number of images.
    images = timed(
        "decode pixels",
        lambda: torch.cat([detokenizer.forward(False, image_tokens[[i], 1:]) for i in range(count)]),
    )

    def png():
        for image in images.to(torch.uint8).view(count, 256, 256, 3).numpy():
            Image.fromarray(image).save(io.BytesIO(), format="png")

    timed("PNG", png)
    return stages


report_drawings("min-dalle", load, [draw() for _ in range(args.rounds)])
