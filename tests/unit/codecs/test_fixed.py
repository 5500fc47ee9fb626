"""Pages of fixed-shape rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs import FixedCodec, FixedRows, codec_of, collate
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Embedding, Tensor
from tests.unit.codecs.helpers import NATIVE, SMALL, arrays_of_bytes, fixed, numpy_dtype


def same_bytes(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def page_by_hand(array: Any, valid: list[bool]) -> bytes:
    """The page as the specification describes it, bit by bit."""
    if all(valid):
        return bytes(array.tobytes())
    bitmap = bytearray((len(valid) + 7) // 8)
    for row, is_valid in enumerate(valid):
        bitmap[row // 8] |= is_valid << (row % 8)
    return bytes(array.tobytes()) + bytes(bitmap)


@pytest.mark.parametrize("name", NATIVE + SMALL)
@given(data=st.data())
def test_every_dtype_round_trips_through_a_page(name: str, data: st.DataObject) -> None:
    row_shape = data.draw(st.sampled_from([(), (3,), (2, 2), (0,), (2, 0)]))
    n_rows = data.draw(st.integers(0, 20))
    valid = data.draw(st.lists(st.booleans(), min_size=n_rows, max_size=n_rows))
    compressed = data.draw(st.booleans())
    codec = fixed(Tensor(name, row_shape, "zstd" if compressed else "none"))
    array = data.draw(arrays_of_bytes(name, (n_rows, *row_shape)))
    given_rows = [row if ok else None for row, ok in zip(array, valid, strict=True)]

    rows = codec.encode_rows(given_rows)
    start = data.draw(st.integers(0, n_rows))
    stop = data.draw(st.integers(start, n_rows))
    has_nulls = rows.has_nulls(start, stop)
    payload = codec.page_payload(rows, start, stop)
    back = codec.read_page(payload, stop - start, has_nulls)

    expected = array.copy()
    expected.view(np.uint8).reshape(n_rows, math.prod(row_shape) * array.itemsize)[
        ~np.array(valid, bool)
    ] = 0
    assert same_bytes(rows.array, expected)
    assert has_nulls == (not all(valid[start:stop]))
    plain = zstandard.decompress(payload) if compressed else bytes(payload)
    assert plain == page_by_hand(expected[start:stop], valid[start:stop])
    assert same_bytes(back.array, expected[start:stop])
    assert (back.valid is None) == (not has_nulls)
    if back.valid is not None:
        assert back.valid.tolist() == valid[start:stop]


@pytest.mark.parametrize("name", NATIVE + SMALL)
def test_numpys_own_dtype_is_the_codecs(name: str) -> None:
    codec = fixed(Tensor(name, (2, 3)))
    assert codec.dtype == numpy_dtype(name)
    assert codec.dtype.byteorder in "=|<"
    assert codec.row_nbytes == 6 * numpy_dtype(name).itemsize


def test_an_array_of_the_right_dtype_is_taken_without_a_copy() -> None:
    codec = fixed(Embedding(768))
    array = np.ones((1000, 768), np.float32)
    rows = codec.encode_rows(array)
    assert np.shares_memory(rows.array, array)
    assert rows.valid is None
    page = codec.page_payload(rows, 10, 20)
    assert np.shares_memory(np.frombuffer(page, np.uint8), array)


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a[::-1], lambda a: a[:, ::2]])
def test_other_layouts_become_rows_in_order(make: Any) -> None:
    array = make(np.arange(24, dtype=np.int16).reshape(4, 6))
    codec = fixed(Tensor("int16", array.shape[1:]))
    rows = codec.encode_rows(array)
    assert bytes(codec.page_payload(rows, 0, 4)) == array.tobytes()


def test_big_endian_arrays_are_stored_little_endian() -> None:
    codec = fixed(Tensor("int32"))
    rows = codec.encode_rows(np.array([1, -2], ">i4"))
    assert bytes(codec.page_payload(rows, 0, 2)) == b"\x01\0\0\0\xfe\xff\xff\xff"


def test_a_page_read_is_a_read_only_view() -> None:
    codec = fixed(Tensor("float32", (2,)))
    payload = bytearray(codec.page_payload(codec.encode_rows([[1, 2], [3, 4]]), 0, 2))
    back = codec.read_page(payload, 2, has_nulls=False)
    assert np.shares_memory(back.array, np.frombuffer(payload, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        back.array[0] = 0


def test_a_page_that_is_not_aligned_is_copied() -> None:
    codec = fixed(Tensor("float64"))
    payload = memoryview(b"\xff" + np.array([1.5, 2.5]).tobytes())[1:]
    back = codec.read_page(payload, 2, has_nulls=False)
    assert back.array.flags.aligned
    assert back.array.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_page_of_the_wrong_size_is_refused(compression: Any, change: int) -> None:
    codec = fixed(Tensor("int32", (), compression))
    page = b"\0" * (3 * 4 + change)
    payload = zstandard.compress(page) if compression == "zstd" else page
    with pytest.raises(FormatError):
        codec.read_page(payload, 3, has_nulls=False)
    with pytest.raises(FormatError):
        codec.read_page(codec.page_payload(codec.encode_rows([1, 2, 3]), 0, 3), 3, has_nulls=True)


@pytest.mark.parametrize("payload", [b"", b"garbage of some length", zstandard.compress(b"")])
def test_a_compressed_page_that_is_no_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        fixed(Tensor("int8", (), "zstd")).read_page(payload, 5, has_nulls=False)


VALUES: list[tuple[str, tuple[int, ...], Any, list[Any]]] = [
    ("int16", (), [1, True, np.int64(-3), None], [1, 1, -3, None]),
    ("uint64", (), [1, 2**64 - 1], [1, 2**64 - 1]),
    ("int64", (), [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
    ("uint64", (2,), [[1, 2**63], (2**64 - 1, 0)], [[1, 2**63], [2**64 - 1, 0]]),
    ("float32", (), [1, 2.5, np.float16(0.5), None], [1.0, 2.5, 0.5, None]),
    ("float64", (), range(3), [0.0, 1.0, 2.0]),
    ("float32", (), [float("inf")], [float("inf")]),
    ("complex64", (), [1, 2.5, 1j], [1 + 0j, 2.5 + 0j, 1j]),
    ("bool", (), [True, np.False_, None], [True, False, None]),
    ("int8", (2,), [[1, 2], np.array([3, 4]), None], [[1, 2], [3, 4], None]),
    ("int64", (1,), [np.array([2**63 - 1], "u8"), np.array([-1])], [[2**63 - 1], [-1]]),
    ("int8", (2, 1), np.arange(4).reshape(2, 2, 1), [[[0], [1]], [[2], [3]]]),
    ("int8", (0,), [[], ()], [[], []]),
    ("int8", (), [], []),
    ("int8", (3,), (), []),
    ("int8", (3,), np.array([]), []),
    ("int8", (), np.array([3, None], object), [3, None]),
    ("float16", (), [65504], [65504.0]),
]


@pytest.mark.parametrize(("name", "shape", "values", "read"), VALUES, ids=repr)
def test_what_is_written_is_what_users_read(
    name: str, shape: tuple[int, ...], values: Any, read: list[Any]
) -> None:
    codec = fixed(Tensor(name, shape))
    rows = codec.encode_rows(values)
    assert rows.array.shape == (len(read), *shape)
    got = [codec.to_value(rows.array, rows.valid, i) for i in range(len(rows))]
    assert [v.tolist() if isinstance(v, np.ndarray) else v for v in got] == read
    if not shape:
        assert [type(v) for v in got] == [type(v) for v in read]


def test_times_and_small_floats_are_read_as_numpy_scalars() -> None:
    when = fixed(Tensor("datetime64[s]"))
    rows = when.encode_rows([np.datetime64("2020-01-01T00:00:01"), None])
    assert when.to_value(rows.array, rows.valid, 0) == np.datetime64("2020-01-01T00:00:01", "s")
    assert when.to_value(rows.array, rows.valid, 1) is None
    small = fixed(Tensor("bfloat16"))
    value = small.to_value(small.encode_rows([1.5]).array, None, 0)
    assert type(value) is numpy_dtype("bfloat16").type
    assert value == 1.5


REFUSED: list[tuple[str, tuple[int, ...], Any, int, str]] = [
    ("int32", (), [1, 2.5, 3], 1, "expected int32, got float64"),
    ("int32", (), [1.0], 0, "expected int32, got float64"),
    ("int32", (), np.array([1.0, 2.0]), 0, "expected int32, got float64"),
    ("int32", (), [1, float("nan")], 1, "expected int32, got float64"),
    ("int32", (), [1, "2"], 1, "expected int32, got text"),
    ("uint8", (), [1, 256], 1, "256 is out of range of uint8: 0 to 255"),
    ("uint8", (), [1, None, -1], 2, "-1 is out of range of uint8"),
    ("uint8", (), np.array([1, 2, 300]), 2, "300 is out of range of uint8"),
    ("int64", (), [0, 2**63], 1, "out of range of int64"),
    ("int64", (), [0, 2**70], 1, "out of range of int64"),
    ("uint64", (), [0, -1], 1, "-1 is out of range of uint64"),
    ("int4", (), [7, 8], 1, "8 is out of range of int4: -8 to 7"),
    ("float32", (), [1.0, 1e39], 1, "1e.39 is out of range of float32"),
    ("float16", (), [1, 70000], 1, "70000 is out of range of float16"),
    ("float32", (), [1j], 0, "expected float32, got complex128"),
    ("float32", (), ["1.5"], 0, "expected float32, got text"),
    ("float32", (), [b"1.5"], 0, "expected float32, got bytes"),
    ("float32", (), [1.0, {}], 1, "expected float32, got object"),
    ("float32", (2,), [[1, 2], [1, None]], 1, "expected float32, got object"),
    ("bool", (), [True, 1], 1, "expected bool, got int64"),
    ("float32", (3,), [[1, 2, 3], [1, 2]], 1, r"shape \(3,\), got shape \(2,\)"),
    ("float32", (3,), [[1, 2, 3], 1.0], 1, r"shape \(3,\), got shape \(\)"),
    ("float32", (2,), [[1, 2], [[1], [2, 3]]], 1, "no array"),
    ("float32", (3,), np.zeros((2, 4), "f4"), 0, r"shape \(3,\), got shape \(4,\)"),
    ("float32", (), np.zeros((2, 1), "f4"), 0, r"shape \(\), got shape \(1,\)"),
    ("float32", (2,), [None, None, [1]], 2, r"got shape \(1,\)"),
]


@pytest.mark.parametrize(("name", "shape", "values", "row", "reason"), REFUSED, ids=repr)
def test_a_bad_row_is_refused_saying_which_and_why(
    name: str, shape: tuple[int, ...], values: Any, row: int, reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        fixed(Tensor(name, shape)).encode_rows(values)
    assert caught.value.row == row


@pytest.mark.parametrize("values", ["text", b"bytes", 3, np.array(3), None, {1: 2}, {1}])
def test_what_is_no_sequence_of_rows_is_refused(values: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        fixed(Tensor("uint8")).encode_rows(values)


def test_masked_rows_are_none_and_what_is_under_the_mask_is_not_looked_at() -> None:
    codec = fixed(Tensor("uint8", (2,)))
    masked = np.ma.MaskedArray([[1, 2], [999, -1], [3, 4]], [[False] * 2, [True] * 2, [False] * 2])
    rows = codec.encode_rows(masked)
    assert rows.array.tolist() == [[1, 2], [0, 0], [3, 4]]
    assert rows.valid is not None
    assert rows.valid.tolist() == [True, False, True]
    assert codec.encode_rows(np.ma.MaskedArray([[1, 2]])).valid is None


def test_a_row_masked_in_part_is_refused() -> None:
    codec = fixed(Tensor("uint8", (2,)))
    partly = np.ma.MaskedArray([[1, 2], [3, 4]], [[False, False], [False, True]])
    with pytest.raises(InvalidInputError, match="masked in part") as caught:
        codec.encode_rows(partly)
    assert caught.value.row == 1
    with pytest.raises(InvalidInputError, match="masked in part"):
        codec.encode_rows([np.ma.MaskedArray([1, 2], [False, True])])


def test_a_batch_is_an_array_and_masked_only_where_something_is_none() -> None:
    codec = fixed(Tensor("int8", (2,)))
    rows = codec.encode_rows([[1, 2], None])
    batch = collate(rows.array, rows.valid)
    assert isinstance(batch, np.ma.MaskedArray)
    assert batch.tolist() == [[1, 2], [None, None]]
    full = collate(rows.array, np.ones(2, bool))
    assert full is rows.array
    assert collate(rows.array, None) is rows.array


def test_a_codec_is_made_once() -> None:
    assert codec_of(Tensor("f4", 3)) is codec_of(Tensor("float32", (3,)))


def test_has_nulls_looks_at_its_rows_only() -> None:
    rows = FixedRows(np.zeros(3), np.array([True, False, True]))
    assert rows.has_nulls(0, 2)
    assert not rows.has_nulls(2, 3)
    assert len(rows) == 3


def test_whole_pages_are_joined_as_a_copy() -> None:
    codec = codec_of(Tensor("int16", (3,)))
    assert isinstance(codec, FixedCodec)
    rows = FixedRows(np.arange(30, dtype="<i2").reshape(10, 3), None)
    pages = [codec.page_payload(rows, 0, 4), bytes(codec.page_payload(rows, 4, 10))]
    joined = codec.join_pages(pages)
    assert joined.flags.writeable
    assert not np.shares_memory(joined, rows.array)
    np.testing.assert_array_equal(joined, rows.array)
