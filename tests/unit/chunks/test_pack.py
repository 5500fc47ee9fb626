from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiolake.chunks.pack import ColumnPacker
from aiolake.codecs import Encoded, EntryCodec, codec_of
from aiolake.format.checksum import crc32c
from aiolake.types import Image

samples = st.lists(st.binary(max_size=12), max_size=30)


def _packer() -> ColumnPacker:
    codec = codec_of(Image())
    assert isinstance(codec, EntryCodec)
    return ColumnPacker(0, codec)


@given(st.lists(samples, max_size=4), st.integers(1, 40))
def test_a_run_of_samples_is_packed_as_they_are_one_by_one(
    runs: list[list[bytes]], chunk_bytes: int
) -> None:
    packer, chunks = _packer(), []
    for run in runs:
        encoded = [Encoded(payload, (1, len(payload), 3)) for payload in run]
        chunks += packer.add(encoded, chunk_bytes=chunk_bytes)
    chunks.append(packer.take_chunk())
    stored = [b"".join(map(bytes, chunk)) for chunk in chunks]
    wanted = [payload for run in runs for payload in run]
    table = packer.table
    found = [
        stored[chunk][offset : offset + length]
        for chunk, offset, length in zip(table.chunk, table.offset, table.length, strict=True)
    ]
    assert found == wanted
    assert table.crc == [crc32c(payload) for payload in wanted]
    assert table.shape == [(1, len(payload), 3) for payload in wanted]
    assert packer.n_rows == len(wanted) == len(table.null)
    assert not any(table.null)
    assert packer.nbytes == sum(map(len, wanted)) == sum(map(len, stored))
    for chunk in chunks[:-1]:  # each is closed by the sample that fills it
        assert sum(map(len, chunk[:-1])) < chunk_bytes <= sum(map(len, chunk))
    assert sum(map(len, chunks[-1])) < chunk_bytes


def test_a_run_with_nones_keeps_them() -> None:
    packer = _packer()
    packer.add([Encoded(b"ab", (1, 1, 3)), None, Encoded(b"c", (2, 1, 1))], chunk_bytes=100)
    assert packer.table.null == [False, True, False]
    assert packer.table.offset == [0, 0, 2]
