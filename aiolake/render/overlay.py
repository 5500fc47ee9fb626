"""Boxes, masks, keypoints and labels drawn over a picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aiolake.render.colours import Colour, class_colour

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

__all__ = ["MAX_SHAPES", "Boxes", "Figures", "Overlay", "Region", "annotated"]

_OPACITY = 0.45
_TAG_SIZE = 11
MAX_SHAPES = 500
_BEYOND = 16
_FAR = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes as left, top, right, bottom in the picture's own pixels: (n, 4).

    Attributes:
        corners: The boxes.
        tags: A text for each, or none at all.
        classes: A number for each, which chooses its colour; or none at all.
    """

    corners: NDArray[Any]
    tags: Sequence[str] = ()
    classes: Sequence[int] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Keypoints in the picture's own pixels: (k, n, 2), or (k, n, 3) where 0 is not visible."""

    points: NDArray[Any]
    skeleton: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A number for each pixel, (h, w); 0 and ``hidden`` are not drawn."""

    classes: NDArray[Any]
    hidden: int | None = None


Overlay: TypeAlias = Boxes | Figures | Region


def annotated(picture: Picture, own: tuple[int, int], overlays: Sequence[Overlay]) -> Picture:
    """A copy of a picture with things drawn over it, regions first.

    Args:
        picture: RGB, perhaps smaller than its own size.
        own: Width and height that the overlays' pixels refer to.
        overlays: What to draw.
    """
    from PIL import ImageDraw

    drawn = picture.copy()
    for overlay in overlays:
        if isinstance(overlay, Region):
            drawn = _tinted(drawn, overlay)
    scale = drawn.width / max(1, own[0]), drawn.height / max(1, own[1])
    draw = ImageDraw.Draw(drawn)
    for overlay in overlays:
        if isinstance(overlay, Boxes):
            _draw_boxes(draw, overlay, scale)
        elif isinstance(overlay, Figures):
            _draw_figures(draw, overlay, scale)
    return drawn


def _tinted(picture: Picture, region: Region) -> Picture:
    from PIL import Image

    if not region.classes.size:
        return picture
    resized = _nearest(region.classes, picture.height, picture.width)
    shown = resized != 0
    if region.hidden is not None:
        shown &= resized != region.hidden
    palette = np.asarray([class_colour(i) for i in range(10)], np.float64)
    pixels = np.asarray(picture, np.float64).copy()
    tint = palette[(resized[shown].astype(np.int64) - 1) % len(palette)]
    pixels[shown] = (1 - _OPACITY) * pixels[shown] + _OPACITY * tint
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _nearest(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """An array resized without mixing its numbers."""
    rows = np.arange(height) * array.shape[0] // height
    columns = np.arange(width) * array.shape[1] // width
    return np.asarray(array[rows][:, columns])


def _draw_boxes(draw: ImageDraw, boxes: Boxes, scale: tuple[float, float]) -> None:
    for i, corners in enumerate(boxes.corners[:MAX_SHAPES].tolist()):
        if not np.isfinite(corners).all():
            continue
        xs = _within(corners[0::2], scale[0], draw.im.size[0])
        ys = _within(corners[1::2], scale[1], draw.im.size[1])
        colour = class_colour(boxes.classes[i] if i < len(boxes.classes) else i)
        draw.rectangle((xs[0], ys[0], xs[1], ys[1]), outline=colour, width=2)
        if i < len(boxes.tags) and boxes.tags[i]:
            _tag(draw, (xs[0], ys[0]), boxes.tags[i], colour)


def _within(ends: Sequence[float], scale: float, length: int) -> list[float]:
    """Ends of a box in order, at most just outside: Pillow fails on coordinates over 2**31."""
    return sorted(min(max(end * scale, -_BEYOND), length + _BEYOND) for end in ends)


def _tag(draw: ImageDraw, at: tuple[float, float], text: str, colour: Colour) -> None:
    """A text on its colour, above a point where there is room, else below."""
    from PIL import ImageFont

    font = ImageFont.load_default(_TAG_SIZE)
    width, height = draw.textlength(text, font) + 6, _TAG_SIZE + 4
    top = at[1] - height if at[1] >= height else at[1]
    draw.rectangle((at[0], top, at[0] + width, top + height), fill=colour)
    draw.text((at[0] + 3, top + 1), text, (255, 255, 255), font)


def _draw_figures(draw: ImageDraw, figures: Figures, scale: tuple[float, float]) -> None:
    for i, points in enumerate(figures.points[:MAX_SHAPES]):
        xy = points[:, :2].astype(np.float64) * scale
        seen = (np.abs(xy) < _FAR).all(axis=1)
        if points.shape[1] > 2:
            seen &= points[:, 2] > 0
        colour = class_colour(i)
        for a, b in figures.skeleton:
            if seen[a] and seen[b]:
                draw.line((*xy[a].tolist(), *xy[b].tolist()), colour, width=2)
        for x, y in xy[seen].tolist():
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour, outline=(255, 255, 255))
