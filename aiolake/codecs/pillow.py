"""Pictures through Pillow: every format but plain JPEG. Pillow is loaded when first needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.png import PNG_MAGIC, bits_of, write_deep

if TYPE_CHECKING:
    from PIL import Image as PillowImage

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Layout",
    "check_pixels",
    "decode_pixels",
    "guarded",
    "layout_of",
    "numbers_of",
    "open_header",
    "read_numbers",
    "write_png",
]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
"""What is tried. Not all that Pillow knows: EPS, for one, would start Ghostscript."""

_MODES = {
    "1": ("L", 1), "L": ("L", 1), "LA": ("LA", 2), "La": ("LA", 2), "PA": ("RGBA", 4),
    "RGB": ("RGB", 3), "RGBX": ("RGB", 3), "CMYK": ("RGB", 3), "YCbCr": ("RGB", 3),
    "LAB": ("RGB", 3), "HSV": ("RGB", 3), "RGBA": ("RGBA", 4), "RGBa": ("RGBA", 4),
}  # fmt: skip
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_BITS_PER_SAMPLE = 258
_SAMPLE_FORMAT = 339


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture's pixels come out.

    Attributes:
        mode: The Pillow mode to convert to; ``I;16`` stands for 16-bit gray.
        channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
        dtype: Of the numbers.
    """

    mode: str
    channels: int
    dtype: str = "uint8"


MAX_ICON_SIDE = 2048
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
    if name == "ICO":
        _check_icon(data)
    try:
        image: PillowImage.Image = factory(io.BytesIO(data), "")
    # Damaged headers end in any of a dozen exceptions, by format and release.
    except Exception as error:
        raise ValueError(f"the {name} header is damaged or cut off: {error}") from error
    if name == "PNG" and data.rfind(b"IEND") < 0:
        raise ValueError("the PNG is cut off: its end is missing")
    return image


def _check_icon(data: bytes) -> None:
    """Refuse an icon that claims to be large: Pillow decodes it already when it is opened."""
    for at in range(6, 6 + 16 * int.from_bytes(data[4:6], "little"), 16):
        start = int.from_bytes(data[at + 12 : at + 16], "little")
        if data.startswith(PNG_MAGIC, start):
            sides = data[start + 16 : start + 20], data[start + 20 : start + 24]
            width, height = (int.from_bytes(side) for side in sides)
        else:
            sides = data[start + 4 : start + 8], data[start + 8 : start + 12]
            width, height = (abs(int.from_bytes(side, "little", signed=True)) for side in sides)
        if max(width, height) > MAX_ICON_SIDE:
            raise ValueError(f"the icon claims {height} x {width} pixels")


def layout_of(image: PillowImage.Image, mode: str | None = None) -> Layout:
    """How the pixels of an opened picture come out.

    Args:
        image: Opened; not yet loaded, which may change what it says of itself.
        mode: What it is to be converted to; ``None`` leaves it as it is.

    Raises:
        ValueError: There is no rule for such pixels.
    """
    layout = _natural(image)
    if mode is None:
        return layout
    if layout.dtype not in ("uint8", "uint16"):
        raise ValueError(f"its pixels are {layout.dtype}, which are not converted to {mode}")
    return Layout(mode, _CHANNELS[mode])


def _natural(image: PillowImage.Image) -> Layout:
    mode = image.mode
    if mode == "P":
        return Layout("RGBA", 4) if "transparency" in image.info else Layout("RGB", 3)
    # Pillow up to 11 opens 16-bit gray PNG, and all releases PPM, as "I".
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        return Layout("I;16", 1, "uint16")
    if mode == "I":
        return Layout("I", 1, "uint32" if _is_unsigned(image) else "int32")
    if mode == "F":
        return Layout("F", 1, "float32")
    if mode not in _MODES:
        raise ValueError(f"its pixels are of Pillow's mode {mode!r}; use a Tensor column for them")
    return Layout(*_MODES[mode])


