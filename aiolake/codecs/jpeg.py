"""What the header of a JPEG says, without decoding it.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

__all__ = ["JPEG_MAGIC", "JpegHeader", "read_header", "segments"]

JPEG_MAGIC = b"\xff\xd8\xff"
END_OF_IMAGE = b"\xff\xd9"

_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PLAIN_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
_SCAN = 0xDA
_PASSED_OVER = frozenset((0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))


class JpegHeader(msgspec.Struct, frozen=True):
    """The frame header of a JPEG.

    Attributes:
        height: In pixels.
        width: In pixels.
        components: 1 gray, 3 colour, 4 CMYK or YCCK.
        plain: Huffman-coded baseline or progressive of 8 bits, which every decoder reads.
    """

    height: int
    width: int
    components: int
    plain: bool


def read_header(data: bytes) -> JpegHeader:
    """Read a JPEG's markers up to its frame, and look for the end marker behind it.

    Raises:
        ValueError: Not a JPEG, cut off, or without pixels.
    """
    return _read_ordinary(data) or _read_closely(data)


def _read_closely(data: bytes) -> JpegHeader:
    if not data.startswith(JPEG_MAGIC):
        raise ValueError("it does not begin as a JPEG does")
    marker, start, stop = _segment(data, 2)
    while marker not in _FRAMES:
        if marker == _SCAN:
            raise ValueError("the JPEG has no frame header")
        marker, start, stop = _segment(data, stop)
    header = _frame(data[start:stop], marker)
    if data.rfind(END_OF_IMAGE, stop) < 0:
        raise ValueError("the JPEG is cut off: its end marker is missing")
    return header


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and stop of each segment before the picture's data, up to a damaged one."""
    stop, marker = 2, 0
    while marker != _SCAN:
        try:
            marker, start, stop = _segment(data, stop)
        except ValueError:
            return
        yield marker, start, stop


def _read_ordinary(data: bytes) -> JpegHeader | None:
    """As ``read_header`` for all but odd files, whose markers take a closer look."""
    if data[:3] != JPEG_MAGIC or data[-2:] != END_OF_IMAGE:
        return None
    at, end = 2, len(data) - 16
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _PLAIN_FRAMES:
            high, low, wide, narrow = data[at + 5 : at + 9]
            height, width = high << 8 | low, wide << 8 | narrow
            length, bits = data[at + 2] << 8 | data[at + 3], data[at + 4]
            odd = bits != 8 or length < 8 or at + 2 + length > end or not height or not width
            return None if odd else JpegHeader(height, width, data[at + 9], True)
        if marker not in _PASSED_OVER:
            return None
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2:
            return None
        at += 2 + length
    return None


def _segment(data: bytes, position: int) -> tuple[int, int, int]:
    """The next marker that has a body, and where the body starts and stops."""
    while True:
        if data[position : position + 1] != b"\xff":
            raise ValueError(_broken(data, position))
        while data[position : position + 1] == b"\xff":
            position += 1
        if position + 3 > len(data):
            raise ValueError("the JPEG is cut off in its header")
        marker = data[position]
        position += 1
        if marker not in _BARE:
            break
    length = int.from_bytes(data[position : position + 2])
    if marker in (0x00, 0xD8, 0xD9) or length < 2:
        raise ValueError(f"the JPEG's header is damaged at byte {position}")
    if position + length > len(data):
        raise ValueError("the JPEG is cut off in its header")
    return marker, position + 2, position + length


def _broken(data: bytes, position: int) -> str:
    if position >= len(data):
        return "the JPEG is cut off in its header"
    return f"the JPEG's header is damaged at byte {position}"


def _frame(body: bytes, marker: int) -> JpegHeader:
    if len(body) < 6:
        raise ValueError("the JPEG's frame header is too short")
    height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    if not height or not width:
        raise ValueError(f"the JPEG has no pixels: {height} x {width}")
    plain = marker in _PLAIN_FRAMES and body[0] == 8
    return JpegHeader(height, width, body[5], plain)
