"""All column types together, and what is asked of any of them."""

from __future__ import annotations

from typing import TypeAlias

from aiolake.types.media import Audio, Video
from aiolake.types.plain import Bytes, ClassLabel, Embedding, Image, Json, Tensor, Text

__all__ = ["PLAIN_TYPES", "TYPES", "ColumnType", "is_fixed", "is_media", "summary"]

ColumnType: TypeAlias = (
    Tensor | Image | ClassLabel | Text | Json | Bytes | Embedding | Video | Audio
)
"""Every type a column may have; in JSON the field ``type`` tells them apart."""

TYPES = (Tensor, Image, ClassLabel, Text, Json, Bytes, Embedding, Video, Audio)
PLAIN_TYPES = (Image, Text, Json, Bytes, Video, Audio)


def is_fixed(type: ColumnType) -> bool:
    """Whether every sample takes the same number of bytes, and the column is stored as pages."""
    if isinstance(type, Tensor):
        return None not in type.shape
    return isinstance(type, ClassLabel | Embedding)


def is_media(type: ColumnType) -> bool:
    """Whether looking into a sample of any size is long work, which a thread does."""
    return isinstance(type, Video | Audio)


def summary(type: ColumnType) -> str:
    """A type as a short text for people, long label lists cut."""
    if isinstance(type, ClassLabel) and len(type.names) > 4:
        shown = ", ".join(map(repr, type.names[:3]))
        return f"ClassLabel({shown}, ... {len(type.names):,} names)"
    values = {name: getattr(type, name) for name in type.__struct_fields__}
    if values.get("compression") == "none":
        del values["compression"]
    inner = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return f"{type.__class__.__name__}({inner})"
