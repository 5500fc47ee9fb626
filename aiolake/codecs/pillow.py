"""Pictures through Pillow: every format but plain JPEG. Pillow is loaded when first needed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image as PillowImage

__all__ = ["FORMATS", "Layout", "decode_pixels", "layout_of", "open_header", "write_png"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is tried. Not all that Pillow knows: EPS, for one, would start Ghostscript."""

_MODES = {
    "1": ("L", 1), "L": ("L", 1), "LA": ("LA", 2), "La": ("LA", 2), "PA": ("RGBA", 4),
    "RGB": ("RGB", 3), "RGBX": ("RGB", 3), "CMYK": ("RGB", 3), "YCbCr": ("RGB", 3),
    "LAB": ("RGB", 3), "HSV": ("RGB", 3), "RGBA": ("RGBA", 4), "RGBa": ("RGBA", 4),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture's pixels come out.

    Attributes:
        mode: The Pillow mode to convert to; ``I;16`` stands for 16-bit gray.
        channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
    """

    mode: str
    channels: int


MAX_PIXELS = 178_956_970
"""Larger pictures are refused, as by Pillow itself: a small file can claim any size."""


def check_pixels(height: int, width: int) -> None:
    """Refuse a picture of no pixels or of too many.

    Raises:
        ValueError: It is one of these.
    """
    if not height or not width:
        raise ValueError(f"it has no pixels: {height} x {width}")
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{height} x {width} pixels are more than {MAX_PIXELS:,}; cut it into tiles, or keep "
            "it as Bytes"
        )


def open_header(data: bytes) -> PillowImage.Image:
    """Open a picture without decoding its pixels.

    As ``PIL.Image.open``, which warns of large pictures by way of process-wide warning filters;
    here the caller checks the size.

    Raises:
        ValueError: Not a picture of a known format, or its header is damaged.
    """
    from PIL import Image

    Image.preinit()
    name = _accepting(Image.OPEN, data[:16])
    if name is None:
        Image.init()  # Loads every plugin, once.
        name = _accepting(Image.OPEN, data[:16])
    if name is None:
        raise ValueError(f"it is no picture of a known format ({', '.join(FORMATS)})")
    return _open_with(Image.OPEN[name][0], data, name)


def _accepting(plugins: Mapping[str, tuple[Any, Any]], prefix: bytes) -> str | None:
    padded = prefix.ljust(16, b"\x00")  # Some plugins look at the second byte unasked.
    for name in FORMATS:
        _, accept = plugins.get(name, (None, None))
        if accept is not None and accept(padded) is True:
            return name
    return None


def _open_with(factory: Any, data: bytes, name: str) -> PillowImage.Image:
    try:
        image: PillowImage.Image = factory(io.BytesIO(data), "")
    # Damaged headers end in any of a dozen exceptions, by format and release.
    except Exception as error:
        raise ValueError(f"the {name} header is damaged or cut off: {error}") from error
    if name == "PNG" and data.rfind(b"IEND") < 0:
        raise ValueError("the PNG is cut off: its end is missing")
    return image


def layout_of(image: PillowImage.Image) -> Layout:
    """How the pixels of an opened picture come out.

    Raises:
        ValueError: Pixels of 32 bits, which a ``Tensor`` column holds.
    """
    mode = image.mode
    if mode == "P":
        return Layout("RGBA", 4) if "transparency" in image.info else Layout("RGB", 3)
    # Pillow up to 11 opens 16-bit gray PNG, and all releases PPM, as "I".
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        return Layout("I;16", 1)
    if mode not in _MODES:
        raise ValueError(f"its pixels are of Pillow's mode {mode!r}; use a Tensor column for them")
    return Layout(*_MODES[mode])


def decode_pixels(image: PillowImage.Image) -> NDArray[Any]:
    """Pixels as ``(h, w, channels)``, uint8, or uint16 for 16-bit gray; writable.

    Raises:
        ValueError: The data is damaged or cut off.
    """
    layout = layout_of(image)
    try:
        image.load()
        if layout.mode != "I;16" and image.mode != layout.mode:
            image = image.convert(layout.mode)
        pixels = np.array(image)
    # As above: what damaged data raises depends on format and release.
    except Exception as error:
        raise ValueError(f"the picture's data is damaged or cut off: {error}") from error
    if layout.mode == "I;16":
        pixels = pixels.astype("<u2", copy=False)
    return pixels.reshape(image.height, image.width, layout.channels)


def read_numbers(data: bytes) -> NDArray[Any]:
    """The numbers a PNG stores, ``(h, w)``: gray levels, or indexes into its palette.

    Raises:
        ValueError: Another format, colour or alpha, or damaged.
    """
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("only PNG keeps numbers exactly; give an array, or a PNG file's bytes")
    image = open_header(data)
    check_pixels(image.height, image.width)
    numbers = numbers_of(image)
    # Pillow stretches gray levels of 2 and 4 bits to 8.
    return (
        numbers // (255 // ((1 << data[24]) - 1)) if data[24:26] in (b"\2\0", b"\4\0") else numbers
    )


def numbers_of(image: PillowImage.Image) -> NDArray[Any]:
    """The numbers of an opened picture, ``(h, w)``: gray levels, or indexes into its palette.

    Raises:
        ValueError: Colour or alpha, or damaged.
    """
    mode = image.mode
    if mode not in ("1", "L", "P") and layout_of(image).mode != "I;16":
        raise ValueError(f"its pixels are {mode}; one number a pixel is needed (gray or a palette)")
    try:
        image.load()
        numbers = np.array(image)
    # As below: what damaged data raises depends on format and release.
    except Exception as error:
        raise ValueError(f"the picture's data is damaged or cut off: {error}") from error
    return numbers.astype("<u2", copy=False) if layout_of(image).mode == "I;16" else numbers


def write_png(pixels: NDArray[Any]) -> bytes:
    """A PNG of ``(h, w, channels)`` pixels, uint8, or uint16 with one channel."""
    from PIL import Image

    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(out, "PNG")
    return out.getvalue()
