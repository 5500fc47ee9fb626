"""What Pillow makes of a picture, by the rules of docs/pictures.md, written once more."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from aiolake.types import Image

Pixels = NDArray[Any]


def pillow_pixels(data: bytes, type: Image) -> Pixels:
    """Pixels ``(h, w, channels)``; raises whatever Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Pillow.open(io.BytesIO(data)) as image:
            if type.mode == "L" and image.format in ("JPEG", "MPO") and image.mode == "RGB":
                image.draft("L", image.size)  # the luminance as it is stored
            image.load()
            upright = _upright(image) if type.orientation == "exif" else image
            pixels = _converted(upright, type.mode, image.format)
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _upright(image: Pillow.Image) -> Pillow.Image:
    try:
        return ImageOps.exif_transpose(image)
    except SyntaxError:  # Damaged EXIF data do not damage the picture.
        return image


def _converted(image: Pillow.Image, mode: str | None, format: str | None) -> Pixels:
    if image.mode.startswith("I;16") or (image.mode == "I" and format in ("PNG", "PPM")):
        gray = np.asarray(image).astype(np.uint16)
        if mode is None:
            return gray
        return np.asarray(Pillow.fromarray((gray >> 8).astype(np.uint8)).convert(mode))
    if mode is None and image.mode in ("I", "F"):
        return np.asarray(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "LAB":
        image = image.convert("RGB")
    return np.asarray(image.convert(mode or _natural(image.mode)))


def _natural(mode: str) -> str:
    return {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}.get(mode, "RGB")
