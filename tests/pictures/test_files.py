"""Two hundred files of each format are read as Pillow reads them, or refused by name."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from aiolake.errors import AiolakeError, FormatError, InvalidInputError
from aiolake.types import Image
from tests.pictures.files import FORMATS, broken
from tests.pictures.oracle import pillow_pixels
from tests.pictures.rawpng import CHANNELS, rawpng
from tests.unit.codecs.helpers import entry

N_WHOLE = 150
N_BROKEN = 100
MAX_PIXELS = 1_000_000
COLUMNS = [
    Image(),
    Image(orientation="exif"),
    Image(mode="RGB"),
    Image(mode="L", orientation="exif"),
    Image(mode="RGBA"),
]


def read(data: bytes, type: Image) -> NDArray[Any]:
    """Through append and read; what the header said is what comes out."""
    codec = entry(type)
    encoded = codec.encode(data)
    pixels = codec.decode(encoded.payload, encoded.shape)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == encoded.shape
    assert pixels.flags.writeable
    return pixels


def is_deep(data: bytes) -> bool:
    """A PNG of 16 bits with several channels: Pillow gives half of it."""
    return data.startswith(b"\x89PNG") and data[24] == 16 and data[25] != 0


def check(data: bytes, type: Image, pixels: NDArray[Any]) -> None:
    expected = pillow_pixels(data, type)
    if type.mode is None and is_deep(data):
        pixels = (pixels >> 8).astype(np.uint8)
        if pixels.shape[2] == 2:
            pixels = pixels[:, :, (0, 0, 0, 1)]
    assert pixels.shape == expected.shape
    if pixels.dtype == np.uint32:
        pixels = pixels.view(np.int32)
    assert pixels.dtype == expected.dtype
    # Two builds of libjpeg-turbo may round differently.
    close = 2 if data.startswith(b"\xff\xd8") else 0
    difference = np.abs(pixels.astype(np.float64) - expected.astype(np.float64))
    assert difference.max() <= close


@pytest.mark.parametrize("format", FORMATS)
def test_whole_files_are_read_as_pillow_reads_them(format: str) -> None:
    rng = random.Random(format)
    for i in range(N_WHOLE):
        data = FORMATS[format](rng)
        for type in (COLUMNS[0], COLUMNS[1 + i % 4]):
            if type.mode is None or not is_numbers(data):
                check(data, type, read(data, type))
                continue
            with pytest.raises(InvalidInputError, match="which are not converted to"):
                read(data, type)


def is_numbers(data: bytes) -> bool:
    """Whether pixels are numbers of 32 bits, which no picture mode holds."""
    with Pillow.open(io.BytesIO(data)) as image:
        return image.mode == "F" or (image.mode == "I" and image.format == "TIFF")


@pytest.mark.parametrize("format", FORMATS)
def test_broken_files_are_read_as_pillow_reads_them_or_refused_by_name(format: str) -> None:
    rng = random.Random(f"broken {format}")
    seen: Counter[str] = Counter()
    for i in range(N_BROKEN):
        data = broken(FORMATS[format](rng), rng)
        seen[outcome(data, COLUMNS[i % len(COLUMNS)])] += 1
    assert seen["refused at append"] > N_BROKEN // 10, seen


def outcome(data: bytes, type: Image) -> str:
    codec = entry(type)
    encoded, refusal = attempt(lambda: codec.encode(data), InvalidInputError)
    if encoded is None:
        assert f"{len(data)} bytes are no picture: " in refusal
        return "refused at append"
    if np.prod(encoded.shape) > MAX_PIXELS:
        return "claims to be large"
    pixels, refusal = attempt(lambda: codec.decode(encoded.payload, encoded.shape), FormatError)
    if pixels is None:
        assert "a stored picture does not decode: " in refusal
        return "refused at read"
    check(data, type, pixels)
    return "read"


def attempt(work: Callable[[], Any], refusing: type[AiolakeError]) -> tuple[Any, str]:
    try:
        return work(), ""
    except refusing as error:
        return None, error.message


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_png_of_16_bits_gives_every_bit(colour: int, interlaced: bool) -> None:
    rng = random.Random(colour)
    for size in ((1, 1), (3, 5), (9, 8), (17, 2)):
        source = np.random.default_rng(size)
        numbers = source.integers(0, 1 << 16, (*size, CHANNELS[colour]), np.uint16)
        found = read(rawpng(numbers, colour, 16, rng, interlaced=interlaced), Image())
        assert found.dtype == np.uint16
        assert np.array_equal(found, numbers)
