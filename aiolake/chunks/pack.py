"""Packing samples into chunks and manifests. Pure: what is to be uploaded comes out as values.

A packer takes encoded samples in order. Full chunks are taken out with ``take_chunk`` while it
goes; what remains may share an object with other columns. Only at the end, when the base and
every chunk's place are known, is the manifest written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeGuard

import msgspec
import numpy as np

from aiolake.chunks.measure import Measure, zones_of
from aiolake.chunks.outside import LinkTable
from aiolake.chunks.shorts import ShortPages
from aiolake.codecs import (
    ByteCodec,
    ByteRows,
    Encoded,
    EntryCodec,
    FixedCodec,
    FixedRows,
    LinkRows,
)
from aiolake.format.checksum import crc32c
from aiolake.format.entry import ManifestRef, Piece
from aiolake.format.manifest import (
    BLOCK_ENTRIES,
    IN_PARTS,
    Array,
    Block,
    Parts,
    encode_block,
    pack_blocks,
)
from aiolake.format.statistics import Statistics
from aiolake.stores.base import Buffer

__all__ = [
    "MAX_PART_BYTES",
    "MEDIA_PART_BYTES",
    "ColumnPacker",
    "Place",
    "Table",
    "page_rows_of",
    "piece_of",
]

MAX_PART_BYTES = 8 << 20
MEDIA_PART_BYTES = 1 << 20
"""Of media a second is read alone: what it touches is a few parts, each read whole to verify it."""
_PLAIN_PAGE_BYTES = 4 << 10
_PACKED_PAGE_BYTES = 128 << 10
_MAX_PAGE_ROWS = 4096


class Place(msgspec.Struct, frozen=True):
    """Where a taken chunk ended up: its object, and the offset of its first byte in it."""

    base: int
    id: str
    shift: int = 0


class Table(msgspec.Struct):
    """The entries of a piece, growing; chunks are numbered in the order they are taken."""

    chunk: list[int] = msgspec.field(default_factory=list)
    offset: list[int] = msgspec.field(default_factory=list)
    length: list[int] = msgspec.field(default_factory=list)
    crc: list[int] = msgspec.field(default_factory=list)
    null: list[bool] = msgspec.field(default_factory=list)
    shape: list[tuple[int, ...]] = msgspec.field(default_factory=list)
    parts: list[tuple[int, int, int, int]] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.chunk)

    def add(
        self, chunk: int, offset: int, length: int, crc: int, null: bool, shape: tuple[int, ...]
    ) -> None:
        """One more entry."""
        self.chunk.append(chunk)
        self.offset.append(offset)
        self.length.append(length)
        self.crc.append(crc)
        self.null.append(null)
        self.shape.append(shape)

    def extend(self, lengths: list[int], crcs: list[int], shapes: list[tuple[int, ...]]) -> None:
        """More entries, whose places ``place`` gives."""
        self.length += lengths
        self.crc += crcs
        self.shape += shapes
        self.null += [False] * len(lengths)

    def place(self, chunk: int, offsets: list[int]) -> None:
        """The places, in one chunk, of the next entries that have none."""
        self.chunk += [chunk] * len(offsets)
        self.offset += offsets

    def blocks(self, places: Sequence[Place], ndim: int) -> list[bytes]:
        """The encoded manifest blocks, once each chunk's place is known."""
        return [
            encode_block(self._block(start, min(start + BLOCK_ENTRIES, len(self)), places, ndim))
            for start in range(0, len(self), BLOCK_ENTRIES)
        ]

    def _block(self, start: int, stop: int, places: Sequence[Place], ndim: int) -> Block:
        rows = slice(start, stop)
        chunk = np.asarray(self.chunk[rows], np.int64)
        offset = np.asarray(self.offset[rows], np.int64)
        in_parts = chunk < 0
        parts = self._parts_of(offset[in_parts], np.asarray(self.length[rows])[in_parts])
        stored = ~in_parts & (np.asarray(self.length[rows]) > 0)
        used = sorted({*chunk[stored].tolist(), *(int(part[0]) for part in parts)})
        number = {k: i for i, k in enumerate(used)}
        shifts = {k: places[k].shift for k in used}
        shift = np.asarray([shifts.get(k, 0) for k in chunk.tolist()], np.int64)
        null = np.asarray(self.null[rows], bool)
        return Block(
            chunks=tuple((places[k].base, places[k].id) for k in used),
            chunk=np.where(
                in_parts, IN_PARTS, np.asarray([number.get(k, 0) for k in chunk.tolist()])
            ),
            offset=np.where(in_parts, _renumbered(in_parts, offset), offset + shift),
            length=np.asarray(self.length[rows], np.uint64),
            crc=np.asarray(self.crc[rows], np.uint32),
            shape=_shapes(self.shape[rows], ndim),
            null=null if null.any() else None,
            parts=_part_columns(parts, number, places) if parts else None,
        )

    def _parts_of(self, firsts: Array, lengths: Array) -> list[tuple[int, int, int, int]]:
        found: list[tuple[int, int, int, int]] = []
        for first, length in zip(firsts.tolist(), lengths.tolist(), strict=True):
            while length > 0:
                found.append(self.parts[first])
                length -= self.parts[first][2]
                first += 1
        return found


