"""Values as people and as programs want to see them: short texts, and JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from aiolake.codecs import FixedCodec, codec_of
from aiolake.codecs.media.containers import SNIFFED_NBYTES, container_of
from aiolake.errors import AiolakeError
from aiolake.shown import count, size
from aiolake.types import (
    Audio,
    Bytes,
    ClassLabel,
    ColumnType,
    Image,
    Json,
    Link,
    Reference,
    Sequence,
    Text,
    Video,
)

__all__ = [
    "as_json",
    "cell",
    "count",
    "is_encoded",
    "picture_format",
    "printable",
    "shortened",
    "shown_path",
    "size",
    "values_of",
    "when",
]

_WIDTH = 48
_SHOWN_NUMBERS = 6
_SHOWN_ITEMS = 6
_MAGIC = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
}


def when(time: datetime) -> str:
    """A time to the second, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def printable(text: str, *, keep: str = "") -> str:
    """Text without control characters, which could steer a terminal; they become escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shortened(text: str, width: int = _WIDTH) -> str:
    """At most ``width`` characters on one line; ``...`` says that something was cut."""
    head = " ".join(text[: 4 * width].split())
    line = printable(head)
    if len(line) <= width and len(text) <= 4 * width:
        return line
    return line[: width - 3] + "..."


def is_encoded(type: ColumnType) -> bool:
    """Whether samples are shown by their stored bytes rather than decoded."""
    if isinstance(type, Sequence):
        return is_encoded(type.of)
    return isinstance(type, Image | Bytes | Video | Audio)


def picture_format(data: bytes) -> str:
    """What kind of picture some bytes are, by how they begin."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    known = (name for magic, name in _MAGIC.items() if data.startswith(magic))
    return next(known, "picture")


def media_format(data: bytes) -> str:
    """What kind of video or audio file some bytes are, by how they begin."""
    container = container_of(bytes(data[:SNIFFED_NBYTES]))
    return "unknown" if container is None else container.name


def values_of(batch: Any) -> list[Any]:
    """A batch's values one by one, ``None`` where a row is None."""
    mask = getattr(batch, "mask", None)
    if mask is None:
        return list(batch)
    masked = np.broadcast_to(mask, batch.shape).reshape(len(batch), -1).any(axis=1)
    nulls: list[bool] = np.asarray(masked).tolist()
    return [None if null else value for value, null in zip(batch.data, nulls, strict=True)]


def cell(type: ColumnType, value: Any) -> str:
    """A value as a short text; ``-`` is None."""
    if value is None:
        return "-"
    match type:
        case Link(of=of):
            return value.url if isinstance(value, Reference) else cell(of, value)
        case Image():
            return _picture_cell(bytes(value))
        case Video() | Audio():
            return f"{media_format(value)} {size(len(value))}"
        case Bytes():
            return f"{size(len(value))}: {bytes(value[:8]).hex(' ')}"
        case ClassLabel():
            return shortened(_label(type, value))
        case Text():
            return shortened(value)
        case Json():
            return shortened(json.dumps(value, ensure_ascii=False))
        case Sequence():
            return _items_cell(type, value)
    return _numbers(np.asarray(value))


def _items_cell(type: Sequence, items: Any) -> str:
    shown = ", ".join(cell(type.of, item) for item in items[:_SHOWN_ITEMS])
    more = ", ..." if len(items) > _SHOWN_ITEMS else ""
    return shortened(f"{len(items)}: [{shown}{more}]")


def _picture_cell(data: bytes) -> str:
    shape = _picture_shape(data)
    pixels = "?" if shape is None else "x".join(map(str, shape))
    return f"{picture_format(data)} {pixels} {size(len(data))}"


def _picture_shape(data: bytes) -> tuple[int, ...] | None:
    codec = codec_of(Image())
    assert not isinstance(codec, FixedCodec)
    try:
        return codec.encode(data).shape
    except AiolakeError:
        return None


def _label(type: ClassLabel, value: Any) -> str:
    number = int(value)
    return type.names[number] if 0 <= number < len(type.names) else str(number)


def _numbers(array: np.ndarray[Any, Any]) -> str:
    if array.ndim == 0:
        return str(array[()])
    if array.ndim == 1 and array.size <= _SHOWN_NUMBERS:
        return "[" + ", ".join(map(str, array)) + "]"
    shape = "x".join(map(str, array.shape))
    return f"{array.dtype} {shape}"


def as_json(type: ColumnType, value: Any) -> Any:
    """A value as JSON; of a picture or bytes what they are, not what they hold."""
    if value is None:
        return None
    match type:
        case Link(of=of):
            known = isinstance(value, Reference)
            return msgspec.to_builtins(value) if known else as_json(of, value)
        case Image():
            return _picture_json(bytes(value))
        case Video() | Audio():
            return {"format": media_format(value), "nbytes": len(value)}
        case Bytes():
            return {"nbytes": len(value)}
        case ClassLabel():
            return _label(type, value)
        case Text() | Json():
            return value
        case Sequence():
            return [as_json(type.of, item) for item in value]
    return _plain(np.asarray(value).tolist())


def _picture_json(data: bytes) -> Mapping[str, Any]:
    shape = _picture_shape(data)
    shown = None if shape is None else list(shape)
    return {"format": picture_format(data), "shape": shown, "nbytes": len(data)}


def _plain(value: Any) -> Any:
    """Nested lists of what JSON has: complex numbers and times as text, NaN as null."""
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def shown_path(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
