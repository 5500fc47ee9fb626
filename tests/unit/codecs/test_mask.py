"""Masks: bits and numbers, from arrays and from PNG files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import zstandard
from PIL import Image as Pillow

from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Mask
from tests.unit.codecs.helpers import entry

CLASSES = entry(Mask())
BITS = entry(Mask("bool"))


def png(image: Pillow.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def read(codec: Any, value: Any) -> Any:
    encoded = codec.encode(value)
    return codec.decode(encoded.payload, encoded.shape)


def test_truth_values_are_stored_as_bits_and_numbers_as_they_are() -> None:
    mask = np.zeros((3, 5), bool)
    mask[0, 1] = mask[2, 4] = True
    encoded = BITS.encode(mask)
    assert zstandard.decompress(encoded.payload) == bytes([0b10, 0b1000000])
    assert encoded.shape == (3, 5)
    assert np.array_equal(read(BITS, mask), mask)
    numbers = np.arange(6, dtype=np.uint16).reshape(2, 3)
    encoded = entry(Mask("uint16")).encode(numbers)
    assert zstandard.decompress(encoded.payload) == numbers.astype("<u2").tobytes()


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (7, 9), (64, 3)])
def test_masks_of_any_size_round_trip(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for n in (0, 1, 5):
        many = rng.integers(0, 2, (*shape, n)).astype(bool)
        found = read(entry(Mask("bool", instances=True)), many)
        assert found.dtype == np.bool_
        assert np.array_equal(found, many)
    numbers = rng.integers(0, 255, shape)
    assert np.array_equal(read(CLASSES, numbers), numbers)
    if numbers.size:
        assert np.array_equal(read(CLASSES, numbers.tolist()), numbers)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_png_gives_the_numbers_it_stores(bits: int) -> None:
    numbers = (np.arange(48).reshape(6, 8) % (1 << bits)).astype(np.uint8)
    palette = Pillow.fromarray(numbers, "P")
    palette.putpalette([(i * 37) % 256 for i in range(3 << bits)])
    assert np.array_equal(read(CLASSES, png(palette, bits=bits)), numbers)
    assert np.array_equal(read(CLASSES, palette), numbers)
    assert np.array_equal(read(CLASSES, gray(numbers, bits)), numbers)


def gray(numbers: Any, bits: int) -> bytes:
    """A gray PNG of some bits: Pillow writes those of 1 and 8 bits only, so via a palette."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = numbers.shape
    wide = ((numbers[:, :, None] >> np.arange(bits)[::-1]) & 1).reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in wide.astype(np.uint8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_png_of_16_bits_gives_its_numbers() -> None:
    numbers = np.arange(6, dtype=np.uint16).reshape(2, 3) * 1000
    data = png(Pillow.fromarray(numbers))
    assert np.array_equal(read(entry(Mask("uint16")), data), numbers)
    assert np.array_equal(read(entry(Mask("uint32")), Pillow.open(io.BytesIO(data))), numbers)
    with pytest.raises(InvalidInputError, match="out of range of uint8"):
        CLASSES.encode(data)


@pytest.mark.parametrize("high", [1, 255])
def test_numbers_that_can_only_be_truth_values_are(high: int) -> None:
    numbers = np.asarray([[0, high], [high, 0]], np.uint8)
    expected = [[False, True], [True, False]]
    assert read(BITS, numbers).tolist() == expected
    assert read(BITS, png(Pillow.fromarray(numbers))).tolist() == expected
    assert (
        read(BITS, png(Pillow.fromarray(numbers * (255 // high)).convert("1"))).tolist() == expected
    )


@pytest.mark.parametrize(
    ("type", "value", "reason"),
    [
        (Mask(), np.zeros((2, 3, 1)), "expected uint8, got float64"),
        (Mask(), np.zeros((2, 3, 1), int), r"shape \(h, w\), got .*instances=True"),
        (Mask(instances=True), np.zeros((2, 3), int), r"shape \(h, w, n\).* x\[:, :, None\]"),
        (Mask("bool"), np.asarray([[0, 2]]), r"x > 0"),
        (Mask("bool"), np.asarray([[1, 255]]), r"x > 0"),
        (Mask(), [[-1]], "out of range"),
        (Mask(names=["a", "b"]), [[2]], "class 2 is out of range: 2 names, 0 to 1"),
        (Mask(names=["a", "b"], ignore=255), [[255, 0, 254]], "class 254 .* ignore=255"),
        (Mask(), b"\xff\xd8\xff", "no mask: only PNG keeps numbers exactly"),
        (Mask(), png(Pillow.new("RGB", (2, 2))), "RGB; one number a pixel is needed"),
        (Mask(), png(Pillow.new("LA", (2, 2))), "LA; one number"),
        (Mask(), Pillow.new("RGBA", (2, 2)), "one number a pixel"),
        (Mask(), png(Pillow.new("L", (99, 99)))[:-20], "no mask"),
        (Mask(), "mask.png", "expected uint8"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_mask_is_refused(type: Mask, value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        entry(type).encode(value)


def test_the_number_to_ignore_is_allowed() -> None:
    assert read(entry(Mask(names=["a"], ignore=255)), [[0, 255]]).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("type", "payload", "shape"),
    [
        (Mask(), b"", (1, 1)),
        (Mask(), zstandard.compress(bytes(3)), (2, 2)),
        (Mask(), zstandard.compress(bytes(4)), (4,)),
        (Mask(), zstandard.compress(bytes(4)), ((1 << 32) - 1, (1 << 32) - 1)),
        (Mask("bool"), zstandard.compress(bytes(2)), (2, 4)),
        (Mask("bool"), zstandard.compress(b"\x10"), (2, 2)),
    ],
    ids=str,
)
def test_stored_bytes_that_are_no_mask_are_a_format_error(
    type: Mask, payload: bytes, shape: tuple[int, ...]
) -> None:
    with pytest.raises(FormatError):
        entry(type).decode(payload, shape)
