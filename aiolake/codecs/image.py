"""Pictures: encoded bytes are checked and kept, arrays are encoded; pixels come out.

Plain JPEG goes through simplejpeg, which releases the GIL; everything else through Pillow. What
comes out, always ``(h, w, channels)`` and writable:

* gray (and bilevel) 1 channel, gray with alpha 2, RGB 3, RGBA 4, all uint8;
* a palette becomes RGB, or RGBA where it has transparency;
* CMYK, YCCK, Lab and HSV are converted to RGB by Pillow, without colour profiles;
* 16-bit gray is uint16; 16-bit colour comes out with 8 bits;
* the first frame of an animation; EXIF orientation is not applied.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs import pillow
from aiolake.codecs.base import Buffer, Encoded, describe
from aiolake.codecs.jpeg import JPEG_MAGIC, JpegHeader, read_header
from aiolake.codecs.pillow import MAX_PIXELS, check_pixels
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Orientation, PictureMode

__all__ = ["MAX_PIXELS", "ImageCodec"]

Pixels: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

MAX_JPEG_SIDE = 65_500


@dataclass(frozen=True, slots=True)
class ImageCodec:
    """A codec of pictures.

    Attributes:
        format: What arrays are encoded as.
        quality: Of JPEG, 1 to 100; colour is subsampled 4:2:0 as other writers do.
    """

    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95
    orientation: Orientation = "stored"
    mode: PictureMode | None = None

    @property
    def ndim(self) -> int:
        """3: height, width, channels as they will be decoded."""
        return 3

    def encode(self, value: object) -> Encoded:
        """A picture.

        Args:
            value: An encoded picture as bytes, kept as it is once its header has been read; a
                ``PIL.Image``; or pixels ``(h, w)`` or ``(h, w, 1 | 3)`` of uint8. For PNG also 2
                or 4 channels, and uint16 with one.
        """
        if isinstance(value, bytes | bytearray | memoryview):
            return _check_encoded(bytes(value))
        pixels = _pixels_of(value)
        if self.format == "png":
            return Encoded(pillow.write_png(_check_png(pixels)), pixels.shape)
        return Encoded(_write_jpeg(_check_jpeg(pixels), self.quality), pixels.shape)

    def decode(self, payload: Buffer, shape: Shape = ()) -> Pixels:
        """Pixels, see the module; of ``shape`` where that is given."""
        data = bytes(payload)
        try:
            return _decode(data, shape)
        except ValueError as error:
            raise FormatError(f"a stored picture does not decode: {error}") from error

    def raw(self, payload: Buffer, shape: Shape = ()) -> bytes:
        """The encoded picture as it was given."""
        return bytes(payload)


def _check_encoded(data: bytes) -> Encoded:
    try:
        shape = _read_shape(data)
    except ValueError as error:
        start = data[:8].hex(" ") or "nothing"
        raise InvalidInputError(
            f"{len(data)} bytes are no picture: {error} (they begin with {start})"
        ) from error
    return Encoded(data, shape)


def _read_shape(data: bytes) -> Shape:
    header = _plain_jpeg(data)
    if header is not None:
        return _check_size((header.height, header.width, header.components))
    return _shape_of(pillow.open_header(data))


def _plain_jpeg(data: bytes) -> JpegHeader | None:
    """The header of a JPEG that simplejpeg decodes; ``None`` of any other picture."""
    if not data.startswith(JPEG_MAGIC):
        return None
    header = read_header(data)
    return header if header.plain and header.components in (1, 3) else None


def _shape_of(image: Any) -> Shape:
    return _check_size((image.height, image.width, pillow.layout_of(image).channels))


def _check_size(shape: Shape) -> Shape:
    check_pixels(*shape[:2])
    return shape


def _decode(data: bytes, expected: Shape) -> Pixels:
    header = _plain_jpeg(data)
    if header is not None:
        shape = _check_size((header.height, header.width, header.components))
        pixels = _decode_jpeg(data, header)
        if pixels is not None:
            return _check_shapes(pixels, shape, expected)
    image = pillow.open_header(data)
    shape = _shape_of(image)
    return _check_shapes(pillow.decode_pixels(image), shape, expected)


def _decode_jpeg(data: bytes, header: JpegHeader) -> Pixels | None:
    """Pixels, or ``None`` where Pillow should try: it bears some stray bytes in the data."""
    import simplejpeg

    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "GRAY" if header.components == 1 else "RGB")
    except ValueError:
        return None
    return pixels


def _check_shapes(pixels: Pixels, shape: Shape, expected: Shape) -> Pixels:
    if pixels.shape != shape or (expected and shape != expected):
        raise ValueError(
            f"its header says {shape}, its pixels are {pixels.shape}, and the manifest says "
            f"{expected or 'nothing'}"
        )
    return pixels


def _write_jpeg(pixels: Pixels, quality: int) -> bytes:
    import simplejpeg

    gray = pixels.shape[2] == 1
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels),
        quality,
        "GRAY" if gray else "RGB",
        "Gray" if gray else "420",
    )
    return data


def _pixels_of(value: object) -> Pixels:
    """Pixels as ``(h, w, channels)``, of whatever dtype."""
    module = sys.modules.get("PIL.Image")
    if module is not None and isinstance(value, module.Image):
        return _pixels_of_pillow(value)
    if not hasattr(value, "__array__"):
        is_path = isinstance(value, str | os.PathLike)
        hint = "; read the file: pathlib.Path(path).read_bytes()" if is_path else ""
        raise InvalidInputError(
            f"expected an encoded picture (bytes), a PIL.Image or an array, got {describe(value)}"
            f"{hint}"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(f"{describe(value)} is no array: {error}") from error
    return _check_pixels(array)


def _pixels_of_pillow(image: Any) -> Pixels:
    try:
        _check_size((image.height, image.width))
        return pillow.decode_pixels(image)
    except ValueError as error:
        raise InvalidInputError(f"the PIL.Image cannot be stored: {error}") from error


def _check_pixels(array: Pixels) -> Pixels:
    if array.dtype not in (np.uint8, np.uint16):
        hints = {"f": "; scale it: (x * 255).round().astype('uint8')", "b": "; use x * 255"}
        raise InvalidInputError(
            f"expected pixels of uint8, got {describe(array)}{hints.get(array.dtype.kind, '')}"
        )
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4:
        swapped = pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4)
        hint = "; transpose it: x.transpose(1, 2, 0)" if swapped else ""
        raise InvalidInputError(
            f"expected pixels (h, w), (h, w, 1) or (h, w, 3), got {describe(array)}{hint}"
        )
    try:
        _check_size(pixels.shape)
    except ValueError as error:
        raise InvalidInputError(f"the picture cannot be stored: {error}") from error
    return pixels


def _check_jpeg(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        raise InvalidInputError(
            f"JPEG holds uint8 with 1 or 3 channels, got {describe(pixels)}; drop the alpha "
            "channel, or declare the column as Image('png')"
        )
    if max(pixels.shape) > MAX_JPEG_SIDE:
        raise InvalidInputError(
            f"JPEG holds at most {MAX_JPEG_SIDE:,} pixels a side, got {describe(pixels)}; declare "
            "the column as Image('png')"
        )
    return pixels


def _check_png(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 and pixels.shape[2] != 1:
        raise InvalidInputError(
            f"PNG pixels of 16 bits have 1 channel here, got {describe(pixels)}; use uint8, or a "
            "Tensor column"
        )
    return pixels
