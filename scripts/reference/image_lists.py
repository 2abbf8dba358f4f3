"""Writes Parquet files of images with captions, as Hugging Face's datasets writes them, into packages/data/test/fixtures.

    pip install pillow==13.0.0 pyarrow
    python scripts/reference/image_lists.py

    metadata.parquet    a list of file names
    images.parquet      the images themselves, in two row groups; the last row has no caption
    bytes.parquet       the same as a plain column of bytes
"""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUTPUT = Path(__file__).resolve().parents[2] / "packages/data/test/fixtures"


def png(color: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(file, "PNG")
    return file.getvalue()


files = ["a.png", "b.png"]
table = pa.table({"id": [1, 2], "file_name": files, "text": [["a cat", "a kitten"], ["a dog"]]})
OUTPUT.mkdir(parents=True, exist_ok=True)
pq.write_table(table, OUTPUT / "metadata.parquet", compression="zstd")

images = [png("red"), png("lime"), png("blue")]
captions = ["red", "green", None]
struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
column = pa.array([{"bytes": image, "path": f"{i}.png"} for i, image in enumerate(images)], struct)
pq.write_table(pa.table({"image": column, "text": captions}), OUTPUT / "images.parquet", row_group_size=2)
pq.write_table(pa.table({"jpg": pa.array(images, pa.binary()), "caption": captions}), OUTPUT / "bytes.parquet")