def _is_unsigned(image: Any) -> bool:
    """Whether a TIFF of 32-bit integers says they are unsigned, as it does by saying nothing."""
    tags = getattr(image, "tag_v2", None)
    if tags is None or tags.get(_BITS_PER_SAMPLE, (0,))[0] != 32:
        return False
    return bool(tags.get(_SAMPLE_FORMAT, (1,))[0] == 1)


def decode_pixels(image: PillowImage.Image, mode: str | None = None) -> NDArray[Any]:
    """Pixels as ``(h, w, channels)``, of the dtype its layout says; writable.

    Args:
        image: Opened.
        mode: What to convert it to; ``None`` leaves it as it is.

    Raises:
        ValueError: The data is damaged or cut off, or there is no rule for such pixels.
    """
    if mode == "L" and image.mode == "RGB" and image.format in ("JPEG", "MPO"):
        image.draft("L", image.size)  # the luminance as it is stored, as simplejpeg gives it
    layout, natural = layout_of(image, mode), _natural(image)
    pixels = guarded(_converted, image, natural, layout)
    if natural.dtype == "uint32":
        pixels = pixels.view(np.uint32)
    return pixels.reshape(image.height, image.width, layout.channels)


def guarded(work: Callable[..., NDArray[Any]], *arguments: Any) -> NDArray[Any]:
    """Decode, turning whatever is raised into one error.

    Raises:
        ValueError: The data is damaged or cut off.
    """
    try:
        return work(*arguments)
    # What damaged data raises depends on format and release.
    except Exception as error:
        raise ValueError(f"the picture's data is damaged or cut off: {error}") from error


def _converted(image: PillowImage.Image, natural: Layout, layout: Layout) -> NDArray[Any]:
    image.load()
    if natural.mode == "I;16":
        deep = np.array(image).astype("<u2", copy=False)
        if layout.mode == "I;16":
            return deep
        from PIL import Image

        # Pillow would cut numbers over 255; the high byte is what it gives of colour.
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    elif image.mode in ("LAB", "La") or (image.mode == "P" and natural.mode == "RGBA"):
        # Pillow does not convert these to everything at once, or warns of transparency.
        image = image.convert(natural.mode)
    return np.array(image if image.mode == layout.mode else image.convert(layout.mode))


def read_numbers(data: bytes) -> NDArray[Any]:
    """The numbers a PNG stores, ``(h, w)``: gray levels, or indexes into its palette.

    Raises:
        ValueError: Another format, colour or alpha, or damaged.
    """
    if not data.startswith(PNG_MAGIC):
        raise ValueError("only PNG keeps numbers exactly; give an array, or a PNG file's bytes")
    image = open_header(data)
    check_pixels(image.height, image.width)
    numbers = numbers_of(image)
    bits = bits_of(data)
    # Pillow stretches gray levels of 2 and 4 bits to 8.
    return numbers // (255 // ((1 << bits) - 1)) if image.mode == "L" and bits < 8 else numbers


def numbers_of(image: PillowImage.Image) -> NDArray[Any]:
    """The numbers of an opened picture, ``(h, w)``: gray levels, or indexes into its palette.

    Raises:
        ValueError: Colour or alpha, or damaged.
    """
    mode = image.mode
    if mode not in ("1", "L", "P") and layout_of(image).mode != "I;16":
        raise ValueError(f"its pixels are {mode}; one number a pixel is needed (gray or a palette)")
    numbers = guarded(np.array, image)
    return numbers if mode in ("1", "L", "P") else numbers.astype("<u2", copy=False)


def write_png(pixels: NDArray[Any]) -> bytes:
    """A PNG of ``(h, w, 1 to 4)`` pixels, uint8 or uint16."""
    if pixels.dtype == np.uint16:
        return write_deep(pixels)
    from PIL import Image

    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(out, "PNG")
    return out.getvalue()
