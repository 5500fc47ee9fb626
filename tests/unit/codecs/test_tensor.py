"""Ragged arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs import collate_entries
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Tensor
from tests.unit.codecs.helpers import NATIVE, SMALL, arrays_of_bytes, entry, numpy_dtype


@pytest.mark.parametrize("name", NATIVE + SMALL)
@given(data=st.data())
def test_every_dtype_round_trips(name: str, data: st.DataObject) -> None:
    shape = (*data.draw(st.tuples(st.integers(0, 5), st.integers(0, 5))), 2)
    compressed = data.draw(st.booleans())
    codec = entry(Tensor(name, (None, None, 2), "zstd" if compressed else "none"))
    array = data.draw(arrays_of_bytes(name, shape))

    encoded = codec.encode(array)
    back = codec.decode(encoded.payload, encoded.shape)

    payload = bytes(encoded.payload)
    assert (zstandard.decompress(payload) if compressed else payload) == array.tobytes()
    assert encoded.shape == shape
    assert isinstance(back, np.ndarray)
    assert back.dtype == numpy_dtype(name)
    assert back.shape == shape
    assert back.tobytes() == array.tobytes()


def test_what_is_read_is_a_read_only_view_and_raw_is_the_same() -> None:
    codec = entry(Tensor("float32", (None,)))
    payload = bytearray(np.arange(3, dtype="<f4").tobytes())
    for array in (codec.decode(payload, (3,)), codec.raw(payload, (3,))):
        assert isinstance(array, np.ndarray)
        assert np.shares_memory(array, np.frombuffer(payload, np.uint8))
        assert not array.flags.writeable


def test_a_payload_that_is_not_aligned_is_copied() -> None:
    payload = memoryview(b"\xff" + np.array([1.5, 2.5]).tobytes())[1:]
    array = entry(Tensor("float64", (None,))).decode(payload, (2,))
    assert isinstance(array, np.ndarray)
    assert array.flags.aligned
    assert array.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([[1, 2]], [[1, 2]]),
        (np.arange(4, dtype=">i2").reshape(2, 2).T, [[0, 2], [1, 3]]),
        (np.zeros((0, 2)).astype("i4"), []),
        (((),), [[]]),
    ],
    ids=repr,
)
def test_lists_and_other_layouts_are_arrays_too(value: Any, read: Any) -> None:
    codec = entry(Tensor("int32", (None, None)))
    encoded = codec.encode(value)
    array = codec.decode(encoded.payload, encoded.shape)
    assert isinstance(array, np.ndarray)
    assert array.tolist() == read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2], r"expected int32 of shape \(None, 2\), got shape \(2,\)"),
        ([[1, 2, 3]], r"got shape \(1, 3\)"),
        (5, r"got shape \(\)"),
        ([[1, 2], [3]], "no array"),
        ([[1.5, 2]], "expected int32, got float64"),
        ([[1, 2**31]], "2147483648 is out of range of int32"),
        ("text", "expected int32, got text"),
        (np.ma.MaskedArray([[1, 2]], [[True, False]]), "masked in part"),
    ],
    ids=repr,
)
def test_a_bad_sample_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        entry(Tensor("int32", (None, 2))).encode(value)


def test_a_masked_array_without_a_mask_is_an_array() -> None:
    codec = entry(Tensor("int32", (None,)))
    assert bytes(codec.encode(np.ma.MaskedArray([7])).payload) == b"\x07\0\0\0"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 2, 2), (4,), (1 << 40, 2)])
def test_bytes_that_do_not_make_the_shape_are_refused(
    compressed: bool, shape: tuple[int, ...]
) -> None:
    codec = entry(Tensor("int32", (None, 2), "zstd" if compressed else "none"))
    payload = codec.encode([[1, 2], [3, 4]]).payload
    with pytest.raises(FormatError):
        codec.decode(payload, shape)


def test_a_batch_of_ragged_samples_is_a_list_even_if_they_are_alike() -> None:
    a = np.zeros(2)
    assert collate_entries((a, None, a)) == [a, None, a]


def test_a_dimension_that_a_manifest_cannot_hold_is_refused() -> None:
    huge = np.empty((1 << 32, 0), np.int8)
    with pytest.raises(InvalidInputError, match="below 2"):
        entry(Tensor("int8", (None, None))).encode(huge)
