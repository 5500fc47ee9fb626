"""A value as something to look at: a picture, a text, or both. Pure; runs in any thread."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aiolake.codecs import convert_boxes
from aiolake.errors import AiolakeError
from aiolake.render.layout import Layout, Panel
from aiolake.render.overlay import MAX_SHAPES, Boxes, Figures, Overlay, Region, annotated
from aiolake.render.plots import array_picture, waveform
from aiolake.render.text import cell, count, printable, shortened, size
from aiolake.types import (
    Audio,
    BBox,
    ClassLabel,
    Column,
    ColumnType,
    Embedding,
    Image,
    Json,
    Keypoints,
    Mask,
    Reference,
    Tensor,
    Text,
    Video,
)
from aiolake.types import Sequence as Many

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["PICTURE_PIXELS", "Card", "Field", "card_of"]

PICTURE_PIXELS = 320
_MAX_TEXT = 600
_LARGEST_FRAME = 8192
_OUTLINE = 228
_ONE_LINE = 120


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One value to look at.

    Attributes:
        name: The column's, or the columns' that are drawn together.
        text: What it says, or is; may be empty.
        picture: RGB, at most ``PICTURE_PIXELS`` wide and high.
    """

    name: str
    text: str
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One row to look at."""

    row: int
    fields: tuple[Field, ...]


def card_of(row: int, layout: Layout, values: Mapping[str, Any]) -> Card:
    """A row to look at.

    Args:
        row: Its number.
        layout: What is drawn where.
        values: By column: pictures, videos and sound as stored bytes, else decoded.
    """
    panels = [_panel(panel, values) for panel in layout.panels]
    others = [_field(column, values[column.name]) for column in layout.others]
    return Card(row, (*panels, *others))


def _panel(panel: Panel, values: Mapping[str, Any]) -> Field:
    column = panel.picture
    data = values[column.name]
    if data is None or isinstance(data, Reference):
        return _field(column, data)
    try:
        picture, own = _picture(column.type, bytes(data))
    except (AiolakeError, OSError, ValueError, SyntaxError) as error:
        return Field(column.name, f"cannot be shown: {shortened(str(error), 200)}")
    overlays = [
        overlay
        for over in panel.over
        if values[over.name] is not None
        for overlay in _overlays(over.type, np.asarray(values[over.name]), own, panel, values)
    ]
    drawn = annotated(picture, own, overlays) if overlays else picture
    name = " + ".join((column.name, *(over.name for over in panel.over)))
    return Field(name, cell(column.type, data) + _left_out(overlays), drawn)


def _left_out(overlays: Sequence[Overlay]) -> str:
    """What is not drawn, because nobody could tell it apart."""
    numbers = [
        (len(overlay.corners), "box", "boxes")
        if isinstance(overlay, Boxes)
        else (len(overlay.points), "figure", "figures")
        for overlay in overlays
        if not isinstance(overlay, Region)
    ]
    return "".join(
        f"; {MAX_SHAPES} of {count(n, *noun)} drawn" for n, *noun in numbers if n > MAX_SHAPES
    )


def _picture(type: ColumnType, data: bytes) -> tuple[Picture, tuple[int, int]]:
    """A picture or a video's first one, made small, and its own width and height."""
    if isinstance(type, Video):
        return _first_frame(data)
    from PIL import Image as Pictures
    from PIL import ImageOps

    with Pictures.open(io.BytesIO(data)) as opened:
        turned = isinstance(type, Image) and type.orientation == "exif"
        shown = ImageOps.exif_transpose(opened) if turned else opened
        own = shown.size
        if not turned:
            shown.draft("RGB", (2 * PICTURE_PIXELS, 2 * PICTURE_PIXELS))
        small = _as_rgb(shown)
    small.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return small, own


def _first_frame(data: bytes) -> tuple[Picture, tuple[int, int]]:
    from PIL import Image as Pictures

    from aiolake.codecs.media.preview import first_frame

    frame = Pictures.fromarray(first_frame(data, _LARGEST_FRAME))
    own = frame.size
    frame.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return frame, own


