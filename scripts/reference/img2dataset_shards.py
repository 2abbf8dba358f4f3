"""Writes shards with img2dataset, of images that it serves itself: packages/prepare/test/fixtures/img2dataset.

    pip install img2dataset opencv-python-headless
    python scripts/reference/img2dataset_shards.py

Of six rows, one has status 404 and one is a web page; the others are JPEGs and a PNG of different sizes.
"""

import os
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import cv2
import numpy as np
from img2dataset import download

FOLDER = os.path.join(os.path.dirname(__file__), "../../packages/prepare/test/fixtures/img2dataset")
SIZES = {0: (64, 48), 1: (40, 40), 4: (30, 52), 5: (48, 20)}


class Images(BaseHTTPRequestHandler):
    def do_GET(self):
        number = int(self.path[1:])
        self.send_response(404 if number == 2 else 200)
        self.end_headers()
        if number in SIZES:
            width, height = SIZES[number]
            y, x = np.mgrid[:height, :width]
            image = np.stack([3 * x, 4 * y, np.full_like(x, 40 * number)], -1).astype(np.uint8)
            self.wfile.write(cv2.imencode(".png" if number == 4 else ".jpg", image)[1].tobytes())
        elif number == 3:
            self.wfile.write(b"<!doctype html><title>Parked</title>")

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 18080), Images)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "list.tsv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("url\tcaption\tlicense\n")
            for number in range(6):
                file.write(f"http://127.0.0.1:18080/{number}\tPicture {number} – é\tcc-{number}\n")
        download(
            url_list=path,
            input_format="tsv",
            url_col="url",
            caption_col="caption",
            save_additional_columns=["license"],
            output_folder=FOLDER,
            output_format="webdataset",
            processes_count=1,
            thread_count=4,
            number_sample_per_shard=4,
            image_size=24,
            resize_mode="keep_ratio",
            resize_only_if_bigger=True,
            timeout=5,
        )


if __name__ == "__main__":
    main()
