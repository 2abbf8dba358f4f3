"""img2dataset's side of the benchmark of downloads.

    pip install img2dataset opencv-python-headless
    python benchmarks/peers/download_img2dataset.py --list list.tsv --out out --connections 256 --timeout 5 --shard 1000 --processes 2
"""

import argparse
import glob
import json
import os
import resource
import time

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

from importlib.metadata import version

from img2dataset import download


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", required=True)
    parser.add_argument("--out", required=True)
    for name in ["connections", "timeout", "shard", "processes"]:
        parser.add_argument(f"--{name}", type=int, required=True)
    args = parser.parse_args()

    start = time.perf_counter()
    download(
        url_list=args.list,
        input_format="tsv",
        url_col="url",
        caption_col="caption",
        output_folder=args.out,
        output_format="webdataset",
        processes_count=args.processes,
        thread_count=args.connections // args.processes,
        number_sample_per_shard=args.shard,
        image_size=256,
        resize_mode="keep_ratio",
        resize_only_if_bigger=True,
        encode_quality=95,
        max_image_area=2**26,
        timeout=args.timeout,
        retries=0,
        extract_exif=False,
        compute_hash=None,
        disallowed_header_directives=["noai", "noimageai"],
    )
    seconds = time.perf_counter() - start
    stats = [json.load(open(path)) for path in glob.glob(os.path.join(args.out, "*_stats.json"))]
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print()
    print(json.dumps({
        "engine": f"img2dataset {version('img2dataset')}",
        "rows": sum(one["count"] for one in stats),
        "images": sum(one["successes"] for one in stats),
        "problems": {},
        "seconds": seconds,
        "cpu_seconds": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        # Of the largest process.
        "peak_rss_mb": max(usage.ru_maxrss for usage in usages) / 1024,
    }))


if __name__ == "__main__":
    main()
