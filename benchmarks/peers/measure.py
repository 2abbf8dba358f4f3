"""What the peers share: time the steps, print one JSON line."""

import json
import resource
import statistics
import time


def measure(step, *, engine, warmup, steps, items, unit):
    """Calls `step()` `warmup + steps` times and prints the medians of the last `steps` calls.

    `step` returns the loss as a float, so that a call ends when its work has ended. `items` is how
    many of `unit` (tokens, images) one step trains on. Peak memory is that of the whole process.
    """
    seconds, losses = [], []
    for _ in range(warmup + steps):
        start = time.perf_counter()
        losses.append(step())
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[warmup:])
    print(json.dumps({
        "engine": engine,
        "unit": unit,
        "per_second": items / median,
        "step_ms": 1000 * median,
        "step_ms_min": 1000 * min(seconds[warmup:]),
        "peak_rss_mb": peak_rss_mb(),
        "losses": losses,
    }))


def torch_setup(args):
    """Applies the options of `add_torch_options`. Returns the engine's name and the context of the forward pass."""
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    # Products in float32 have operands in float32, as on the other sides.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    details = [name for name, given in (("compiled", args.compile), ("bfloat16", args.dtype == "bfloat16")) if given]
    enabled = args.dtype == "bfloat16"
    return (
        ", ".join([f"PyTorch {torch.__version__}", *details]),
        lambda: torch.autocast(args.device, torch.bfloat16, enabled=enabled),
    )


def add_torch_options(parser):
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)


def report_drawings(engine, load, rounds):
    """Prints what a program that draws has measured: the seconds until it could begin, and each drawing's stages in milliseconds."""
    import torch

    print(json.dumps({
        "engine": f"{engine}, PyTorch {torch.__version__}",
        "load_ms": 1000 * load,
        "rounds": rounds,
        "peak_rss_mb": peak_rss_mb(),
    }))


def peak_rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
