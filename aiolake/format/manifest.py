"""Manifest blocks: where up to 4,096 samples or pages lie, as little-endian columns.

A block's bytes are one form byte (0: as it is, 1: one zstd frame) and then::

    u32 n          entries
    u16 n_chunks   chunk objects named
    u8  flags      1: nulls, 2: parts, 4: references
    u8  ndim       numbers of shape per entry
    n_chunks x (u64 base, 26 ASCII bytes id)
    n x u16        chunk of each entry; 65,535: the payload is in parts; 65,534: it is elsewhere,
                   at this offset; 0 for an empty one
    n x u64        offset, or the index of the first part
    n x u64        length in bytes, of all parts together
    n x u32        crc32c of the stored bytes
    n x ndim x u32 shape, row by row
    nulls: ceil(n / 8) bytes, little bit order; for a page: it ends in a validity bitmap
    parts: u32 count, then as columns u16 chunk, u64 offset, u64 length, u32 crc32c
    references: u32 count, u32 source of each; u32 length, JSON of the sources

A decoded block can be relied on: its chunks, parts and byte ranges are there and hang together.

Source: docs/spec/v1.md, "Manifests".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.codecs import zstd
from aiolake.errors import FormatError
from aiolake.format.checksum import crc32c, verify
from aiolake.format.entry import ManifestRef
from aiolake.keys import CHUNKS, MANIFESTS, MAX_ENTRY, is_id, object_key

__all__ = [
    "BLOCK_ENTRIES",
    "IN_PARTS",
    "REFERRED",
    "TO_END",
    "Block",
    "Blocks",
    "Source",
    "block_ranges",
    "check_fits",
    "decode_block",
    "encode_block",
    "pack_blocks",
]

BLOCK_ENTRIES = 4096
IN_PARTS = 0xFFFF
REFERRED = 0xFFFE
TO_END = (1 << 64) - 1
MAX_BLOCK_NBYTES = 64 << 20
MAX_NDIM = 32
_MAX_OFFSET = np.uint64(1 << 62)
_HEAD = struct.Struct("<IHBB")
_CHUNK = struct.Struct("<Q26s")
_NULLS, _PARTS, _REFERENCES = 1, 2, 4
_COMPRESS_FROM = 512

Array: TypeAlias = npt.NDArray[Any]


class Parts(msgspec.Struct, frozen=True, eq=False):
    """The parts of huge payloads, as columns."""

    chunk: Array
    offset: Array
    length: Array
    crc: Array


class Source(msgspec.Struct, frozen=True, array_like=True):
    """An object outside the dataset that entries refer to."""

    url: str
    etag: str | None = None
    creds_key: str | None = None


_sources = msgspec.json.Decoder(tuple[Source, ...])


class Block(msgspec.Struct, frozen=True, eq=False, dict=True):
    """The decoded columns of a block of ``n`` entries.

    Attributes:
        chunks: (base, id) of the chunk objects named.
        chunk: uint16 (n,), index into ``chunks`` or ``IN_PARTS``.
        offset: uint64 (n,), bytes; for ``IN_PARTS`` the index of the first part.
        length: uint64 (n,), stored bytes.
        crc: uint32 (n,).
        shape: uint32 (n, ndim).
        null: bool (n,), or ``None`` without any.
        parts: Parts, or ``None`` without any.
        sources: The objects outside that entries refer to.
        source: int64 (n,), index into ``sources``, -1 for entries that do not refer to one; or
            ``None`` without any.
    """

    chunks: tuple[tuple[int, str], ...]
    chunk: Array
    offset: Array
    length: Array
    crc: Array
    shape: Array
    null: Array | None = None
    parts: Parts | None = None
    sources: tuple[Source, ...] = ()
    source: Array | None = None

    def __len__(self) -> int:
        return len(self.chunk)

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        per_entry: int = 22 + 4 * self.shape.shape[1]
        outside = sum(len(source.url) + 128 for source in self.sources)
        return 64 * len(self.chunks) + len(self) * per_entry + outside

    def chunk_keys(self) -> tuple[str, ...]:
        """The keys of the chunk objects."""
        return self._chunk_keys

    @cached_property
    def _chunk_keys(self) -> tuple[str, ...]:
        return tuple(object_key(CHUNKS, base, id) for base, id in self.chunks)

    @cached_property
    def row_ends(self) -> Array:
        """int64 (n,): where the rows of each entry end, of entries that say how many they have."""
        return np.cumsum(self.shape[:, 0], dtype=np.int64)

    def parts_of(self, i: int) -> range:
        """Which parts make entry ``i``: consecutive ones whose lengths add up to its own."""
        assert self.parts is not None
        first, total, last = int(self.offset[i]), int(self.length[i]), int(self.offset[i])
        while total > 0:
            total -= int(self.parts.length[last])
            last += 1
        return range(first, last)


def encode_block(block: Block) -> bytes:
    """The stored bytes of a block."""
    flags = _NULLS * (block.null is not None) | _PARTS * (block.parts is not None)
    flags |= _REFERENCES * (block.source is not None)
    out = [_HEAD.pack(len(block), len(block.chunks), flags, block.shape.shape[1])]
    out += [_CHUNK.pack(base, id.encode()) for base, id in block.chunks]
    out += _columns(block.chunk, block.offset, block.length, block.crc)
    out.append(block.shape.astype("<u4").tobytes())
    if block.null is not None:
        out.append(np.packbits(block.null, bitorder="little").tobytes())
    if block.parts is not None:
        parts = block.parts
        out.append(struct.pack("<I", len(parts.chunk)))
        out += _columns(parts.chunk, parts.offset, parts.length, parts.crc)
    if block.source is not None:
        out += _references(block.source, block.sources)
    return _with_form(b"".join(out))


def _references(source: Array, sources: Sequence[Source]) -> list[bytes]:
    used = source[source >= 0].astype("<u4")
    names = msgspec.json.encode(sources)
    return [struct.pack("<I", len(used)), used.tobytes(), struct.pack("<I", len(names)), names]


def _columns(chunk: Array, offset: Array, length: Array, crc: Array) -> list[bytes]:
    columns = (chunk, "<u2"), (offset, "<u8"), (length, "<u8"), (crc, "<u4")
    return [array.astype(dtype).tobytes() for array, dtype in columns]


def _with_form(raw: bytes) -> bytes:
    if len(raw) >= _COMPRESS_FROM:
        packed = zstd.compress(raw)
        if len(packed) < len(raw):
            return b"\x01" + packed
    return b"\x00" + raw


class _Reader:
    """Takes arrays off a buffer; a short buffer is a ``FormatError``."""

    def __init__(self, data: Any, where: str) -> None:
        self.data = data
        self.at = 0
        self.where = where

    def take(self, nbytes: int) -> memoryview:
        stop = self.at + nbytes
        if stop > len(self.data):
            raise FormatError(f"{self.where}: a manifest block is cut short", key=self.where)
        view = memoryview(self.data)[self.at : stop]
        self.at = stop
        return view

    def column(self, dtype: str, n: int) -> Array:
        return np.frombuffer(self.take(n * np.dtype(dtype).itemsize), dtype)


def decode_block(data: Any, where: str) -> Block:
    """Read a block's stored bytes (already verified); ``where`` names it in errors.

    Raises:
        FormatError: It is no block.
    """
    reader = _Reader(_without_form(data, where), where)
    n, n_chunks, flags, ndim = _HEAD.unpack(reader.take(_HEAD.size))
    if n > BLOCK_ENTRIES or ndim > MAX_NDIM or flags & ~(_NULLS | _PARTS | _REFERENCES):
        raise FormatError(f"{where}: a manifest block says what none can say", key=where)
    chunks = tuple(_chunk(reader) for _ in range(n_chunks))
    chunk, offset, length, crc = _read_columns(reader, n)
    shape = reader.column("<u4", n * ndim).reshape(n, ndim)
    null = None
    if flags & _NULLS:
        bits = reader.column("u1", (n + 7) // 8)
        null = np.unpackbits(bits, count=n, bitorder="little").astype(bool)
    parts = None
    if flags & _PARTS:
        (n_parts,) = struct.unpack("<I", reader.take(4))
        parts = Parts(*_read_columns(reader, n_parts))
    source: Array | None = None
    sources: tuple[Source, ...] = ()
    if flags & _REFERENCES:
        source, sources = _read_references(reader, chunk)
    block = Block(chunks, chunk, offset, length, crc, shape, null, parts, sources, source)
    if reader.at != len(reader.data) or not _hangs_together(block):
        raise FormatError(f"{where}: a manifest block contradicts itself", key=where)
    return block


def _read_references(reader: _Reader, chunk: Array) -> tuple[Array, tuple[Source, ...]]:
    source = np.full(len(chunk), -1, np.int64)
    (n,) = struct.unpack("<I", reader.take(4))
    used = reader.column("<u4", n)
    (length,) = struct.unpack("<I", reader.take(4))
    try:
        sources = _sources.decode(reader.take(length))
        source[chunk == REFERRED] = used
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise FormatError(f"{reader.where}: bad references: {error}", key=reader.where) from error
    return source, sources


def _without_form(data: Any, where: str) -> Any:
    view = memoryview(data)
    if not len(view) or view[0] not in (0, 1):
        raise FormatError(f"{where}: not a manifest block", key=where)
    if view[0] == 0:
        return view[1:]
    try:
        return zstd.decompress(view[1:], at_most=MAX_BLOCK_NBYTES)
    except FormatError as error:
        raise FormatError(f"{where}: a manifest block: {error}", key=where) from error


def _chunk(reader: _Reader) -> tuple[int, str]:
    base, id = _CHUNK.unpack(reader.take(_CHUNK.size))
    if base > MAX_ENTRY or not is_id(id.decode("latin-1")):
        raise FormatError(f"{reader.where}: a manifest names no chunk: {id!r}", key=reader.where)
    return base, id.decode("ascii")


def _read_columns(reader: _Reader, n: int) -> tuple[Array, Array, Array, Array]:
    return (
        reader.column("<u2", n),
        reader.column("<u8", n),
        reader.column("<u8", n),
        reader.column("<u4", n),
    )


def _hangs_together(block: Block) -> bool:
    """Whether every chunk, part and byte range that is named can be there."""
    in_parts, n_chunks = block.chunk == IN_PARTS, len(block.chunks)
    known = (block.chunk < n_chunks) | ((block.length == 0) & (block.chunk == 0)) | in_parts
    length = block.length
    if block.source is not None:
        referred = block.chunk == REFERRED
        known |= referred & (block.source < len(block.sources))
        length = np.where(referred & (length == TO_END), 0, length)
    if not known.all() or not _are_ranges(block.offset, length):
        return False
    parts = block.parts
    if parts is None or not in_parts.any():
        return not in_parts.any()
    if not (parts.chunk < n_chunks).all() or not _are_ranges(parts.offset, parts.length):
        return False
    return _are_parts(block.offset[in_parts], block.length[in_parts], parts.length)


def _are_ranges(offset: Array, length: Array) -> bool:
    return bool(((offset < _MAX_OFFSET) & (length < _MAX_OFFSET)).all())


def _are_parts(first: Array, total: Array, length: Array) -> bool:
    """Whether each payload of ``total`` bytes is made of whole parts from its ``first`` on."""
    ends = list(accumulate(length.tolist(), initial=0))
    number = {end: i for i, end in enumerate(ends)}
    return len(number) == len(ends) and all(
        at < len(length) and number.get(ends[at] + nbytes, 0) > at
        for at, nbytes in zip(first.tolist(), total.tolist(), strict=True)
    )


def check_fits(block: Block, n: int, ndim: int, where: str) -> Block:
    """The block, if it has as many entries and shape numbers as its piece needs.

    Raises:
        FormatError: It has not.
    """
    if len(block) != n or block.shape.shape[1] != ndim:
        raise FormatError(
            f"{where}: a manifest block has {len(block)} entries of {block.shape.shape[1]} shape "
            f"numbers; its column needs {n} of {ndim}",
            key=where,
        )
    return block


class Blocks(msgspec.Struct, frozen=True):
    """The index of a manifest object: the byte range and crc32c of each block."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    crcs: tuple[int, ...]


def pack_blocks(blocks: Sequence[bytes]) -> bytes:
    """The packed index of blocks that follow each other in an object."""
    return b"".join(struct.pack("<II", len(block), crc32c(block)) for block in blocks)


def block_ranges(ref: ManifestRef, n_entries: int | None = None) -> Blocks:
    """Unpack a manifest's block index; ``n_entries`` is how many entries it must have.

    Raises:
        FormatError: They would be in another number of blocks.
    """
    table = np.frombuffer(ref.blocks, "<u4").reshape(-1, 2)
    if n_entries is not None and len(table) != -(-n_entries // BLOCK_ENTRIES):
        key = object_key(MANIFESTS, ref.base, ref.id)
        raise FormatError(f"{key!r} has {len(table)} blocks for {n_entries} entries", key=key)
    stops = np.cumsum(table[:, 0], dtype=np.int64)
    starts = stops - table[:, 0]
    return Blocks(tuple(starts.tolist()), tuple(stops.tolist()), tuple(table[:, 1].tolist()))


def check_block(data: Any, crc: int, key: str, start: int) -> None:
    """Verify the stored bytes of a block of a manifest object."""
    verify(data, crc, key, start)
