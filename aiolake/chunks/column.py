"""One column of a snapshot: from row ids to verified payloads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake import keys
from aiolake._aio import SingleFlight, map_concurrently
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.locate import PieceIndex, needed_lists, segment_of
from aiolake.chunks.plan import Units
from aiolake.errors import CorruptDataError
from aiolake.format.entry import ListRef, Piece
from aiolake.format.lists import decode_segment, decode_segments, list_key
from aiolake.format.manifest import (
    BLOCK_ENTRIES,
    IN_PARTS,
    Block,
    block_ranges,
    check_fits,
    decode_block,
)
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer
from aiolake.types import Constant

__all__ = ["ColumnIndex", "Located", "One", "Parted"]

_WHOLE_LIST_BYTES = 64 << 10


class Parted(msgspec.Struct, frozen=True):
    """A huge payload: units ``[first, last)`` follow each other; ``length`` bytes in all.

    ``bitmap`` says whether, as a page, it ends in a validity bitmap.
    """

    first: int
    last: int
    length: int
    bitmap: bool


class One(msgspec.Struct, eq=False):
    """Where one row is: a constant, a null, or a range of an object.

    Attributes:
        constant: The value, for a constant run.
        null: The row (not of a page) is None.
        key: Object; ``""`` for a payload in parts.
        start: First byte.
        length: Bytes.
        crc: crc32c.
        shape: Shape numbers of the entry.
        row: The row's place in its page.
        n_rows: Rows of the page.
        bitmap: The page ends in a validity bitmap.
    """

    constant: Constant | None = None
    null: bool = False
    key: str = ""
    start: int = 0
    length: int = 0
    crc: int = 0
    shape: tuple[int, ...] = ()
    row: int = 0
    n_rows: int = 1
    bitmap: bool = False


class Located(msgspec.Struct, eq=False):
    """Where some rows of a column are.

    Attributes:
        n: Rows asked for.
        units: Samples or pages to read, each once.
        unit: (n,) the unit of each row; -1 for nulls, constants and payloads in parts.
        row: (n,) the row's place in its page.
        n_rows: (len(units),) rows of each page.
        bitmap: (len(units),) whether the page ends in a validity bitmap.
        null: (n,) the row is None (not of pages).
        shape: (n, ndim).
        constants: (rows, value) of constant runs.
        parted: By row, payloads in parts.
    """

    n: int
    units: Units
    unit: Ids
    row: Ids
    n_rows: Ids
    bitmap: npt.NDArray[np.bool_]
    null: npt.NDArray[np.bool_]
    shape: npt.NDArray[Any]
    constants: list[tuple[Ids, Constant]] = msgspec.field(default_factory=list)
    parted: dict[int, Parted] = msgspec.field(default_factory=dict)


class _PieceState:
    """A piece, the ranges of its blocks, and those of its blocks that are at hand."""

    __slots__ = ("blocks", "key", "last", "n_entries", "n_rows", "ndim", "page_rows", "piece")

    def __init__(self, piece: Piece, ndim: int) -> None:
        self.piece = piece
        self.ndim = ndim
        self.n_rows = piece.n_rows
        self.page_rows = piece.page_rows
        self.n_entries = -(-self.n_rows // self.page_rows)
        self.last: tuple[int, Block] | None = None
        self.key = ""
        self.blocks = None
        if piece.manifest is not None:
            self.key = keys.object_key(keys.MANIFESTS, piece.manifest.base, piece.manifest.id)
            self.blocks = block_ranges(piece.manifest, self.n_entries)
        elif piece.inline is not None:
            where = "an inline manifest"
            block = decode_block(piece.inline, where)
            self.last = 0, check_fits(block, self.n_entries, ndim, where)

    def block(self, at: int, data: Buffer) -> Block:
        """Decode block ``at`` of the manifest object."""
        n = min(BLOCK_ENTRIES, self.n_entries - at * BLOCK_ENTRIES)
        return check_fits(decode_block(data, self.key), n, self.ndim, self.key)

    def page_length(self, entry: int) -> int:
        return min(self.page_rows, self.n_rows - entry * self.page_rows)


class ColumnIndex:
    """Finds rows of one column of one snapshot; loads lists and manifest blocks as needed.

    Args:
        column: Column id.
        ndim: Shape numbers of its entries; ``None`` for a column stored as pages.
        lists: The snapshot's lists, oldest first.
        pieces: The snapshot's newer pieces (of any column), oldest first.
        fetcher: Reads the dataset's objects.
    """

    def __init__(
        self,
        column: int,
        ndim: int | None,
        lists: Sequence[ListRef],
        pieces: Sequence[Piece],
        fetcher: Fetcher,
    ) -> None:
        self.column = column
        self._paged = ndim is None
        self._ndim = ndim or 0
        self._lists = tuple(lists)
        self._inline = tuple(piece for piece in pieces if piece.column == column)
        self._fetcher = fetcher
        self._loaded: dict[int, tuple[Piece, ...]] = {}
        self._states: dict[int, _PieceState] = {}
        self._flights: SingleFlight[int, tuple[Piece, ...]] = SingleFlight()
        self._index = self._indexed()

    def _indexed(self) -> PieceIndex:
        listed = [piece for i in sorted(self._loaded) for piece in self._loaded[i]]
        return PieceIndex((*listed, *self._inline))

    def one_now(self, id: int) -> One | None:
        """Where a row is, if all that is needed to know it is at hand."""
        if self._lists and self._missing_lists(id, id + 1):
            return None
        number, ordinal = self._index.locate_one(id)
        if number < 0:
            return None
        state = self._state(number)
        constant = state.piece.constant
        if constant is not None:
            return One(constant=constant)
        entry, row = divmod(ordinal, state.page_rows) if state.page_rows > 1 else (ordinal, 0)
        at, e = divmod(entry, BLOCK_ENTRIES)
        block = self._block_now(state, at)
        if block is None:
            return None
        chunk, length = block.chunk.item(e), block.length.item(e)
        if chunk == IN_PARTS:
            return None
        null = block.null is not None and block.null.item(e)
        key = block.chunk_keys()[chunk] if length else ""
        start, crc = block.offset.item(e), block.crc.item(e)
        if self._paged:
            n_rows = state.page_length(entry)
            return One(None, False, key, start, length, crc, (), row, n_rows, null)
        shape = tuple(block.shape[e].tolist()) if self._ndim else ()
        return One(None, null, key, start, length, crc, shape)

    async def locate(self, ids: Ids) -> Located:
        """Where rows are, loading what is needed to know it.

        Raises:
            CorruptDataError: A list or manifest is damaged, or no piece covers a row.
        """
        if self._lists and len(ids):
            await self._load_lists(int(ids.min()), int(ids.max()) + 1)
        number, ordinal = self._index.locate(ids)
        if len(ids) and number.min() < 0:
            row = int(ids[int(np.argmin(number))])
            raise CorruptDataError(f"no piece of column {self.column} covers row id {row}")
        builder = _Builder(len(ids), self._ndim, paged=self._paged)
        groups: list[tuple[_PieceState, int, Ids, Ids]] = []
        for at, rows in _grouped(number):
            state = self._state(at)
            if state.piece.constant is not None:
                builder.constants.append((rows, state.piece.constant))
                continue
            entries = ordinal[rows] // state.piece.page_rows
            for number_of_block, inner in _grouped(entries // BLOCK_ENTRIES):
                groups.append((state, number_of_block, rows[inner], ordinal[rows[inner]]))
        blocks = await self._blocks([(state, k) for state, k, _, _ in groups])
        for (state, at, rows, ordinals), block in zip(groups, blocks, strict=True):
            builder.add(state, at, block, rows, ordinals)
        return builder.finish()

    async def pieces(self) -> tuple[Piece, ...]:
        """Every piece of the column, oldest first."""
        await self._load_lists(0, 1 << 62)
        return self._index.pieces

    def _missing_lists(self, low: int, high: int) -> list[int]:
        wanted = needed_lists(self._lists, self.column, low, high)
        return [i for i in wanted if i not in self._loaded]

    async def _load_lists(self, low: int, high: int) -> None:
        missing = self._missing_lists(low, high)
        if not missing:
            return
        loaded = await map_concurrently(self._read_list_once, missing)
        fresh = {i: pieces for i, pieces in loaded if i not in self._loaded}
        if fresh:  # else another reader waited for the same
            self._loaded.update(fresh)
            self._index = self._indexed()

    async def _read_list_once(self, i: int) -> tuple[int, tuple[Piece, ...]]:
        return i, await self._flights.do(i, lambda: self._read_list(i))

    async def _read_list(self, i: int) -> tuple[Piece, ...]:
        """This column's pieces of a list: its segment, or all of a list that is short or wide."""
        ref = self._lists[i]
        key = list_key(ref)
        segment = None if ref.segments is None else segment_of(ref.segments, self.column)
        if ref.segments is not None and segment is None:
            return ()
        if segment is not None and ref.size > _WHOLE_LIST_BYTES:
            start = ref.header + segment.start
            length = segment.stop - segment.start
            data = await self._fetcher.unit(key, start, length, segment.crc)
            return decode_segment(data, ref, segment)
        return await self._read_whole_list(key, ref)

    async def _read_whole_list(self, key: str, ref: ListRef) -> tuple[Piece, ...]:
        """From the cache, else from the store; bytes that are wrong are fetched once more."""
        cache, slot = self._fetcher.cache, (self._fetcher.url, key, "list")
        data: Buffer | None = cache.get(slot)
        if data is None:
            data = await self._fetcher.store.get(key)
        try:
            pieces = _pieces_in(data, ref, self.column)
        except CorruptDataError:
            data = await self._fetcher.store.get(key)
            pieces = _pieces_in(data, ref, self.column)
        cache.put(slot, data, len(data))
        return pieces

    def _state(self, number: int) -> _PieceState:
        piece = self._index.pieces[number]
        state = self._states.get(id(piece))
        if state is None:
            state = self._states[id(piece)] = _PieceState(piece, self._ndim)
        return state

    def _block_now(self, state: _PieceState, block: int) -> Block | None:
        last = state.last
        if last is not None and last[0] == block:
            return last[1]
        found: Block | None = self._fetcher.cache.get(self._slot(state, block))
        if found is not None:
            state.last = block, found
        return found

    async def _blocks(self, wanted: Sequence[tuple[_PieceState, int]]) -> list[Block]:
        found = [self._block_now(state, block) for state, block in wanted]
        missing = [pair for pair, block in zip(wanted, found, strict=True) if block is None]
        loaded = iter(await map_concurrently(self._read_block, missing))
        return [next(loaded) if block is None else block for block in found]

    async def _read_block(self, wanted: tuple[_PieceState, int]) -> Block:
        state, at = wanted
        assert state.blocks is not None
        start, stop = state.blocks.starts[at], state.blocks.stops[at]
        data = await self._fetcher.unit(
            state.key, start, stop - start, state.blocks.crcs[at], keep=False
        )
        found = self._block_now(state, at)
        if found is not None:  # another reader waited for the same
            return found
        block = state.block(at, data)
        state.last = at, block
        self._fetcher.cache.put(self._slot(state, at), block, block.nbytes)
        return block

    def _slot(self, state: _PieceState, at: int) -> tuple[str, str, int, str]:
        # Not as (url, key, byte) names bytes: a block's number may be the first byte of another.
        return self._fetcher.url, state.key, at, "block"