def _shapes(shape: Sequence[tuple[int, ...]], ndim: int) -> Array:
    if not ndim:
        return np.empty((len(shape), 0), np.uint32)
    return np.asarray(shape, np.uint32).reshape(len(shape), ndim)


def _renumbered(in_parts: Array, offset: Array) -> Array:
    """First parts counted from the block's own first part."""
    return offset - (offset[in_parts].min() if in_parts.any() else 0)


def _part_columns(
    parts: list[tuple[int, int, int, int]], number: dict[int, int], places: Sequence[Place]
) -> Parts:
    return Parts(
        np.asarray([number[p[0]] for p in parts], np.uint16),
        np.asarray([p[1] + places[p[0]].shift for p in parts], np.uint64),
        np.asarray([p[2] for p in parts], np.uint64),
        np.asarray([p[3] for p in parts], np.uint32),
    )


def page_rows_of(codec: FixedCodec) -> int:
    """Rows per page: at least 4 KiB of whole rows as they are, about 128 KiB compressed."""
    wanted = _PACKED_PAGE_BYTES if codec.compression == "zstd" else _PLAIN_PAGE_BYTES
    if codec.row_nbytes == 0:
        return _MAX_PAGE_ROWS
    return max(1, min(_MAX_PAGE_ROWS, -(-wanted // codec.row_nbytes)))


class ColumnPacker:
    """Packs the samples of one column of one piece.

    Attributes:
        column: Column id.
        n_rows: Rows added.
        nbytes: Payload bytes added.
        pending_nbytes: Of these, bytes not yet taken out in a chunk.
    """

    def __init__(self, column: int, codec: FixedCodec | EntryCodec, *, media: bool = False) -> None:
        self.column = column
        self._pages = codec if isinstance(codec, FixedCodec) else None
        self._bytes = codec if isinstance(codec, ByteCodec) else None
        self._ndim = 0 if isinstance(codec, FixedCodec) else codec.ndim
        self._part_bytes = min(MEDIA_PART_BYTES, MAX_PART_BYTES) if media else MAX_PART_BYTES
        self._page_rows = 1 if self._pages is None else page_rows_of(self._pages)
        self._shorts = None if self._bytes is None else ShortPages(self._bytes)
        self.n_rows = 0
        self.nbytes = 0
        self.pending_nbytes = 0
        self.table = Table()
        self._outside = LinkTable()
        self._measure = Measure(codec)
        self._rows: list[FixedRows] = []
        self._n_buffered = 0
        self._buffers: list[Buffer] = []
        self._n_chunks = 0

    @property
    def _varies(self) -> bool:
        """Whether an entry holds more than one short value."""
        return self._shorts is not None and len(self.table) != self.n_rows

    @property
    def page_rows(self) -> int:
        """Rows per entry; 0 where each entry says how many it has."""
        return 0 if self._varies else self._page_rows

    @property
    def ndim(self) -> int:
        """Shape numbers per entry."""
        return 1 if self._varies else self._ndim

    def block_rows(self) -> list[int]:
        """The rows of each block, where pages vary in length; else nothing."""
        if not self._varies:
            return []
        counts = self.table.shape
        starts = range(0, len(counts), BLOCK_ENTRIES)
        return [sum(n for (n,) in counts[at : at + BLOCK_ENTRIES]) for at in starts]

    def add(self, samples: Sequence[Encoded | None], *, chunk_bytes: int) -> list[list[Buffer]]:
        """Add encoded samples; returns the chunks that became full, in order."""
        self._measure.add_entries(samples)
        full: list[list[Buffer]] = []
        if _are_whole(samples):
            self._add_whole(samples, chunk_bytes, full)
            return full
        for sample in samples:
            self.n_rows += 1
            if sample is None:
                self.table.add(self._n_chunks, 0, 0, 0, True, (0,) * self.ndim)
            elif len(sample.payload) > MAX_PART_BYTES:
                self._add_parts(sample.payload, sample.shape, False, chunk_bytes, full)
            else:
                offset, crc = self._put(_owned(sample.payload))
                length = len(sample.payload)
                self.table.add(self._n_chunks, offset, length, crc, False, sample.shape)
            self._close_full(chunk_bytes, full)
        return full

    def add_rows(self, rows: FixedRows, *, chunk_bytes: int) -> list[list[Buffer]]:
        """Add rows of a fixed-shape column; returns the chunks that became full."""
        self.n_rows += len(rows)
        self._measure.add_rows(rows)
        if self._n_buffered + len(rows) < self._page_rows:
            self._buffer(FixedRows(rows.array.copy(), rows.valid))
            return []
        full: list[list[Buffer]] = []
        start = 0
        if self._n_buffered:
            start = self._page_rows - self._n_buffered
            self._buffer(_slice(rows, 0, start))
            self._flush_rows(chunk_bytes, full)
        stop = len(rows) - (len(rows) - start) % self._page_rows
        for at in range(start, stop, self._page_rows):
            self._add_page(rows, at, at + self._page_rows, chunk_bytes, full)
        if stop < len(rows):
            rest = _slice(rows, stop, len(rows))
            self._buffer(FixedRows(rest.array.copy(), rest.valid))
        return full

    def add_bytes(self, rows: ByteRows, *, chunk_bytes: int) -> list[list[Buffer]]:
        """Add values of varying size; returns the chunks that became full."""
        assert self._shorts is not None
        self.n_rows += len(rows)
        self._measure.add_bytes(rows)
        full: list[list[Buffer]] = []
        for page in self._shorts.add(rows):
            self._add_shorts(page, chunk_bytes, full)
        return full

    def add_links(self, rows: LinkRows) -> None:
        """Add references; nothing of theirs is stored but where they point."""
        self.n_rows += len(rows)
        self._measure.add_missing(int((rows.object < 0).sum()))
        self._outside.add(rows)

    @property
    def n_entries(self) -> int:
        """Entries so far."""
        return len(self.table) + len(self._outside)

    def blocks(self, places: Sequence[Place]) -> list[bytes]:
        """The encoded manifest blocks, once each chunk's place is known."""
        return (
            self._outside.blocks() if len(self._outside) else self.table.blocks(places, self.ndim)
        )

    def finish(self, *, chunk_bytes: int) -> list[list[Buffer]]:
        """Write the last, shorter page; returns the chunks that became full."""
        full: list[list[Buffer]] = []
        if self._n_buffered:
            self._flush_rows(chunk_bytes, full)
        rest = None if self._shorts is None else self._shorts.rest()
        if rest is not None:
            self._add_shorts(rest, chunk_bytes, full)
        return full

    def take_chunk(self) -> list[Buffer]:
        """Take out what is pending, as one chunk; its number is how many were taken before."""
        taken, self._buffers = self._buffers, []
        self.pending_nbytes = 0
        self._n_chunks += 1
        return taken

    def statistics(self, *, inline: bool) -> tuple[Statistics, bytes]:
        """What the rows are like, and the table of their zones; ``b""`` where there is none.

        Args:
            inline: The table shall lie in the piece.
        """
        whole, zones = self._measure.finish()
        found = zones_of(zones, whole, self._measure.order, inline=inline)
        if found is None:
            return whole, b""
        ref, table = found
        if inline:
            ref, table = msgspec.structs.replace(ref, inline=table), b""
        return msgspec.structs.replace(whole, zones=ref), table

    def _close_full(self, chunk_bytes: int, full: list[list[Buffer]]) -> None:
        if self.pending_nbytes >= chunk_bytes:
            full.append(self.take_chunk())

    def _add_whole(
        self, samples: Sequence[Encoded], chunk_bytes: int, full: list[list[Buffer]]
    ) -> None:
        """Samples of one part each, none of them None, as columns."""
        payloads = [_owned(sample.payload) for sample in samples]
        lengths = [len(payload) for payload in payloads]
        self.table.extend(
            lengths, [crc32c(payload) for payload in payloads], [s.shape for s in samples]
        )
        self.n_rows += len(samples)
        start = 0
        while start < len(payloads):
            ends = list(accumulate(lengths[start:], initial=self.pending_nbytes))
            n = min(len(payloads) - start, bisect_left(ends, chunk_bytes, 1))
            self.table.place(self._n_chunks, ends[:n])
            self._buffers += payloads[start : start + n]
            self.nbytes += ends[n] - self.pending_nbytes
            self.pending_nbytes = ends[n]
            self._close_full(chunk_bytes, full)
            start += n

    def _put(self, payload: Buffer) -> tuple[int, int]:
        """Append a payload to the open chunk; its offset and checksum."""
        offset = self.pending_nbytes
        self._buffers.append(payload)
        self.pending_nbytes += len(payload)
        self.nbytes += len(payload)
        return offset, crc32c(payload)

    def _add_parts(
        self,
        payload: Buffer,
        shape: tuple[int, ...],
        null: bool,
        chunk_bytes: int,
        full: list[list[Buffer]],
    ) -> None:
        view, total = memoryview(_owned(payload)), len(payload)
        n_parts = -(-total // self._part_bytes)
        size = -(-total // n_parts)
        self.table.add(-1, len(self.table.parts), total, 0, null, shape)
        for start in range(0, total, size):
            part = view[start : start + size]
            offset, crc = self._put(part)
            self.table.parts.append((self._n_chunks, offset, len(part), crc))
            self._close_full(chunk_bytes, full)

    def _add_page(
        self, rows: FixedRows, start: int, stop: int, chunk_bytes: int, full: list[list[Buffer]]
    ) -> None:
        assert self._pages is not None
        payload = _owned(self._pages.page_payload(rows, start, stop))
        null = rows.has_nulls(start, stop)
        if len(payload) > MAX_PART_BYTES:
            self._add_parts(payload, (), null, chunk_bytes, full)
            return
        offset, crc = self._put(payload)
        self.table.add(self._n_chunks, offset, len(payload), crc, null, ())
        self._close_full(chunk_bytes, full)

    def _add_shorts(self, rows: ByteRows, chunk_bytes: int, full: list[list[Buffer]]) -> None:
        """An entry of one value that stands alone, or of a page of several."""
        assert self._bytes is not None
        null, shape = bool(rows.missing), (len(rows),)
        payload = self._short_payload(self._bytes, rows)
        if len(payload) > MAX_PART_BYTES:
            self._add_parts(payload, shape, null, chunk_bytes, full)
            return
        offset, crc = self._put(payload)
        self.table.add(self._n_chunks, offset, len(payload), crc, null, shape)
        self._close_full(chunk_bytes, full)

    def _short_payload(self, codec: ByteCodec, rows: ByteRows) -> bytes:
        if len(rows.missing) == len(rows):
            return b""
        return codec.page_payload(rows) if len(rows) > 1 else codec.packed(rows.values[0])

    def _buffer(self, rows: FixedRows) -> None:
        self._rows.append(rows)
        self._n_buffered += len(rows)

    def _flush_rows(self, chunk_bytes: int, full: list[list[Buffer]]) -> None:
        rows = self._rows[0] if len(self._rows) == 1 else _concatenated(self._rows)
        self._rows, self._n_buffered = [], 0
        self._add_page(rows, 0, len(rows), chunk_bytes, full)


def _are_whole(samples: Sequence[Encoded | None]) -> TypeGuard[Sequence[Encoded]]:
    return all(sample is not None and len(sample.payload) <= MAX_PART_BYTES for sample in samples)


def _owned(payload: Buffer) -> Buffer:
    """A payload that the caller cannot change any more."""
    return payload if isinstance(payload, bytes) else bytes(payload)


def _slice(rows: FixedRows, start: int, stop: int) -> FixedRows:
    return FixedRows(rows.array[start:stop], None if rows.valid is None else rows.valid[start:stop])


def _concatenated(many: list[FixedRows]) -> FixedRows:
    valid = None
    if any(rows.valid is not None for rows in many):
        valid = np.concatenate(
            [np.ones(len(r), bool) if r.valid is None else r.valid for r in many]
        )
    return FixedRows(np.concatenate([rows.array for rows in many]), valid)


def piece_of(
    packer: ColumnPacker,
    blocks: Sequence[bytes],
    rows: tuple[int, ...],
    statistics: Statistics,
    *,
    manifest: tuple[int, str] | None,
) -> Piece:
    """The piece of a packed column.

    Args:
        packer: The finished packer.
        blocks: Its encoded manifest blocks.
        rows: The row-id runs it covers.
        statistics: What the rows are like.
        manifest: (base, id) of the object the blocks lie in; ``None`` for a single block inline.
    """
    ref = None
    if manifest is not None:
        rows_of_blocks = np.asarray(packer.block_rows(), "<u4").tobytes()
        ref = ManifestRef(*manifest, pack_blocks(blocks), rows_of_blocks)
    return Piece(
        column=packer.column,
        rows=rows,
        page_rows=packer.page_rows,
        nbytes=packer.nbytes,
        inline=blocks[0] if manifest is None else None,
        manifest=ref,
        stats=statistics,
    )
