"""Thousands of pictures out of a few photographs: cut, scaled, mirrored, encoded as JPEG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aiolake.cli.demo.source import Row
from aiolake.cli.photographs import photographs
from aiolake.render.text import count
from aiolake.types import ClassLabel, ColumnType, Image, Tensor

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Crop", "CropSource", "plan_crops"]

MIN_SIDE, MAX_SIDE = 96, 224
_MIN_PART, _MAX_PART = 0.3, 0.9
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture to cut.

    Attributes:
        photograph: Which photograph.
        box: Left, top, right, bottom in it, in pixels.
        size: Width and height of the picture cut out.
        mirrored: Left and right change places.
    """

    photograph: int
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    mirrored: bool


def plan_crops(sizes: Sequence[tuple[int, int]], n: int, seed: int) -> tuple[Crop, ...]:
    """``n`` crops of photographs of the given sizes (width, height), in turn; a pure function."""
    random = np.random.default_rng(seed)
    return tuple(_crop(random, i % len(sizes), sizes[i % len(sizes)]) for i in range(n))


def _crop(random: np.random.Generator, photograph: int, size: tuple[int, int]) -> Crop:
    width, height = size
    part = random.uniform(_MIN_PART, _MAX_PART)
    shape = random.uniform(0.75, 1.33)
    w = max(1, min(width, round(min(size) * part * min(1.0, shape))))
    h = max(1, min(height, round(min(size) * part / max(1.0, shape))))
    left = int(random.integers(0, width - w + 1))
    top = int(random.integers(0, height - h + 1))
    scale = random.integers(MIN_SIDE, MAX_SIDE + 1) / max(w, h)
    scaled = max(MIN_SIDE, round(w * scale)), max(MIN_SIDE, round(h * scale))
    return Crop(photograph, (left, top, left + w, top + h), scaled, bool(random.integers(2)))


def cut(photograph: Picture, crop: Crop) -> bytes:
    """A crop as JPEG."""
    from PIL import Image, ImageOps

    picture = photograph.resize(crop.size, Image.Resampling.BILINEAR, box=crop.box)
    out = io.BytesIO()
    (ImageOps.mirror(picture) if crop.mirrored else picture).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


class CropSource:
    """Crops of the photographs that come with the package.

    Args:
        n: How many.
        seed: The same seed gives the same crops.
    """

    def __init__(self, n: int, seed: int = 0) -> None:
        self._n = n
        self._seed = seed
        self._files = photographs()

    @property
    def what(self) -> str:
        """For people."""
        return f"{count(self._n, 'JPEG crop')} of {count(len(self._files), 'photograph')}"

    @property
    def making(self) -> str:
        """How rows are made."""
        return "cut, encode, ingest"

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """The picture, which photograph it is from, and where in it."""
        names = tuple(file.name.removesuffix(".jpg") for file in self._files)
        return {"image": Image(), "label": ClassLabel(names), "box": Tensor("int32", (4,))}

    def __len__(self) -> int:
        return self._n

    @cached_property
    def _opened(self) -> list[Picture]:
        from PIL import Image

        files = (Image.open(io.BytesIO(file.read_bytes())) for file in self._files)
        return [picture.convert("RGB") for picture in files]

    @cached_property
    def _crops(self) -> tuple[Crop, ...]:
        return plan_crops([picture.size for picture in self._opened], self._n, self._seed)

    def row(self, i: int) -> Row:
        """Crop ``i``."""
        crop = self._crops[i]
        picture = cut(self._opened[crop.photograph], crop)
        return {"image": picture, "label": crop.photograph, "box": crop.box}
