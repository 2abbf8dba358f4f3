"""What the peers share: time the steps, print one JSON line."""

import json
import resource
import statistics
import time

import torch


def measure(step, *, warmup, steps, items, unit):
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
        "engine": f"PyTorch {torch.__version__}",
        "unit": unit,
        "per_second": items / median,
        "step_ms": 1000 * median,
        "step_ms_min": 1000 * min(seconds[warmup:]),
        "peak_rss_mb": peak_rss_mb(),
        "losses": losses,
    }))


def report_drawings(engine, load, rounds):
    """Prints what a program that draws has measured: the seconds until it could begin, and each drawing's stages in milliseconds."""
    print(json.dumps({
        "engine": f"{engine}, PyTorch {torch.__version__}",
        "load_ms": 1000 * load,
        "rounds": rounds,
        "peak_rss_mb": peak_rss_mb(),
    }))


def peak_rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
