"""Checksums of every kind of buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import CorruptDataError
from aiolake.format.checksum import crc32c, verify
from tests.format.reader import crc32c as by_table

VECTORS = [
    (b"", 0),
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
]


@pytest.mark.parametrize(("data", "expected"), VECTORS)
def test_the_rfcs_vectors(data: bytes, expected: int) -> None:
    assert crc32c(data) == by_table(data) == expected


@given(st.binary(max_size=300))
def test_a_table_gives_the_same(data: bytes) -> None:
    assert crc32c(data) == by_table(data)


@given(st.binary(max_size=50))
def test_every_buffer_gives_the_same(data: bytes) -> None:
    array = np.frombuffer(data, np.uint8)
    buffers = bytearray(data), memoryview(data), memoryview(bytearray(data)), array
    assert {crc32c(buffer) for buffer in buffers} == {crc32c(data)}


def test_a_mismatch_names_key_and_range() -> None:
    verify(b"abc", crc32c(b"abc"), "chunks/x", 10)
    with pytest.raises(CorruptDataError) as caught:
        verify(b"abd", crc32c(b"abc"), "chunks/x", 10)
    assert (caught.value.key, caught.value.start, caught.value.stop) == ("chunks/x", 10, 13)
