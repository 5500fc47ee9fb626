"""Which way up a picture is, as its EXIF data say.

Source: Exif 2.32, tag 0x0112; TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.jpeg import JPEG_MAGIC, segments

__all__ = ["is_turned", "of_encoded", "of_exif", "turned"]

_TAG = 0x0112
_NUMBERS = {1: "B", 3: "H", 4: "I"}
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_APP1 = 0xE1


def of_encoded(data: bytes) -> int | None:
    """The orientation 1 to 8 of a JPEG or PNG; ``None`` of another format."""
    if data.startswith(JPEG_MAGIC):
        return of_exif(_exif_of_jpeg(data))
    if data.startswith(_PNG_MAGIC):
        return of_exif(_exif_of_png(data))
    return None


def of_exif(exif: bytes) -> int:
    """The orientation that EXIF data name; 1, the right way up, where they name none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (n,) = struct.unpack_from(f"{order}H", tiff, directory)
        for at in range(directory + 2, directory + 2 + 12 * n, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, at)
            if tag == _TAG and kind in _NUMBERS and count == 1:
                (number,) = struct.unpack_from(order + _NUMBERS[kind], tiff, at + 8)
                return int(number) if 1 <= number <= 8 else 1
    except struct.error:
        pass  # Cut off: there is no such tag.
    return 1


def _exif_of_jpeg(data: bytes) -> bytes:
    for marker, start, stop in segments(data):
        if marker == _APP1 and data[start : start + 6] == b"Exif\0\0":
            return data[start:stop]
    return b""


def _exif_of_png(data: bytes) -> bytes:
    """The ``eXIf`` chunk, which may stand on either side of the pixels."""
    at = len(_PNG_MAGIC)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == b"eXIf":
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def is_turned(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """``(h, w, channels)`` pixels the right way up, C-contiguous."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
