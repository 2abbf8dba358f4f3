"""Writes packages/weights/test/fixtures/python.safetensors with the reference implementation of the format.

One small tensor for each dtype that the reader knows. Needs: pip install torch==2.13.0 safetensors numpy
Usage: python scripts/reference/safetensors_file.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURE = Path(__file__).parents[2] / "packages/weights/test/fixtures/python.safetensors"

values = [-1.5, 0.0, 0.1, 3.0, 65504.0, 1e-7]
integers = [-100, -1, 0, 1, 2, 127]
tensors = {
    "float64": torch.tensor(values, dtype=torch.float64).reshape(2, 3),
    "float32": torch.tensor(values, dtype=torch.float32).reshape(3, 2),
    "float16": torch.tensor(values, dtype=torch.float16),
    "bfloat16": torch.tensor(values, dtype=torch.bfloat16),
    "int64": torch.tensor(integers, dtype=torch.int64),
    "int32": torch.tensor(integers, dtype=torch.int32),
    "int16": torch.tensor(integers, dtype=torch.int16),
    "int8": torch.tensor(integers, dtype=torch.int8),
    "uint8": torch.tensor([0, 1, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
    "10": torch.tensor([10.0]),
    'quote " and snow ☃': torch.tensor([1.0]),
}
save_file(tensors, FIXTURE, metadata={"format": "pt"})