def _pieces_in(data: Buffer, ref: ListRef, column: int) -> tuple[Piece, ...]:
    """A column's pieces in the bytes of a list."""
    whole = memoryview(data)
    segment = segment_of(decode_segments(whole[: ref.header], ref), column)
    if segment is None:
        return ()
    body = whole[ref.header + segment.start : ref.header + segment.stop]
    return decode_segment(body, ref, segment)


def _grouped(values: Ids) -> Iterator[tuple[int, Ids]]:
    """Each distinct value with the indexes where it stands, ascending."""
    if not len(values):
        return
    first = values[0]
    if (values == first).all():
        yield int(first), np.arange(len(values))
        return
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    for value, rows in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
        yield value, np.sort(rows)


class _Builder:
    """Gathers the columns of ``Located`` block by block."""

    def __init__(self, n: int, ndim: int, *, paged: bool) -> None:
        self.n = n
        self._paged = paged
        self.constants: list[tuple[Ids, Constant]] = []
        self._keys: dict[str, int] = {}
        self._unit = np.full(n, -1, np.int64)
        self._row = np.zeros(n, np.int64)
        self._null = np.zeros(n, bool)
        self._shape = np.zeros((n, ndim), np.int64)
        self._columns: list[tuple[Any, ...]] = []
        self._n_units = 0
        self._parted: dict[int, Parted] = {}

    def add(self, state: _PieceState, at: int, block: Block, rows: Ids, ordinals: Ids) -> None:
        """Rows that one block holds."""
        entries = ordinals // state.piece.page_rows
        if self._paged:
            self._add_pages(state, at, block, rows, ordinals)
            return
        e = entries - at * BLOCK_ENTRIES
        if block.shape.shape[1]:
            self._shape[rows] = block.shape[e]
        if block.null is not None:
            self._null[rows] = block.null[e]
        in_parts = block.chunk[e] == IN_PARTS
        if in_parts.any():
            for row, entry in zip(rows[in_parts].tolist(), e[in_parts].tolist(), strict=True):
                self._add_parts(block, row, entry)
            rows, e = rows[~in_parts], e[~in_parts]
        self._unit[rows] = self._n_units + np.arange(len(rows))
        self._add_units(block, e, np.ones(len(e), np.int64))

    def _add_pages(
        self, state: _PieceState, at: int, block: Block, rows: Ids, ordinals: Ids
    ) -> None:
        """Rows of pages: each page is one unit, however many of its rows are wanted."""
        page_rows = state.piece.page_rows
        entries, inverse = np.unique(ordinals // page_rows, return_inverse=True)
        e = entries - at * BLOCK_ENTRIES
        self._row[rows] = ordinals % page_rows
        in_parts = block.chunk[e] == IN_PARTS
        if in_parts.any():  # a page in parts is one huge row
            for k in np.flatnonzero(in_parts).tolist():
                for row in rows[inverse == k].tolist():
                    self._add_parts(block, row, int(e[k]))
        kept = np.flatnonzero(~in_parts)
        number = np.full(len(e), -1, np.int64)
        number[kept] = self._n_units + np.arange(len(kept))
        self._unit[rows] = number[inverse]
        lengths = np.minimum(page_rows, state.n_rows - entries * page_rows)
        self._add_units(block, e[kept], lengths[kept])

    def _add_units(self, block: Block, e: Ids, n_rows: Ids) -> None:
        bitmap = np.zeros(len(e), bool) if block.null is None else block.null[e]
        keys = self._numbered(block)[block.chunk[e]] if len(block.chunks) else np.zeros(len(e))
        self._columns.append((keys, block.offset[e], block.length[e], block.crc[e], n_rows, bitmap))
        self._n_units += len(e)

    def _add_parts(self, block: Block, row: int, entry: int) -> None:
        assert block.parts is not None
        members = np.asarray(block.parts_of(entry), np.int64)
        parts = block.parts
        keys = self._numbered(block)[parts.chunk[members]]
        n = len(members)
        columns = parts.offset[members], parts.length[members], parts.crc[members]
        self._columns.append((keys, *columns, np.ones(n, np.int64), np.zeros(n, bool)))
        total = int(block.length[entry])
        bitmap = block.null is not None and bool(block.null[entry])
        self._parted[row] = Parted(self._n_units, self._n_units + n, total, bitmap)
        self._n_units += n

    def _numbered(self, block: Block) -> Ids:
        """The block's chunks as indexes into the keys of all blocks."""
        numbers = [self._keys.setdefault(key, len(self._keys)) for key in block.chunk_keys()]
        return np.asarray(numbers, np.int64)

    def finish(self) -> Located:
        """All of it."""
        columns = list(zip(*self._columns, strict=True)) or [()] * 6
        key, start, length, crc, n_rows = (_stacked(column) for column in columns[:5])
        return Located(
            n=self.n,
            units=Units(tuple(self._keys), key, start, length, crc),
            unit=self._unit,
            row=self._row,
            n_rows=n_rows,
            bitmap=_stacked(columns[5]).astype(bool),
            null=self._null,
            shape=self._shape,
            constants=self.constants,
            parted=self._parted,
        )


def _stacked(arrays: Sequence[Any]) -> Ids:
    if len(arrays) == 1:
        return np.asarray(arrays[0]).astype(np.int64)
    if not arrays:
        return np.empty(0, np.int64)
    return np.concatenate(arrays).astype(np.int64)
