"""Pictures: encoded bytes are checked and kept, arrays are encoded; pixels come out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from aiolake.codecs import pillow
from aiolake.codecs.base import Buffer, Encoded, describe
from aiolake.codecs.orientation import of_exif, turned
from aiolake.codecs.picture import (
    AS_STORED,
    CHANNELS,
    Pixels,
    Reading,
    Shape,
    read_pixels,
    read_shape,
)
from aiolake.codecs.pillow import MAX_PIXELS, check_pixels
from aiolake.errors import FormatError, InvalidInputError

__all__ = ["MAX_PIXELS", "ImageCodec"]

MAX_JPEG_SIDE = 65_500


@dataclass(frozen=True, slots=True)
class ImageCodec:
    """A codec of pictures.

    Attributes:
        format: What arrays are encoded as.
        quality: Of JPEG, 1 to 100; colour is subsampled 4:2:0 as other writers do.
        reading: How pictures are turned and converted when they are read.
    """

    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95
    reading: Reading = AS_STORED

    @property
    def ndim(self) -> int:
        """3: height, width, channels as they will be decoded."""
        return 3

    def encode(self, value: object) -> Encoded:
        """A picture.

        Args:
            value: An encoded picture as bytes, kept as it is once its header has been read; a
                ``PIL.Image``; or pixels ``(h, w)`` or ``(h, w, 1 | 3)`` of uint8. For PNG also 2
                or 4 channels, and uint16.
        """
        if isinstance(value, bytes | bytearray | memoryview):
            return self._check_encoded(bytes(value))
        pixels = self._pixels_of(value)
        channels = pixels.shape[2] if self.reading.mode is None else CHANNELS[self.reading.mode]
        shape = (*pixels.shape[:2], channels)
        if self.format == "png":
            return Encoded(pillow.write_png(pixels), shape)
        return Encoded(_write_jpeg(_check_jpeg(pixels), self.quality), shape)

    def decode(self, payload: Buffer, shape: Shape = ()) -> Pixels:
        """Pixels, see ``picture``; of ``shape`` where that is given."""
        data = bytes(payload)
        try:
            return read_pixels(data, self.reading, shape)
        except ValueError as error:
            raise FormatError(f"a stored picture does not decode: {error}") from error

    raw_is_payload: ClassVar[bool] = True

    def raw(self, payload: Buffer, shape: Shape = ()) -> bytes:
        """The encoded picture as it was given."""
        return bytes(payload)

    def _check_encoded(self, data: bytes) -> Encoded:
        try:
            return Encoded(data, read_shape(data, self.reading))
        except ValueError as error:
            start = data[:8].hex(" ") or "nothing"
            raise InvalidInputError(
                f"{len(data)} bytes are no picture: {error} (they begin with {start})"
            ) from error

    def _pixels_of(self, value: object) -> Pixels:
        """Pixels as ``(h, w, channels)``, of uint8 or uint16."""
        module = sys.modules.get("PIL.Image")
        if module is not None and isinstance(value, module.Image):
            return _pixels_of_pillow(value, apply_exif=self.reading.exif)
        return _pixels_of_array(value)


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


def _pixels_of_array(value: object) -> Pixels:
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


def _pixels_of_pillow(image: Any, *, apply_exif: bool) -> Pixels:
    try:
        check_pixels(image.height, image.width)
        orientation = of_exif(image.getexif().tobytes()) if apply_exif else 1
        pixels = pillow.decode_pixels(image)
        if pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"its pixels are of Pillow's mode {image.mode!r}; use a Tensor column")
        return pixels if orientation == 1 else turned(pixels, orientation)
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
        check_pixels(*pixels.shape[:2])
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
