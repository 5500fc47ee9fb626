"""What kind of media file some bytes are, and whether their end is missing. Pure, and no library.

Only what is named here is opened, each by its own demuxer: left to guess, FFmpeg would take a
text that lists other files for a medium, and open those.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["SNIFFED_NBYTES", "Container", "container_of", "missing_nbytes"]

SNIFFED_NBYTES = 4096


class Container(msgspec.Struct, frozen=True):
    """A kind of file.

    Attributes:
        name: For messages.
        demuxer: FFmpeg's name of what opens it; ``""`` for one that only soundfile opens.
        sound: Whether soundfile opens it.
    """

    name: str
    demuxer: str = ""
    sound: bool = False


MOV = Container("MP4 or QuickTime", "mov")
MATROSKA = Container("Matroska or WebM", "matroska")
AVI = Container("AVI", "avi")
OGG = Container("Ogg", "ogg", sound=True)
TS = Container("MPEG transport stream", "mpegts")
MP3 = Container("MP3", "mp3")
AAC = Container("AAC", "aac")
WAV = Container("WAV", sound=True)
AIFF = Container("AIFF", sound=True)
FLAC = Container("FLAC", sound=True)

_MAGIC = {
    b"\x1a\x45\xdf\xa3": MATROSKA,
    b"OggS": OGG,
    b"fLaC": FLAC,
    b"FLV\x01": Container("Flash video", "flv"),
    b"\x00\x00\x01\xba": Container("MPEG program stream", "mpeg"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": Container("ASF", "asf"),
}
_FORMS = {b"WAVE": WAV, b"AVI ": AVI, b"AIFF": AIFF, b"AIFC": AIFF}
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def container_of(start: bytes) -> Container | None:
    """The kind of a file, by its first ``SNIFFED_NBYTES`` bytes; ``None`` of an unknown one."""
    for magic, container in _MAGIC.items():
        if start.startswith(magic):
            return container
    if start[:4] in (b"RIFF", b"RF64", b"FORM"):
        return _FORMS.get(start[8:12])
    if start[4:8] in _BOXES:
        return MOV
    if len(start) > 376 and start[0] == start[188] == start[376] == 0x47:
        return TS
    return _elementary(start)


def _elementary(start: bytes) -> Container | None:
    """MP3 and AAC have no magic number but that of each frame, after tags of any length."""
    if start[:3] == b"ID3" and len(start) >= 10:
        a, b, c, d = start[6:10]
        at = 10 + (a << 21 | b << 14 | c << 7 | d)
        if at + 4 > len(start):
            return MP3
        start = start[at:]
        if start.startswith(b"fLaC"):
            return FLAC
    if len(start) < 4 or start[0] != 0xFF or start[1] & 0xE0 != 0xE0:
        return None
    if start[1] & 0xF6 == 0xF0:
        return AAC
    version, layer = start[1] >> 3 & 3, start[1] >> 1 & 3
    known = version != 1 and layer != 0 and start[2] >> 4 != 15 and start[2] >> 2 & 3 != 3
    return MP3 if known else None


def missing_nbytes(data: bytes, container: Container) -> int:
    """How many bytes a file says it has and does not; 0 where it is whole or does not say."""
    measure = _MEASURES.get(container)
    return 0 if measure is None else max(0, measure(data) - len(data))


def _riff_end(data: bytes) -> int:
    order = "big" if data[:4] == b"FORM" else "little"
    size = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    # Written to a pipe it is 0 or the largest number; RF64 says it elsewhere.
    return 0 if size in (0, 0xFFFFFFFF) or data[:4] == b"RF64" else size + 8


def _boxes_end(data: bytes) -> int:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # 0 is "to the end"; what else is wrong the demuxer will say
            return 0
        at += size
    return at


def _ogg_end(data: bytes) -> int:
    at = 0
    while data[at : at + 4] == b"OggS":
        n_segments = data[at + 26] if at + 26 < len(data) else 0
        table = data[at + 27 : at + 27 + n_segments]
        at += 27 + n_segments + sum(table)
    return at


def _segment_end(data: bytes) -> int:
    """Where Matroska's one segment ends: after the header element, if its size is known."""
    _, size, at = _element(data, 0)
    if size is None:
        return 0
    id, size, at = _element(data, at + size)
    return at + size if id == b"\x18\x53\x80\x67" and size is not None else 0


def _element(data: bytes, at: int) -> tuple[bytes, int | None, int]:
    """An EBML element's id, size (``None``: unknown) and the place of its content."""
    id = data[at : at + _vint_nbytes(data, at)]
    at += len(id)
    n = _vint_nbytes(data, at)
    size = int.from_bytes(data[at : at + n], "big") & ((1 << 7 * n) - 1)
    unknown = not n or size == (1 << 7 * n) - 1
    return id, None if unknown else size, at + n


def _vint_nbytes(data: bytes, at: int) -> int:
    first = data[at] if at < len(data) else 0
    return 9 - first.bit_length() if first else 0


_MEASURES: dict[Container, Callable[[bytes], int]] = {
    MOV: _boxes_end,
    MATROSKA: _segment_end,
    AVI: _riff_end,
    WAV: _riff_end,
    AIFF: _riff_end,
    OGG: _ogg_end,
}
