"""Objects in lists/: round trips, and bytes that are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import CorruptDataError, FormatError
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Blob, Description, ListRef, Piece, Refs
from aiolake.format.lists import (
    MAX_INLINE_SEGMENTS,
    blob_key,
    decode_blob,
    decode_list,
    decode_segment,
    decode_segments,
    encode_blob,
    encode_list,
    list_key,
)
from aiolake.types import Constant
from tests.unit.format.strategies import descriptions, flipped, ids, pieces, refs, runs

ID = "a" * 26
many_pieces = st.lists(pieces, max_size=8).map(tuple)


@given(descriptions, ids)
def test_descriptions_round_trip(value: Description, id: str) -> None:
    blob, data = encode_blob(value, 12, id)
    assert (blob.base, blob.id, blob.size) == (12, id, len(data))
    assert decode_blob(data, blob, Description) == value


@given(refs)
def test_tables_of_names_round_trip(value: Refs) -> None:
    blob, data = encode_blob(value, 12, ID)
    assert decode_blob(data, blob, Refs) == value


@given(runs)
def test_runs_round_trip(value: tuple[int, ...]) -> None:
    blob, data = encode_blob(value, 12, ID)
    assert decode_blob(data, blob, tuple[int, ...]) == value


@given(descriptions, st.data())
def test_damaged_blobs_are_corrupt(value: Description, data: st.DataObject) -> None:
    blob, good = encode_blob(value, 12, ID)
    cut = data.draw(st.integers(0, len(good) - 1))
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    for bad in (good[:cut], flipped(good, bit), good + b"\0"):
        with pytest.raises(CorruptDataError, match=blob_key(blob)):
            decode_blob(bad, blob, Description)


def blob_of(data: bytes) -> Blob:
    return Blob(12, ID, len(data), crc32c(data))


@given(descriptions, st.integers(0, 1 << 20))
def test_flipped_blobs_under_a_right_checksum_are_an_error_or_a_value(
    value: Description, bit: int
) -> None:
    _, good = encode_blob(value, 12, ID)
    repacked = zstandard.compress(flipped(zstandard.decompress(good), bit))
    for bad in (flipped(good, bit), repacked):
        try:
            decode_blob(bad, blob_of(bad), Description)
        except FormatError as error:
            assert blob_key(blob_of(bad)) in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "text", [b"", b"5", b"[1]", b"[1,0]", b"[-1,2]", b'["\xff"]', b"[" * 99999]
)
def test_runs_that_are_none_are_a_format_error(text: bytes) -> None:
    data = zstandard.compress(text)
    with pytest.raises(FormatError, match=ID):
        decode_blob(data, blob_of(data), tuple[int, ...])


def by_column(many: tuple[Piece, ...]) -> list[Piece]:
    return sorted(many, key=lambda piece: piece.column)


@given(many_pieces)
def test_lists_round_trip(many: tuple[Piece, ...]) -> None:
    ref, data = encode_list(many, 12, ID)
    assert (ref.size, ref.n) == (len(data), len(many))
    assert list(decode_list(data, ref)) == by_column(many)


@given(many_pieces)
def test_a_segment_is_read_alone_and_says_which_rows_it_has(many: tuple[Piece, ...]) -> None:
    ref, data = encode_list(many, 12, ID)
    assert ref.segments == decode_segments(data[: ref.header], ref)
    for segment in ref.segments or ():
        body = data[ref.header + segment.start : ref.header + segment.stop]
        found = decode_segment(body, ref, segment)
        assert list(found) == [piece for piece in many if piece.column == segment.column]
        for piece in found:
            for first, count in zip(piece.rows[::2], piece.rows[1::2], strict=True):
                assert segment.low <= first < first + count <= segment.high
                assert ref.low <= first < first + count <= ref.high


def test_a_list_of_many_columns_keeps_its_segments_to_itself() -> None:
    many = [Piece(column=i, rows=(0, 1), constant=Constant()) for i in range(65)]
    for n in (MAX_INLINE_SEGMENTS, MAX_INLINE_SEGMENTS + 1):
        ref, data = encode_list(many[:n], 12, ID)
        assert (ref.segments is None) == (n > MAX_INLINE_SEGMENTS)
        assert list(decode_list(data, ref)) == many[:n]


@given(many_pieces, st.data())
def test_damaged_lists_are_corrupt(many: tuple[Piece, ...], data: st.DataObject) -> None:
    ref, good = encode_list(many, 12, ID)
    cut = data.draw(st.integers(0, len(good) - 1))
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    for bad in (good[:cut], flipped(good, bit)):
        with pytest.raises(CorruptDataError, match=list_key(ref)):
            decode_list(bad, ref)


@given(many_pieces, st.integers(0, 1 << 20))
def test_flipped_headers_under_a_right_checksum_are_an_error_or_a_list(
    many: tuple[Piece, ...], bit: int
) -> None:
    ref, good = encode_list(many, 12, ID)
    bad = flipped(good[: ref.header], bit) + good[ref.header :]
    resealed = msgspec.structs.replace(ref, crc=crc32c(bad[: ref.header]))
    try:
        decode_list(bad, resealed)
    except FormatError as error:
        assert list_key(ref) in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "table", [None, 5, [[0, 1, 2]], [[0, 9, 2, 0, 0, 1]], [[0, -1, 2, 0, 0, 1]]]
)
def test_segments_that_are_none_are_a_format_error(table: Any) -> None:
    header = b"\0\0\0\0" + zstandard.compress(msgspec.json.encode(table))
    ref = ListRef(1, ID, len(header), len(header), crc32c(header), 0, 0, 0)
    with pytest.raises(FormatError, match=ID):
        decode_list(header, ref)
