"""Lists of samples as one payload, to the byte."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import (
    BBox,
    Bytes,
    ClassLabel,
    ColumnType,
    Embedding,
    Image,
    Json,
    Mask,
    Sequence,
    Tensor,
    Text,
)
from tests.unit.codecs.helpers import entry

TEXTS = entry(Sequence(Text()))
RAGGED = entry(Sequence(Tensor("uint16", (None, 2))))
PAIRS = entry(Sequence(Tensor("int16", (2,))))


def test_items_have_a_table_of_lengths_and_shapes_before_them() -> None:
    encoded = TEXTS.encode(["ab", "", "é"])
    assert encoded.shape == (3,)
    assert encoded.payload == b"\x01\x02\x00\x02ab\xc3\xa9"
    encoded = RAGGED.encode([[[1, 2]], np.empty((0, 2), np.uint16)])
    table = struct.pack("<BBB4I", 1, 4, 0, 1, 2, 0, 2)
    assert encoded.payload == table + b"\1\0\2\0"
    assert TEXTS.encode([]).payload == b""


@pytest.mark.parametrize(("length", "width"), [(255, 1), (256, 2), (65_535, 2), (65_536, 4)])
def test_lengths_take_as_many_bytes_as_the_longest_needs(length: int, width: int) -> None:
    payload = entry(Sequence(Bytes())).encode([b"x" * length, b"y"]).payload
    assert payload[0] == width
    assert len(payload) == 1 + 2 * width + length + 1


def test_items_of_fixed_shape_are_rows_without_a_table() -> None:
    encoded = PAIRS.encode([[1, 2], [3, -1]])
    assert (encoded.payload, encoded.shape) == (b"\1\0\2\0\3\0\xff\xff", (2,))
    assert PAIRS.encode(()).payload == b""
    read = PAIRS.decode(b"", (0,))
    assert isinstance(read, np.ndarray)
    assert (read.dtype, read.shape) == (np.dtype("int16"), (0, 2))


@pytest.mark.parametrize(
    ("of", "value", "read"),
    [
        (ClassLabel(["a", "b"]), ["b", 0], [1, 0]),
        (Embedding(2), np.ones((3, 2), np.float32), [[1, 1]] * 3),
        (Text(max_bytes=3), np.array(["abc", "d"]), ["abc", "d"]),
        (Tensor("bool", (), "zstd"), [True, False], [True, False]),
        (Text(), np.array(["abc", "d"]), ["abc", "d"]),
        (Json(), [{"a": 1}, None, [2]][::2], [{"a": 1}, [2]]),
        (Sequence(ClassLabel(["a", "b"])), [["a"], [], ["b", "b"]], [[0], [], [1, 1]]),
        (Sequence(Text("zstd")), [["a"], [], ["b", "b"]], [["a"], [], ["b", "b"]]),
        (BBox(), [[[1, 2, 3, 4]], []], [[[1, 2, 3, 4]], []]),
        (Mask("bool"), [[[True, False]], [[False]]], [[[True, False]], [[False]]]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_lists_of_any_type_are_read_as_they_were_written(
    of: ColumnType, value: Any, read: Any
) -> None:
    codec = entry(Sequence(of))
    encoded = codec.encode(value)
    found: Any = codec.decode(encoded.payload, encoded.shape)
    as_lists = found.tolist() if isinstance(found, np.ndarray) else found
    assert [x.tolist() if isinstance(x, np.ndarray) else x for x in as_lists] == read


@pytest.mark.parametrize(
    ("of", "value", "reason"),
    [
        (Text(), "abc", r"give \[value\]"),
        (Bytes(), b"abc", r"give \[value\]"),
        (Text(), {"a"}, r"give list\(value\)"),
        (Text(), {"a": 1}, r"give list\(value\)"),
        (Tensor("int16"), 3, r"give \[value\]"),
        (Text(), np.array("abc"), r"expected a list of items"),
        (Text(), ["a", None], "item 1 is None: leave it out"),
        (Tensor("int16"), [1, None], "item 1 is None: leave it out"),
        (Text(), ["a", 3], "item 1: expected text"),
        (Tensor("int16"), [1, 70_000], "item 1: 70000 is out of range"),
        (Sequence(Text()), [["a"], ["b", 3]], "item 1: item 1: expected text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_list_of_items_is_refused(of: ColumnType, value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        entry(Sequence(of)).encode(value)
    assert "row" not in caught.value.context


@pytest.mark.parametrize(
    ("payload", "n"),
    [
        (b"", 1),
        (b"\x01", 1),
        (b"\x03\x01a", 1),
        (b"\x01\x02a", 1),
        (b"\x01\x01ab", 1),
        (b"\x08" + b"\xff" * 8 + b"a", 1),
        (b"\x08" + b"\xff" * 16 + b"a", 2),
        (b"\x08" + struct.pack("<QQ", (1 << 64) - 1, 2) + b"a", 2),  # 1 in all, modulo 2**64
        (b"\x01\x01a", (1 << 32) - 1),
        (b"a", 0),
    ],
    ids=repr,
)
def test_a_table_that_lies_is_a_format_error(payload: bytes, n: int) -> None:
    for codec in (TEXTS, RAGGED):
        with pytest.raises(FormatError):
            codec.decode(payload, (n,))
        with pytest.raises(FormatError):
            codec.raw(payload, (n,))


@pytest.mark.parametrize(("payload", "n"), [(b"abc", 1), (b"", 1), (b"a", 0), (b"", (1 << 32) - 1)])
def test_rows_that_do_not_make_up_the_payload_are_a_format_error(payload: bytes, n: int) -> None:
    for type in (Tensor("int16", (2,)), Tensor("int16", (2,), "zstd"), Text(max_bytes=8)):
        with pytest.raises(FormatError):
            entry(Sequence(type)).decode(payload, (n,))


@given(st.binary(max_size=60), st.integers(0, 20))
def test_any_bytes_decode_or_are_a_format_error(payload: bytes, n: int) -> None:
    for type in (Text(), Tensor("uint8", (None,)), Sequence(Bytes()), Image(), Json()):
        codec = entry(Sequence(type))
        for read in (codec.decode, codec.raw):
            try:
                found: Any = read(payload, (n,))
            except FormatError:
                continue
            assert len(found) == n
