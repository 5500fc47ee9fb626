"""PNG of 16 bits a channel, which Pillow reads with 8 and does not write.

Source: the PNG specification (W3C), clauses 7 and 11.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PNG_MAGIC",
    "bits_of",
    "deep_channels",
    "is_deep_colour",
    "read_deep_colour",
    "write_deep",
]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour types by the number of channels."""
_UP = 2


def bits_of(data: bytes) -> int:
    """Bits of one number of a PNG, 1 to 16."""
    return data[24]


def is_deep_colour(data: bytes) -> bool:
    """Whether it is a PNG of 16 bits with more than one channel."""
    return data.startswith(PNG_MAGIC) and data[24:26] in (b"\x10\2", b"\x10\4", b"\x10\6")


def deep_channels(data: bytes) -> int:
    """How many channels such a PNG has; Pillow takes gray with alpha for RGBA."""
    return {2: 3, 4: 2, 6: 4}[data[25]]


def read_deep_colour(data: bytes) -> NDArray[np.uint16]:
    """The pixels ``(h, w, 2 | 3 | 4)`` of such a PNG.

    Pillow's decoder undoes the filters, interlacing included. Which bytes of a pixel it keeps
    depends on the raw mode: ``16B`` the high ones, ``16L`` the low ones. For gray with alpha there
    is only the former, but RGBA of 8 bits takes as many bytes a pixel, and keeps them all.

    Raises:
        Exception: Any that Pillow raises of damaged data.
    """
    if data[25] == 4:
        return _unpacked(data, "RGBA", "RGBA").view(">u2").astype(np.uint16)
    mode = "RGB" if data[25] == 2 else "RGBA"
    high = _unpacked(data, mode, f"{mode};16B").astype(np.uint16)
    return high << np.uint16(8) | _unpacked(data, mode, f"{mode};16L")


def _unpacked(data: bytes, mode: str, raw_mode: str) -> NDArray[np.uint8]:
    from PIL import PngImagePlugin

    image: Any = PngImagePlugin.PngImageFile(io.BytesIO(data))
    image._mode = mode
    image.tile = [(decoder, box, offset, raw_mode) for decoder, box, offset, _ in image.tile]
    return np.array(image)


def write_deep(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of ``(h, w, 1 to 4)`` pixels of 16 bits."""
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOURS[channels], 0, 0, 0)
    body = zlib.compress(filtered.data, 6)
    return PNG_MAGIC + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))
