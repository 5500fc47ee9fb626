"""Manifest blocks: round trips, and bytes that are none."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import CorruptDataError, FormatError
from aiolake.format.entry import ManifestRef
from aiolake.format.manifest import (
    BLOCK_ENTRIES,
    IN_PARTS,
    Block,
    block_ranges,
    check_block,
    check_fits,
    decode_block,
    encode_block,
    pack_blocks,
)
from tests.format.reader import read_block
from tests.unit.format.strategies import blocks, flipped

KEY = "manifests/000000000001/aaaaaaaaaaaaaaaaaaaaaaaaaa"


def same(a: object, b: object) -> bool:
    return (a is None) == (b is None) and (a is None or np.array_equal(a, b))  # type: ignore[arg-type]


def assert_same(a: Block, b: Block) -> None:
    assert a.chunks == b.chunks
    for name in ("chunk", "offset", "length", "crc", "shape", "null"):
        assert same(getattr(a, name), getattr(b, name)), name
    assert (a.parts is None) == (b.parts is None)
    if a.parts is not None:
        for name in ("chunk", "offset", "length", "crc"):
            assert same(getattr(a.parts, name), getattr(b.parts, name)), name


def assert_usable(block: Block) -> None:
    """All that a reader of it does: chunk keys, ranges, parts."""
    keys = block.chunk_keys()
    for i in range(len(block)):
        if block.chunk[i] == IN_PARTS:
            assert block.parts is not None
            members = block.parts_of(i)
            assert sum(int(block.parts.length[part]) for part in members) == int(block.length[i])
            assert all(keys[int(block.parts.chunk[part])] for part in members)
        elif block.length[i]:
            assert keys[int(block.chunk[i])]
    assert not len(block) or int(block.offset.max()) + int(block.length.max()) < 1 << 63


@given(blocks())
def test_round_trip(block: Block) -> None:
    data = encode_block(block)
    assert_same(decode_block(data, KEY), block)
    assert_usable(block)


@given(blocks())
def test_the_independent_reader_reads_the_same(block: Block) -> None:
    read = read_block(encode_block(block))
    assert tuple(read.chunks) == block.chunk_keys()
    columns = (block.chunk, block.offset, block.length, block.crc)
    assert read.entries == list(zip(*(column.tolist() for column in columns), strict=True))
    assert [list(shape) for shape in read.shapes] == block.shape.tolist()
    assert read.flags == ([False] * len(block) if block.null is None else block.null.tolist())
    assert len(read.parts) == (0 if block.parts is None else len(block.parts.length))


def test_a_full_block_is_compressed_and_comes_back() -> None:
    n = BLOCK_ENTRIES
    block = Block(
        ((7, "a" * 26),),
        np.zeros(n, np.uint16),
        np.arange(n, dtype=np.uint64) * np.uint64(100),
        np.full(n, 100, np.uint64),
        np.arange(n, dtype=np.uint32),
        np.zeros((n, 0), np.uint32),
    )
    data = encode_block(block)
    assert data[0] == 1
    assert len(data) < n * 22
    assert_same(decode_block(data, KEY), block)


@given(blocks(), st.data())
def test_a_block_cut_short_is_a_format_error(block: Block, data: st.DataObject) -> None:
    stored = encode_block(block)
    cut = data.draw(st.integers(0, len(stored) - 1))
    with pytest.raises(FormatError, match=KEY):
        decode_block(stored[:cut], KEY)
    with pytest.raises(FormatError, match=KEY):
        decode_block(stored + b"\0", KEY)


@given(blocks(), st.integers(0, 1 << 20))
def test_a_flipped_bit_gives_an_error_or_a_block_that_holds_together(
    block: Block, bit: int
) -> None:
    stored = encode_block(block)
    plain = b"\0" + (zstandard.decompress(stored[1:]) if stored[0] else stored[1:])
    for data in (flipped(stored, bit), flipped(plain, bit)):
        try:
            found = decode_block(data, KEY)
        except FormatError as error:
            assert KEY in str(error)  # noqa: PT017
        else:
            assert_usable(found)


@given(st.binary(max_size=80))
def test_any_bytes_give_an_error_or_a_block(data: bytes) -> None:
    for form in (b"", b"\0", b"\0" + struct.pack("<IHBB", 1, 1, 0, 0)):
        try:
            assert_usable(decode_block(form + data, KEY))
        except FormatError as error:
            assert KEY in str(error)  # noqa: PT017


def test_a_frame_that_claims_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = b"\1" + zstandard.compress(bytes((64 << 20) + 1))
    with pytest.raises(FormatError, match="claims to hold"):
        decode_block(bomb, KEY)


HEAD = struct.Struct("<IHBB")
CHUNK = struct.pack("<Q", 1) + b"a" * 26


@pytest.mark.parametrize(
    "content",
    [
        HEAD.pack(BLOCK_ENTRIES + 1, 0, 0, 0) + bytes(22 * (BLOCK_ENTRIES + 1)),
        HEAD.pack(0, 0, 0, 33),
        HEAD.pack(0, 0, 4, 0),
        HEAD.pack(0, 1, 0, 0) + struct.pack("<Q", 10**12) + b"a" * 26,
        HEAD.pack(0, 1, 0, 0) + struct.pack("<Q", 1) + b"../" * 8 + b"aa",
        HEAD.pack(0, 1, 0, 0) + struct.pack("<Q", 1) + b"\xff" * 26,
        HEAD.pack(1, 1, 0, 0) + CHUNK + struct.pack("<HQQI", 1, 0, 5, 0),
        HEAD.pack(1, 1, 0, 0) + CHUNK + struct.pack("<HQQI", 9, 0, 0, 0),
        HEAD.pack(1, 1, 0, 0) + CHUNK + struct.pack("<HQQI", 0, 1 << 63, 5, 0),
        HEAD.pack(1, 1, 0, 0) + CHUNK + struct.pack("<HQQI", IN_PARTS, 0, 0, 0),
        HEAD.pack(1, 1, 2, 0) + CHUNK + struct.pack("<HQQII", IN_PARTS, 0, 5, 0, 0),
        HEAD.pack(1, 1, 2, 0)
        + CHUNK
        + struct.pack("<HQQI IHQQI", IN_PARTS, 0, 5, 0, 1, 0, 0, 6, 0),
        HEAD.pack(1, 1, 2, 0)
        + CHUNK
        + struct.pack("<HQQI IHQQI", IN_PARTS, 1, 5, 0, 1, 0, 0, 5, 0),
        HEAD.pack(1, 1, 2, 0)
        + CHUNK
        + struct.pack("<HQQI IHQQI", IN_PARTS, 0, 5, 0, 1, 1, 0, 5, 0),
    ],
    ids=[
        "too many entries",
        "too many dimensions",
        "an unknown flag",
        "a base of 13 digits",
        "an id that climbs",
        "an id that is no text",
        "a chunk it does not name",
        "a chunk it does not name, for nothing",
        "an offset beyond 2**62",
        "parts without any",
        "parts that are not there",
        "parts that are too long",
        "a first part that is not there",
        "a part in a chunk it does not name",
    ],
)
def test_what_no_writer_writes_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=KEY):
        decode_block(b"\0" + content, KEY)


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_block_ranges_follow_each_other(many: list[bytes]) -> None:
    ranges = block_ranges(ManifestRef(1, "a" * 26, pack_blocks(many)))
    data = b"".join(many)
    for i, block in enumerate(many):
        start, stop = ranges.starts[i], ranges.stops[i]
        assert data[start:stop] == block
        check_block(data[start:stop], ranges.crcs[i], KEY, start)
        with pytest.raises(CorruptDataError, match=KEY):
            check_block(data[start:stop] + b"!", ranges.crcs[i], KEY, start)


def test_blocks_must_be_as_many_as_the_rows_need() -> None:
    ref = ManifestRef(1, "a" * 26, pack_blocks([b"x", b"y"]))
    assert len(block_ranges(ref, BLOCK_ENTRIES + 1).starts) == 2
    with pytest.raises(FormatError, match=KEY):
        block_ranges(ref, BLOCK_ENTRIES)


@given(blocks())
def test_a_block_must_fit_its_piece(block: Block) -> None:
    n, ndim = block.shape.shape
    assert check_fits(block, n, ndim, KEY) is block
    for wrong in ((n + 1, ndim), (n, ndim + 1)):
        with pytest.raises(FormatError, match=KEY):
            check_fits(block, *wrong, KEY)
