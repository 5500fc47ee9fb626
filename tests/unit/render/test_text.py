"""Values as short texts and as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from aiolake import Audio, Bytes, ClassLabel, ColumnType, Image, Json, Tensor, Text, Video
from aiolake.render.text import as_json, cell, count, picture_format, printable, shortened, size
from aiolake.render.text import values_of as values


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (38_400_000, "38.4 MB"),
        (5 * 10**12, "5.0 TB"),
        (10**15, "1.0 PB"),
        (2_500 * 10**15, "2,500.0 PB"),
    ],
)
def test_sizes(nbytes: int, text: str) -> None:
    assert size(nbytes) == text


def test_counts() -> None:
    assert [count(n, "row") for n in (0, 1, 6000)] == ["0 rows", "1 row", "6,000 rows"]
    assert count(2, "entry", "entries") == "2 entries"


def test_control_characters_become_escapes() -> None:
    assert printable("a\x1b[31m\r\nb\u202e") == r"a\x1b[31m\r\nb\u202e"
    assert printable("a\nb\x07", keep="\n") == "a\nb\\x07"
    assert printable("žluťoučký 🐈") == "žluťoučký 🐈"


def test_shortened_text_has_one_line_and_says_that_it_was_cut() -> None:
    assert shortened("one\n two\t three") == "one two three"
    assert shortened("x" * 48) == "x" * 48
    assert shortened("x" * 49) == "x" * 45 + "..."
    assert shortened("a" + " " * 1000 + "b").endswith("...")
    assert len(shortened("\x1b" * 48)) == 48


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        (Text(), None, "-"),
        (Text(), "hello", "hello"),
        (Json(), {"a": [1, "é"]}, '{"a": [1, "é"]}'),
        (Bytes(), b"", "0 B: "),
        (Video(), b"....ftypisom", "MP4 or QuickTime 12 B"),
        (Audio(), b"fLaC", "FLAC 4 B"),
        (Bytes(), bytes(range(20)), "20 B: 00 01 02 03 04 05 06 07"),
        (ClassLabel(["cat", "dog"]), np.int32(1), "dog"),
        (ClassLabel(["cat"]), np.int32(7), "7"),
        (Tensor("float32"), np.float32(0.5), "0.5"),
        (Tensor("bool"), np.bool_(True), "True"),
        (Tensor("int8", (2,)), np.array([1, -2], np.int8), "[1, -2]"),
        (Tensor("int8", (0,)), np.zeros(0, np.int8), "[]"),
        (Tensor("int8", (7,)), np.zeros(7, np.int8), "int8 7"),
        (Tensor("uint8", (2, 3)), np.zeros((2, 3), np.uint8), "uint8 2x3"),
        (Image(), b"\x89PNG no more", "png ? 12 B"),
    ],
)
def test_cells(type: ColumnType, value: Any, text: str) -> None:
    assert cell(type, value) == text


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        (Text(), None, None),
        (Text(), "a" * 500, "a" * 500),
        (Json(), {"a": None}, {"a": None}),
        (Bytes(), b"abc", {"nbytes": 3}),
        (Audio(), b"fLaC", {"format": "FLAC", "nbytes": 4}),
        (Video(), b"abc", {"format": "unknown", "nbytes": 3}),
        (ClassLabel(["cat", "dog"]), np.int32(0), "cat"),
        (Tensor("float64", (3,)), np.array([1.5, np.nan, np.inf]), [1.5, None, None]),
        (Tensor("int64"), np.int64(2**60), 2**60),
        (Tensor("bool", (1,)), np.array([True]), [True]),
        (Tensor("complex64"), np.complex64(1 + 2j), "(1+2j)"),
        (Tensor("datetime64[D]"), np.datetime64("2024-02-29"), "2024-02-29"),
        (Image(), b"broken", {"format": "picture", "shape": None, "nbytes": 6}),
    ],
)
def test_json(type: ColumnType, value: Any, expected: Any) -> None:
    found = as_json(type, value)
    assert found == expected
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n", "png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\0\0\0\0WAVE", "picture"),
        (b"GIF89a", "gif"),
        (b"", "picture"),
    ],
)
def test_formats_of_pictures(beginning: bytes, name: str) -> None:
    assert picture_format(beginning) == name


def test_values_of_a_batch_that_is_masked() -> None:
    mask = np.array([[False, False], [True, True]])
    first, second = values(np.ma.array(np.ones((2, 2)), mask=mask))
    assert (first.tolist(), second) == ([1.0, 1.0], None)
    assert values(np.ma.array([1, 2], mask=[True, False])) == [None, 2]


def test_values_of_a_batch_that_is_not() -> None:
    assert values(["a", None]) == ["a", None]
    assert values(np.array([1, 2])) == [1, 2]
    assert values(np.ma.array([1, 2])) == [1, 2]
