"""What both peers share: time the steps, print one JSON line."""

import json
import resource
import statistics
import time


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
        f"{unit}_per_s": round(items / median, 2),
        "step_ms": round(1000 * median, 1),
        "step_ms_min": round(1000 * min(seconds[warmup:]), 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "first_loss": round(losses[0], 4),
        "last_loss": round(losses[-1], 4),
        "steps": steps,
    }))
