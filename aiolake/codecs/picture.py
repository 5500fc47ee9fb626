"""Encoded pictures: what a header says, and pixels.

Plain JPEG goes through simplejpeg, which releases the GIL; everything else through Pillow. What
comes out, always ``(h, w, channels)`` and writable, follows ``docs/pictures.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from aiolake.codecs import orientation as way_up
from aiolake.codecs import pillow, png
from aiolake.codecs.jpeg import JPEG_MAGIC, JpegHeader, read_header
from aiolake.codecs.pillow import check_pixels
from aiolake.types import PictureMode

__all__ = ["AS_STORED", "CHANNELS", "Pixels", "Reading", "Shape", "read_pixels", "read_shape"]

Pixels: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_COLOURSPACES = {"L": "GRAY", "RGB": "RGB", "RGBA": "RGBA"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How pictures of a column are read.

    Attributes:
        exif: Whether the orientation in EXIF data is applied.
        mode: What each is converted to.
    """

    exif: bool = False
    mode: PictureMode | None = None


AS_STORED = Reading()


def read_shape(data: bytes, how: Reading) -> Shape:
    """Height, width and channels as ``read_pixels`` gives them; no pixels are decoded.

    Raises:
        ValueError: No picture of a known format, a damaged header, or too many pixels.
    """
    header = _plain_jpeg(data)
    if header is not None:
        return _jpeg_shape(data, header, how)
    return _shape_of(pillow.open_header(data), data, how)


def read_pixels(data: bytes, how: Reading, expected: Shape = ()) -> Pixels:
    """Pixels; of the shape ``expected`` where that is given.

    Raises:
        ValueError: As ``read_shape``; or damaged data, or another shape.
    """
    header = _plain_jpeg(data)
    if header is not None:
        shape = _jpeg_shape(data, header, how)
        pixels = _decode_jpeg(data, header, how.mode)
        if pixels is not None:
            return _finished(pixels, data, how, shape, expected)
    image = pillow.open_header(data)
    shape = _shape_of(image, data, how)
    orientation = _orientation(data, image) if how.exif else 1
    pixels = _decode_other(data, image, how.mode)
    return _checked(_turned(pixels, orientation), shape, expected)


def _plain_jpeg(data: bytes) -> JpegHeader | None:
    """The header of a JPEG that simplejpeg decodes; ``None`` of any other picture."""
    if not data.startswith(JPEG_MAGIC):
        return None
    header = read_header(data)
    return header if header.plain and header.components in (1, 3) else None


def _jpeg_shape(data: bytes, header: JpegHeader, how: Reading) -> Shape:
    check_pixels(header.height, header.width)
    channels = header.components if how.mode is None else CHANNELS[how.mode]
    if how.exif and way_up.is_turned(way_up.of_encoded(data) or 1):
        return header.width, header.height, channels
    return header.height, header.width, channels


def _decode_jpeg(data: bytes, header: JpegHeader, mode: PictureMode | None) -> Pixels | None:
    """Pixels, or ``None`` where Pillow should try: it bears some stray bytes in the data."""
    import simplejpeg

    wanted = _COLOURSPACES[mode or ("L" if header.components == 1 else "RGB")]
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, wanted)
    except ValueError:
        return None
    return pixels


def _finished(pixels: Pixels, data: bytes, how: Reading, shape: Shape, expected: Shape) -> Pixels:
    if how.exif:
        pixels = _turned(pixels, way_up.of_encoded(data) or 1)
    return _checked(pixels, shape, expected)


def _shape_of(image: Any, data: bytes, how: Reading) -> Shape:
    check_pixels(image.height, image.width)
    if how.mode is None and png.is_deep_colour(data):
        channels = png.deep_channels(data)
    else:
        channels = pillow.layout_of(image, how.mode).channels
    if how.exif and way_up.is_turned(_orientation(data, image)):
        return image.width, image.height, channels
    return image.height, image.width, channels


def _orientation(data: bytes, image: Any) -> int:
    """That of the EXIF data; 1 for TIFF, whose own orientation has been applied by the decoder."""
    found = way_up.of_encoded(data)
    if found is not None:
        return found
    if image.format == "TIFF":
        return 1
    return way_up.of_exif(image.info.get("exif") or b"")


def _decode_other(data: bytes, image: Any, mode: PictureMode | None) -> Pixels:
    if mode is None and png.is_deep_colour(data):
        return pillow.guarded(png.read_deep_colour, data)
    return pillow.decode_pixels(image, mode)


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    return pixels if orientation == 1 else way_up.turned(pixels, orientation)


def _checked(pixels: Pixels, shape: Shape, expected: Shape) -> Pixels:
    if pixels.shape != shape or (expected and shape != expected):
        raise ValueError(
            f"its header says {shape}, its pixels are {pixels.shape}, and the manifest says "
            f"{expected or 'nothing'}"
        )
    return pixels
