"""The header of a JPEG, read without a decoder."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aiolake.codecs.jpeg import JpegHeader, _read_closely, _read_ordinary, read_header


def jpeg(mode: str = "RGB", size: tuple[int, int] = (17, 9), **options: Any) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], len(mode)), np.uint8)
    image = Image.fromarray(pixels.squeeze()).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"optimize": True}, {"exif": b"Exif\0\0" + jpeg(size=(8, 8))}],
    ids=["plain", "progressive", "optimized", "thumbnail in exif"],
)
def test_the_header_says_what_pillow_says(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(mode, **options)
    image = Image.open(io.BytesIO(data))
    assert read_header(data) == JpegHeader(image.height, image.width, len(image.mode), True)


def test_fill_bytes_and_restart_markers_between_segments_are_skipped() -> None:
    data = jpeg()
    padded = data[:2] + b"\xff\xff" + b"\xff\x01" + data[2:]
    assert read_header(padded) == read_header(data)


def test_bytes_behind_the_end_do_not_matter() -> None:
    assert read_header(jpeg() + bytes(1000)) == read_header(jpeg())


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCB])
def test_lossless_and_arithmetic_coding_are_not_plain(marker: int) -> None:
    data = jpeg().replace(b"\xff\xc0", bytes((0xFF, marker)), 1)
    assert read_header(data) == JpegHeader(9, 17, 3, False)


def test_twelve_bits_are_not_plain() -> None:
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = 12
    assert not read_header(bytes(data)).plain


def test_a_jpeg_cut_off_anywhere_is_refused() -> None:
    data = jpeg(exif=b"Exif\0\0" + jpeg(size=(8, 8)))
    for stop in range(len(data)):
        with pytest.raises(ValueError, match=r"begin|cut off"):
            read_header(data[:stop])
    assert read_header(data).width == 17


def test_a_jpeg_without_frame_or_pixels_is_refused() -> None:
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    length = int.from_bytes(data[frame + 2 : frame + 4])
    with pytest.raises(ValueError, match="no frame header"):
        read_header(data[:frame] + data[frame + 2 + length :])
    with pytest.raises(ValueError, match="no pixels: 0 x 17"):
        read_header(data[: frame + 5] + b"\0\0" + data[frame + 7 :])
    with pytest.raises(ValueError, match="too short"):
        read_header(data[: frame + 2] + b"\0\x04\0\0" + data[frame + 2 :])


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_breaks(garbage: bytes) -> None:
    for data in (garbage, b"\xff\xd8\xff" + garbage, b"\xff\xd8\xff\xc0\0\x11" + garbage):
        try:
            header = read_header(data)
        except ValueError:
            continue
        assert header.height > 0
        assert header.width > 0


@given(st.data())
def test_an_ordinary_file_is_read_as_closely_as_an_odd_one(data: st.DataObject) -> None:
    """Whatever its bytes: what the short way answers, the long way answers too."""
    segment = st.tuples(
        st.sampled_from([0xE0, 0xE1, 0xDB, 0xC4, 0xFE, 0xDD, 0xC0, 0xC1, 0xC2, 0xC3, 0xDA, 0xD8]),
        st.binary(max_size=12),
        st.integers(-2, 2),
    )
    body = b"".join(
        bytes([0xFF, marker]) + max(0, len(text) + 2 + off).to_bytes(2, "big") + text
        for marker, text, off in data.draw(st.lists(segment, max_size=5))
    )
    frame = bytes([0xFF, 0xC0, 0, 11, 8, 0, 5, 0, 7]) + b"\x03\x01\x11\x00"
    tail = data.draw(st.sampled_from([b"", b"\xff\xd9", bytes(30) + b"\xff\xd9", bytes(30)]))
    picture = b"\xff\xd8" + body + data.draw(st.sampled_from([b"", frame])) + tail
    header = _read_ordinary(picture)
    if header is not None:
        assert header == _read_closely(picture)


def test_an_ordinary_file_takes_the_short_way() -> None:
    header = _read_ordinary(jpeg(size=(7, 5)))
    assert header == JpegHeader(5, 7, 3, True)
