"""PyTorch's side of the VQ-GAN's benchmark: encodes or decodes images of 256 × 256 pixels, eager, fp32, on the CPU, with random weights.

    pip install torch==2.13.0
    python benchmarks/peers/tokenize_taming.py --task decode --images 1 --threads 2 --calls 3

The sizes are those of Taming's vqgan_imagenet_f16_16384, which DALL·E Mini uses.
"""

import argparse
import time

import torch

from measure import report_drawings
from train_vqgan import VQGAN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["encode", "decode"], required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    start = time.perf_counter()
    model = VQGAN(128, [1, 1, 2, 2, 4], 2, 256, 256, 16384, attention=[4]).eval()
    load = time.perf_counter() - start
    images = torch.randint(256, (args.images, 3, 256, 256), dtype=torch.uint8)
    tokens = torch.randint(16384, (args.images, 256))

    def encode():
        model.encode(images / 127.5 - 1)

    def decode():
        (127.5 * model.decode(tokens) + 127.5).clamp(0, 255).to(torch.uint8)

    work = encode if args.task == "encode" else decode
    rounds = []
    with torch.inference_mode():
        for _ in range(args.calls + 1):
            start = time.perf_counter()
            work()
            rounds.append({args.task: 1000 * (time.perf_counter() - start)})
    report_drawings("Taming", load, rounds[1:])


if __name__ == "__main__":
    main()
