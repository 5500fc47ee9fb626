"""PNG files of every colour type, depth, filter and interlacing, which Pillow does not write."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
_PASSES = [*_ADAM7, (0, 1, 1, 2)]


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def rawpng(
    numbers: Numbers,
    colour: int,
    depth: int,
    rng: random.Random,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of ``(h, w, channels)`` numbers, with chunks before and after its data."""
    height, width = numbers.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = [numbers[y::dy, x::dx] for x, y, dx, dy in _PASSES] if interlaced else [numbers]
    data = b"".join(_filtered(part, depth, rng) for part in parts if part.size)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), before,
            chunk(b"IDAT", zlib.compress(data)), after, chunk(b"IEND", b""),
        )
    )  # fmt: skip


def _filtered(numbers: Numbers, depth: int, rng: random.Random) -> bytes:
    step = max(1, numbers.shape[2] * depth // 8)
    out, above = bytearray(), None
    for row in numbers:
        packed = _packed(row.ravel(), depth)
        above = bytes(len(packed)) if above is None else above
        kind = rng.randrange(5)
        out.append(kind)
        for i, byte in enumerate(packed):
            left = packed[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            out.append((byte - _predicted(kind, left, above[i], corner)) & 255)
        above = packed
    return bytes(out)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind]


def _packed(row: Numbers, depth: int) -> bytes:
    if depth >= 8:
        return row.astype(f">u{depth // 8}").tobytes()
    bits = (row[:, np.newaxis] >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()
