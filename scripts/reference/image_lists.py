"""Writes packages/data/test/fixtures/metadata.parquet: a list of images with captions, as Hugging Face's imagefolder reads it.

pip install pyarrow==26.0.1
python scripts/reference/image_lists.py
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUTPUT = Path(__file__).resolve().parents[2] / "packages/data/test/fixtures"

table = pa.table(
    {
        "id": [1, 2],
        "file_name": ["a.png", "b.png"],
        "text": [["a cat", "a kitten"], ["a dog"]],
    }
)
OUTPUT.mkdir(parents=True, exist_ok=True)
pq.write_table(table, OUTPUT / "metadata.parquet", compression="zstd")
