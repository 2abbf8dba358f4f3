"""Writes BMP images and the pixels that Pillow reads from them, for the tests of the data package.

    pip install numpy pillow==13.0.0
    python scripts/reference/bmp.py

writes packages/data/test/fixtures/bmp.json: for each image its bytes and its pixels, both as base64, and the number of channels.
"""

import io
import json
from base64 import b64encode
from pathlib import Path
from struct import pack

import numpy as np
from PIL import Image

TARGET = Path(__file__).parents[2] / "packages/data/test/fixtures/bmp.json"
WIDTH, HEIGHT = 11, 3
RGBA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
random = np.random.default_rng(3)


def bmp(header: bytes, data: bytes, palette: bytes = b"") -> bytes:
    start = 14 + len(header) + len(palette)
    return b"BM" + pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


def windows(bits: int, compression: int = 0, masks: tuple = (), size: int = 40, height: int = HEIGHT, colors: int = 0) -> bytes:
    """The header of Windows: masks follow one of 40 bytes, and are a part of longer ones."""
    fields = pack("<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, 0, 2835, 2835, colors, 0)
    return (fields + pack(f"<{len(masks)}I", *masks)).ljust(size, b"\0")


def os2(bits: int) -> bytes:
    return pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)


def palette(colors: int, stride: int = 4) -> bytes:
    return b"".join(random.bytes(3) + bytes(stride - 3) for _ in range(colors))


def packed(indices: np.ndarray, bits: int) -> bytes:
    """Rows of indices, each padded to 4 bytes."""
    rows = ["".join(format(index, f"0{bits}b") for index in row) for row in indices]
    return b"".join(int(row.ljust((len(row) + 31) // 32 * 32, "0"), 2).to_bytes((len(row) + 31) // 32 * 4, "big") for row in rows)


def padded(pixels: np.ndarray) -> bytes:
    return b"".join(row.tobytes().ljust((row.nbytes + 3) // 4 * 4, b"\0") for row in pixels)


def images() -> dict[str, bytes]:
    made = {}
    for bits in (1, 4, 8):
        colors = 2**bits
        data = packed(random.integers(0, colors, (HEIGHT, WIDTH)), bits)
        grey = b"".join(bytes([index * 255 // (colors - 1)] * 3 + [0]) for index in range(colors))
        made[f"{bits} bits"] = bmp(windows(bits), data, palette(colors))
        made[f"{bits} bits, top-down"] = bmp(windows(bits, height=-HEIGHT), data, palette(colors))
        made[f"{bits} bits, OS/2"] = bmp(os2(bits), data, palette(colors, 3))
        made[f"{bits} bits, grey"] = bmp(windows(bits), data, grey)
    few = packed(random.integers(0, 5, (HEIGHT, WIDTH)), 8)
    made["8 bits, 5 colors"] = bmp(windows(8, colors=5), few, palette(5))
    # A run, literal values with padding, the end of a row, and the end of the image.
    rle8 = bytes([4, 7, 0, 3, 1, 2, 3, 0, 4, 9, 0, 0, 11, 5, 0, 0, 0, 11, *range(11), 0, 0, 1])
    made["8 bits, RLE8"] = bmp(windows(8, 1), rle8, palette(256))
    rle4 = bytes([4, 0x12, 0, 7, 0x34, 0x56, 0x78, 0x90, 0, 0, 11, 0xAB, 0, 0, 11, 0x5, 0, 1])
    made["4 bits, RLE4"] = bmp(windows(4, 2), rle4, palette(16))

    words = padded(random.integers(0, 2**16, (HEIGHT, WIDTH), dtype=np.uint16))
    made["16 bits"] = bmp(windows(16), words)
    made["16 bits, masks of 5, 6 and 5 bits"] = bmp(windows(16, 3, (0xF800, 0x7E0, 0x1F)), words)
    rgb = padded(random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    made["24 bits"] = bmp(windows(24), rgb)
    made["24 bits, top-down"] = bmp(windows(24, height=-HEIGHT), rgb)
    made["24 bits, OS/2"] = bmp(os2(24), rgb)
    made["24 bits, OS/2 version 2"] = bmp(windows(24, size=64), rgb)
    made["24 bits, version 5"] = bmp(windows(24, size=124), rgb)
    rgba = padded(random.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8))
    made["32 bits"] = bmp(windows(32), rgba)
    made["32 bits, masks"] = bmp(windows(32, 3, (0xFF000000, 0xFF0000, 0xFF00)), rgba)
    made["32 bits, header of 52 bytes"] = bmp(windows(32, 3, RGBA[:3], 52), rgba)
    made["32 bits, alpha, header of 56 bytes"] = bmp(windows(32, 3, RGBA, 56), rgba)
    made["32 bits, alpha, version 4"] = bmp(windows(32, 3, RGBA, 108), rgba)
    made["32 bits, alpha, version 5, red first"] = bmp(windows(32, 3, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), 124), rgba)
    return made


def pixels(data: bytes) -> dict:
    image = Image.open(io.BytesIO(data))
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    return {"channels": len(mode), "pixels": b64encode(image.convert(mode).tobytes()).decode()}


if __name__ == "__main__":
    fixtures = {name: {"file": b64encode(data).decode(), **pixels(data)} for name, data in images().items()}
    TARGET.write_text(json.dumps(fixtures, indent=1) + "\n")
