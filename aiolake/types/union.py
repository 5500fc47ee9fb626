"""All column types together, and what is asked of any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from aiolake.errors import InvalidInputError
from aiolake.types.annotations import BBox, Keypoints, Mask
from aiolake.types.media import Audio, Video
from aiolake.types.plain import Bytes, ClassLabel, Embedding, Image, Json, Tensor, Text

__all__ = [
    "PLAIN_TYPES",
    "TYPES",
    "ColumnType",
    "Link",
    "Sequence",
    "as_type",
    "is_fixed",
    "is_media",
    "is_packed",
    "summary",
]


class Sequence(msgspec.Struct, frozen=True, tag_field="type", tag="sequence"):
    """Lists of samples of one type, any number a row.

    A list is read as a batch of its items would be: one array where items have a fixed shape, a
    list where not. Items are not ``None``.

    Attributes:
        of: What the items are; itself a ``Sequence`` at most once.
    """

    of: ColumnType

    if TYPE_CHECKING:

        def __init__(self, of: ColumnType | type) -> None: ...

    def __post_init__(self) -> None:
        of = as_type(self.of)
        if of is None:
            raise InvalidInputError(
                f"a Sequence is of a column type, as Sequence(Text()); got {self.of!r}"
            )
        if isinstance(of, Link) or (isinstance(of, Sequence) and isinstance(of.of, Link)):
            raise InvalidInputError("a Sequence holds no Links: give each link a row of its own")
        if isinstance(of, Sequence) and isinstance(of.of, Sequence):
            raise InvalidInputError("a Sequence of Sequences holds no Sequences: use Json for that")
        msgspec.structs.force_setattr(self, "of", of)


class Link(msgspec.Struct, frozen=True, tag_field="type", tag="link"):
    """Samples that stay where they are, outside the dataset: each row holds a reference.

    A value is given as an ``aiolake.Reference`` or as a url, and read as what ``of`` decodes. It is
    followed only where ``open_dataset(links=[...])`` allows it.

    Attributes:
        of: What the bytes there are: ``Image``, ``Video``, ``Audio``, ``Bytes``, ``Text``,
            ``Json``, ``Embedding``, or a ``Tensor`` with at most one ragged dimension.
    """

    of: ColumnType

    if TYPE_CHECKING:

        def __init__(self, of: ColumnType | type) -> None: ...

    def __post_init__(self) -> None:
        of = as_type(self.of)
        if not isinstance(of, _LINKED):
            known = ", ".join(type.__name__ for type in _LINKED)
            raise InvalidInputError(f"a Link is of one of {known}, got {self.of!r}")
        if isinstance(of, Tensor) and of.shape.count(None) > 1:
            raise InvalidInputError(
                "the shape of linked bytes is known only with at most one ragged dimension, got "
                f"{of.shape}"
            )
        msgspec.structs.force_setattr(self, "of", of)


_LINKED = (Image, Video, Audio, Bytes, Text, Json, Embedding, Tensor)

ColumnType: TypeAlias = (
    Tensor
    | Image
    | ClassLabel
    | Text
    | Json
    | Bytes
    | Embedding
    | Sequence
    | BBox
    | Mask
    | Keypoints
    | Video
    | Audio
    | Link
)
"""Every type a column may have; in JSON the field ``type`` tells them apart."""

TYPES = (
    Tensor,
    Image,
    ClassLabel,
    Text,
    Json,
    Bytes,
    Embedding,
    Sequence,
    BBox,
    Mask,
    Keypoints,
    Video,
    Audio,
    Link,
)
PLAIN_TYPES = (Image, Text, Json, Bytes, BBox, Mask, Keypoints, Video, Audio)
_ALWAYS_SHOWN = ("dtype", "shape", "format", "quality", "n")


def as_type(given: object) -> ColumnType | None:
    """A column type as users write it: an instance, or a class that needs no arguments."""
    if isinstance(given, TYPES):
        return given
    return next((plain() for plain in PLAIN_TYPES if given is plain), None)


def is_fixed(type: ColumnType) -> bool:
    """Whether every sample takes the same number of bytes, and the column is stored as pages."""
    if isinstance(type, Tensor):
        return None not in type.shape
    if isinstance(type, Text):
        return type.max_bytes is not None
    return isinstance(type, ClassLabel | Embedding)


def is_media(type: ColumnType) -> bool:
    """Whether looking into a sample of any size is long work, which a thread does."""
    while isinstance(type, Sequence | Link):
        type = type.of
    return isinstance(type, Video | Audio)


def is_packed(type: ColumnType) -> bool:
    """Whether a short payload may unpack to a large array, even where it is not decoded."""
    if isinstance(type, Sequence):
        return is_packed(type.of) or getattr(type.of, "compression", "none") != "none"
    if isinstance(type, Tensor):
        return type.compression != "none" and None in type.shape
    return isinstance(type, Mask)


def summary(type: ColumnType) -> str:
    """A type as a short text for people: long lists cut, what is as usual left out."""
    if isinstance(type, Sequence | Link):
        return f"{type.__class__.__name__}({summary(type.of)})"
    if isinstance(type, ClassLabel) and len(type.names) > 4:
        return f"ClassLabel({_cut(type.names)})"
    return f"{type.__class__.__name__}({', '.join(_shown_fields(type))})"


def _shown_fields(type: ColumnType) -> Iterator[str]:
    for name, default in zip(type.__struct_fields__, _defaults(type), strict=True):
        value = getattr(type, name)
        if value == default and (name not in _ALWAYS_SHOWN or value is None):
            continue
        cut = isinstance(value, tuple) and name in ("names", "skeleton") and len(value) > 4
        yield f"{name}=({_cut(value)})" if cut else f"{name}={value!r}"


def _defaults(type: ColumnType) -> list[object]:
    """The default of each field; of those without one a value that is none of theirs."""
    found = type.__struct_defaults__
    return [...] * (len(type.__struct_fields__) - len(found)) + list(found)


def _cut(values: tuple[object, ...]) -> str:
    noun = "names" if isinstance(values[0], str) else "lines"
    return f"{', '.join(map(repr, values[:3]))}, ... {len(values):,} {noun}"
