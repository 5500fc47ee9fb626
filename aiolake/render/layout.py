"""Which columns are drawn over which picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from aiolake.types import (
    Audio,
    BBox,
    ClassLabel,
    Column,
    ColumnType,
    Image,
    Keypoints,
    Link,
    Mask,
    Video,
)
from aiolake.types import Sequence as Many

__all__ = ["Layout", "Panel", "is_stored", "layout_of", "seen_through"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A column of pictures, and what is drawn over it.

    Attributes:
        picture: Images or videos.
        over: Boxes, masks and keypoints.
        tags: A column with a label for each box, or ``None``.
    """

    picture: Column
    over: tuple[Column, ...] = ()
    tags: Column | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row is shown: pictures first, then every other column by itself."""

    panels: tuple[Panel, ...]
    others: tuple[Column, ...]


def is_stored(type: ColumnType) -> bool:
    """Whether samples are shown from their stored bytes."""
    return isinstance(type, Image | Video | Audio)


def seen_through(column: Column) -> Column:
    """A column of links as one of what they lead to."""
    if not isinstance(column.type, Link):
        return column
    return msgspec.structs.replace(column, type=column.type.of)


def layout_of(columns: Sequence[Column]) -> Layout:
    """The layout of some columns.

    What annotates a picture is drawn over the picture of its own group (``a/image`` and
    ``a/boxes``), or over the only picture there is.
    """
    pictures = [column for column in columns if isinstance(column.type, Image | Video)]
    panels, used = [], set()
    for picture in pictures:
        beside = [c for c in columns if _belongs(c, picture, alone=len(pictures) == 1)]
        over = tuple(c for c in beside if isinstance(c.type, BBox | Mask | Keypoints))
        has_boxes = any(isinstance(column.type, BBox) for column in over)
        tags = next((c for c in beside if _is_tags(c)), None) if has_boxes else None
        panels.append(Panel(picture, over, tags))
        used |= {picture.id, *(c.id for c in over), *(() if tags is None else (tags.id,))}
    return Layout(tuple(panels), tuple(c for c in columns if c.id not in used))


def _belongs(column: Column, picture: Column, *, alone: bool) -> bool:
    return alone or _group(column) == _group(picture)


def _group(column: Column) -> str:
    return column.name.rpartition("/")[0]


def _is_tags(column: Column) -> bool:
    return isinstance(column.type, Many) and isinstance(column.type.of, ClassLabel)
