"""Colours: one for each class, and a scale for numbers. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAINT", "INK", "LINE", "NOTHING", "PAPER", "Colour", "class_colour", "scaled"]

Colour: TypeAlias = tuple[int, int, int]

INK: Colour = (31, 35, 40)
FAINT: Colour = (101, 109, 118)
LINE: Colour = (216, 222, 228)
PAPER: Colour = (255, 255, 255)
NOTHING: Colour = (190, 190, 190)

_CLASSES: tuple[Colour, ...] = (
    (230, 60, 60),
    (40, 130, 230),
    (50, 170, 80),
    (240, 150, 30),
    (150, 80, 200),
    (20, 175, 185),
    (225, 90, 170),
    (150, 110, 60),
    (120, 160, 20),
    (90, 100, 220),
)

# Six points of matplotlib's viridis, which is readable in gray and by the colour-blind.
_SCALE = np.asarray(
    [(68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37)],
    np.float64,
)


def class_colour(number: int) -> Colour:
    """The colour of a class; ten of them, then again from the first."""
    return _CLASSES[number % len(_CLASSES)]


def scaled(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours ``(..., 3)`` for numbers: the least is dark, the greatest bright, NaN gray."""
    numbers = values.astype(np.float64)
    known = np.isfinite(numbers)
    low, high = _bounds(numbers[known])
    at = np.clip((np.where(known, numbers, low) - low) / (high - low), 0, 1)
    at = at * (len(_SCALE) - 1)
    left = np.minimum(at.astype(np.int64), len(_SCALE) - 2)
    part = (at - left)[..., None]
    mixed = _SCALE[left] * (1 - part) + _SCALE[left + 1] * part
    mixed[~known] = NOTHING
    return np.asarray(np.rint(mixed), np.uint8)


def _bounds(known: NDArray[np.float64]) -> tuple[float, float]:
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1.0
