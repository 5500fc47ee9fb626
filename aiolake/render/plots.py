"""Arrays as small pictures: a line for numbers in a row, colours for a table of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiolake.render.colours import LINE, PAPER, Colour, class_colour, scaled

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["array_picture", "heat_map", "line_plot", "waveform"]

_WIDTH, _HEIGHT = 240, 96
_MARGIN = 6


def array_picture(array: NDArray[Any]) -> Picture | None:
    """An array of one or more dimensions as a picture; ``None`` for what has no numbers to show.

    Bytes of shape (h, w, 3) or (h, w, 4) are shown as the picture they most likely are.
    """
    if array.size == 0 or array.ndim == 0:
        return None
    numbers = _numbers(array)
    if numbers is None:
        return None
    if numbers.ndim == 1:
        return line_plot(numbers)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(array[:, :, :3]))
    return heat_map(numbers.reshape(-1, numbers.shape[-1]))


def _numbers(array: NDArray[Any]) -> NDArray[Any] | None:
    """Real numbers: of complex ones the magnitude, of times those since 1970."""
    if array.dtype.kind == "c":
        return np.asarray(np.abs(array))
    if array.dtype.kind in "mM":
        return np.where(np.isnat(array), np.nan, array.astype(np.int64).astype(np.float64))
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return None


def line_plot(values: NDArray[Any]) -> Picture:
    """Numbers in a row as a line from left to right; gaps where they are not finite.

    More numbers than the picture is wide are drawn as the span of each column's.
    """
    low, high = _envelope(values.astype(np.float64), _WIDTH - 2 * _MARGIN)
    return _spans(low, high)


def waveform(low: NDArray[Any], high: NDArray[Any]) -> Picture:
    """Sound as the span of its samples at each moment; ``low`` and ``high`` are of one length."""
    return _spans(low.astype(np.float64), high.astype(np.float64))


def _envelope(values: NDArray[Any], width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Least and greatest of at most ``width`` runs of neighbours; NaN where none is finite."""
    values = np.where(np.isfinite(values), values, np.nan)
    if len(values) <= width:
        return values, values
    edges = np.linspace(0, len(values), width + 1).astype(np.int64)[:-1]
    return np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges)


def _spans(low: NDArray[Any], high: NDArray[Any]) -> Picture:
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER)
    draw = ImageDraw.Draw(picture)
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return picture
    least, most = float(low[known].min()), float(high[known].max())
    if least < 0 < most:
        y = _y(0.0, least, most)
        draw.line((0, y, _WIDTH, y), LINE)
    colour = class_colour(1)
    before: tuple[float, float] | None = None
    for i, x in enumerate(np.linspace(_MARGIN, _WIDTH - 1 - _MARGIN, len(low)).tolist()):
        if not known[i]:
            before = None
            continue
        before = _stroke(draw, before, x, (float(low[i]), float(high[i])), (least, most), colour)
    return picture


def _stroke(
    draw: Any,
    before: tuple[float, float] | None,
    x: float,
    span: tuple[float, float],
    limits: tuple[float, float],
    colour: Colour,
) -> tuple[float, float]:
    """Draw one position, joined to the one before; returns where its end is."""
    bottom, top = _y(span[0], *limits), _y(span[1], *limits)
    if before is not None:
        draw.line((*before, x, (bottom + top) / 2), colour, width=1)
    draw.line((x, bottom, x, top), colour, width=1)
    if before is None:
        draw.point((x, bottom), colour)
    return x, (bottom + top) / 2


def _y(value: float, least: float, most: float) -> float:
    part = (value - least) / (most - least) if most > least else 0.5
    return _HEIGHT - 1 - _MARGIN - part * (_HEIGHT - 1 - 2 * _MARGIN)


def heat_map(table: NDArray[Any]) -> Picture:
    """A table of numbers as colours, a number a point, made larger or smaller to be seen."""
    from PIL import Image

    rows = max(1, -(-table.shape[0] // 1024))
    columns = max(1, -(-table.shape[1] // 1024))
    picture = Image.fromarray(scaled(table[::rows, ::columns]))
    scale = min(_WIDTH / picture.width, 2 * _HEIGHT / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return picture.resize(size, how)