def _as_rgb(picture: Picture) -> Picture:
    """Eight bits a channel on white; of deeper ones the span from least to greatest."""
    from PIL import Image as Pictures

    if picture.mode.startswith(("I", "F")):
        numbers = np.asarray(picture).astype(np.float64)
        low, high = float(numbers.min()), float(numbers.max())
        gray = (numbers - low) * (255 / (high - low if high > low else 1))
        return Pictures.fromarray(gray.astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        paper = Pictures.new("RGBA", clear.size, (255, 255, 255, 255))
        return Pictures.alpha_composite(paper, clear).convert("RGB")
    return picture.convert("RGB")


def _overlays(
    type: ColumnType,
    value: np.ndarray[Any, Any],
    own: tuple[int, int],
    panel: Panel,
    values: Mapping[str, Any],
) -> list[Overlay]:
    match type:
        case BBox():
            return [_boxes(type, value, own, panel, values)]
        case Keypoints(skeleton=skeleton):
            return [Figures(value, skeleton)]
        case Mask(instances=True):
            return [Region(_numbered(value))]
        case Mask(ignore=ignore):
            return [Region(value.astype(np.int64), ignore)]
    return []


def _boxes(
    type: BBox,
    value: np.ndarray[Any, Any],
    own: tuple[int, int],
    panel: Panel,
    values: Mapping[str, Any],
) -> Boxes:
    corners = convert_boxes(value.astype(np.float64), type, BBox("xyxy"), size=(own[1], own[0]))
    tags = None if panel.tags is None else values[panel.tags.name]
    if tags is None or panel.tags is None or len(tags) != len(corners):
        return Boxes(corners)
    assert isinstance(panel.tags.type, Many)
    labels = panel.tags.type.of
    assert isinstance(labels, ClassLabel)
    numbers = [int(tag) for tag in tags]
    return Boxes(corners, [printable(labels.names[n]) for n in numbers], numbers)


def _numbered(instances: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A number for each pixel: the last of the masks (h, w, n) that holds it, from 1; else 0."""
    out = np.zeros(instances.shape[:2], np.int64)
    for i in range(instances.shape[2]):
        out[instances[:, :, i] != 0] = i + 1
    return out


def _field(column: Column, value: Any) -> Field:
    """A value that no picture of the row takes up."""
    if value is None:
        return Field(column.name, "None")
    if isinstance(value, Reference):
        return Field(column.name, printable(f"{value.url} (not followed)"))
    return Field(column.name, _text(column.type, value), _drawn(column.type, value))


def _drawn(type: ColumnType, value: Any) -> Picture | None:
    match type:
        case Audio():
            return _sound(bytes(value))
        case Mask(instances=True):
            return _alone(Region(_numbered(np.asarray(value))))
        case Mask(ignore=ignore):
            return _alone(Region(np.asarray(value, np.int64), ignore))
        case Tensor() | Embedding():
            picture = array_picture(np.asarray(value))
            if picture is not None:
                picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
            return picture
    return None


def _sound(data: bytes) -> Picture | None:
    from aiolake.codecs.media.preview import outline

    try:
        low, high = outline(data, _OUTLINE).T
    except AiolakeError:
        return None
    return waveform(low, high)


def _alone(region: Region) -> Picture | None:
    """A mask without a picture behind it."""
    from PIL import Image as Pictures

    if not region.classes.size:
        return None
    height, width = region.classes.shape
    scale = PICTURE_PIXELS / max(height, width)
    own = max(1, round(width * min(scale, 1))), max(1, round(height * min(scale, 1)))
    return annotated(Pictures.new("RGB", own, (40, 40, 40)), (width, height), [region])


def _text(type: ColumnType, value: Any) -> str:
    """At most some lines of text."""
    match type:
        case Text():
            return shortened_lines(str(value))
        case Json():
            return _json_text(value)
        case Many(of=ClassLabel(names=names)):
            return shortened(", ".join(names[int(n)] for n in value), _MAX_TEXT)
        case Many(of=Text()):
            return shortened(", ".join(map(str, value)), _MAX_TEXT)
    return cell(type, value)


def _json_text(value: Any) -> str:
    """JSON on one line where that is short."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= _ONE_LINE:
        return printable(line)
    return shortened_lines(json.dumps(value, ensure_ascii=False, indent=2))


def shortened_lines(text: str) -> str:
    """Text with its lines, cut where it is long; ``...`` and its size say so."""
    if len(text) <= _MAX_TEXT:
        return printable(text, keep="\n\t")
    return f"{printable(text[:_MAX_TEXT], keep=chr(10) + chr(9))}... ({size(len(text.encode()))})"
