"""One column of a snapshot: from row ids to verified payloads."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

import numpy as np

from aiolake import keys
from aiolake._aio import SingleFlight, map_concurrently
from aiolake.chunks.entries import rows_of
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.locate import PieceIndex, needed_lists, segment_of
from aiolake.chunks.located import Builder, Located, One
from aiolake.errors import CorruptDataError, FormatError
from aiolake.format.entry import ListRef, Piece
from aiolake.format.lists import decode_segment, decode_segments, list_key
from aiolake.format.manifest import (
    BLOCK_ENTRIES,
    REFERRED,
    Block,
    block_ranges,
    check_fits,
    decode_block,
)
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer

__all__ = ["ColumnIndex", "Form"]

_WHOLE_LIST_BYTES = 64 << 10


class Form(enum.Enum):
    """How the samples of a column are stored, which its type decides."""

    FIXED = "pages of rows of one size"
    SHORT = "entries, or pages of short values"
    ENTRIES = "entries"
    LINKS = "entries that refer to objects outside"


def _check_form(piece: Piece, form: Form) -> None:
    n = piece.page_rows
    if (form is not Form.FIXED and n > 1) or (form is not Form.SHORT and n == 0):
        raise CorruptDataError(
            f"a piece of column {piece.column} has {n} rows a page, which its type has not"
        )


def _check_outside(block: Block, form: Form, where: str) -> Block:
    """The block, if it refers to objects outside exactly where the column's type says so."""
    there = np.zeros(len(block), bool) if block.null is None else block.null
    fits = block.source is None
    if form is Form.LINKS:
        outside = there if block.source is None else there | (block.source >= 0)
        fits = bool(outside.all())
    if not fits:
        raise FormatError(f"{where}: a manifest block is of another kind of column", key=where)
    return block


class _PieceState:
    """A piece, the ranges of its blocks, and those of its blocks that are at hand."""

    __slots__ = ("blocks", "form", "key", "last", "ndim", "page_rows", "piece", "rows")

    def __init__(self, piece: Piece, form: Form, ndim: int) -> None:
        self.piece = piece
        self.form = form
        self.page_rows = piece.page_rows
        self.ndim = ndim if self.page_rows else 1
        self.last: tuple[int, Block] | None = None
        self.key = ""
        self.blocks = None
        self.rows = rows_of(piece)
        if piece.manifest is not None:
            self.key = keys.object_key(keys.MANIFESTS, piece.manifest.base, piece.manifest.id)
            self.blocks = block_ranges(piece.manifest, self.rows.n_entries)
        elif piece.inline is not None:
            self.last = 0, self._checked(0, piece.inline, "an inline manifest")

    def block(self, at: int, data: Buffer) -> Block:
        """Decode block ``at`` of the manifest object."""
        return self._checked(at, data, self.key)

    def _checked(self, at: int, data: Buffer, where: str) -> Block:
        block = _check_outside(decode_block(data, where), self.form, where)
        return check_fits(block, self.rows.entries_in(at, block), self.ndim, where)


class ColumnIndex:
    """Finds rows of one column of one snapshot; loads lists and manifest blocks as needed.

    Args:
        column: Column id.
        form: How its samples are stored.
        ndim: Shape numbers of an entry of one sample.
        lists: The snapshot's lists, oldest first.
        pieces: The snapshot's newer pieces (of any column), oldest first.
        fetcher: Reads the dataset's objects.
    """

    def __init__(
        self,
        column: int,
        form: Form,
        ndim: int,
        lists: Sequence[ListRef],
        pieces: Sequence[Piece],
        fetcher: Fetcher,
    ) -> None:
        self.column = column
        self._form = form
        self._ndim = ndim
        self._lists = tuple(lists)
        self._inline = tuple(piece for piece in pieces if piece.column == column)
        self._fetcher = fetcher
        self._loaded: dict[int, tuple[Piece, ...]] = {}
        self._states: dict[int, _PieceState] = {}
        self._flights: SingleFlight[int, tuple[Piece, ...]] = SingleFlight()
        self._index = self._indexed()

    @property
    def holds_bytes(self) -> bool:
        """Whether the dataset has the samples' bytes, rather than references to them."""
        return self._form is not Form.LINKS

    def _indexed(self) -> PieceIndex:
        listed = [piece for i in sorted(self._loaded) for piece in self._loaded[i]]
        return PieceIndex((*listed, *self._inline))

    def one_now(self, id: int, *, shaped: bool = True) -> One | None:
        """Where a row is, if all that is needed to know it is at hand.

        Args:
            id: The row.
            shaped: Its shape numbers are wanted.
        """
        if self._lists and self._missing_lists(id, id + 1):
            return None
        number, ordinal = self._index.locate_one(id)
        if number < 0:
            return None
        state = self._state(number)
        constant = state.piece.constant
        if constant is not None:
            return One(constant=constant)
        if state.page_rows == 1:
            at, e = divmod(ordinal, BLOCK_ENTRIES)
        else:
            at = state.rows.block_of(ordinal)
        block = self._block_now(state, at)
        if block is None:
            return None
        row, n_rows = 0, 1
        if state.page_rows != 1:
            e, row, n_rows = state.rows.place(at, block, ordinal)
        chunk, length = block.chunk.item(e), block.length.item(e)
        if chunk >= REFERRED:  # or in parts
            return None
        null = block.null is not None and block.null.item(e)
        key = block.chunk_keys()[chunk] if length else ""
        start, crc = block.offset.item(e), block.crc.item(e)
        if (n_rows > 1 and length) or self._form is Form.FIXED:
            return One(None, False, key, start, length, crc, (), row, n_rows, null)
        shape = tuple(block.shape[e].tolist()) if shaped and self._ndim else ()
        return One(None, null, key, start, length, crc, shape)

    async def one(self, id: int) -> One | None:
        """Where a row is, loading what is needed to know it; ``None`` for a payload in parts."""
        if self._lists:
            await self._load_lists(id, id + 1)
        number, ordinal = self._index.locate_one(id)
        if number >= 0:
            state = self._state(number)
            if state.piece.constant is None:
                await self._blocks([(state, state.rows.block_of(ordinal))])
        return self.one_now(id)

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
        builder = Builder(len(ids), self._ndim)
        groups: list[tuple[_PieceState, int, Ids, Ids]] = []
        for at, rows in _grouped(number):
            state = self._state(at)
            if state.piece.constant is not None:
                builder.constants.append((rows, state.piece.constant))
                continue
            for number_of_block, inner in _grouped(state.rows.blocks_of(ordinal[rows])):
                groups.append((state, number_of_block, rows[inner], ordinal[rows[inner]]))
        blocks = await self._blocks([(state, k) for state, k, _, _ in groups])
        for (state, at, rows, ordinals), block in zip(groups, blocks, strict=True):
            self._add(builder, state, at, block, rows, ordinals)
        return builder.finish()

    def _add(
        self, builder: Builder, state: _PieceState, at: int, block: Block, rows: Ids, ordinals: Ids
    ) -> None:
        """Rows that one block holds."""
        if self._form is Form.FIXED or not state.page_rows:
            places = state.rows.places(at, block, ordinals)
            builder.add_pages(block, rows, places, short=self._form is Form.SHORT)
        elif self._form is Form.LINKS:
            builder.add_links(block, rows, ordinals - at * BLOCK_ENTRIES)
        else:
            builder.add_entries(block, rows, ordinals - at * BLOCK_ENTRIES)

    async def pieces(self) -> tuple[Piece, ...]:
        """Every piece of the column, oldest first."""
        await self._load_lists(0, 1 << 62)
        return self._index.pieces

    async def index_of(self, low: int, high: int) -> PieceIndex:
        """Which piece holds each of the row ids in ``[low, high)``; it never changes."""
        await self._load_lists(low, high)
        return self._index

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
            data = await self._fetcher.on_disk(key, 0, ref.size)
        if data is None:
            data = await self._fetcher.whole(key)
        try:
            pieces = _pieces_in(data, ref, self.column)
        except FormatError:  # or what was kept of it is not all of it
            data = await self._fetcher.whole(key)
            pieces = _pieces_in(data, ref, self.column)
        cache.put(slot, data, len(data))
        return pieces

    def _state(self, number: int) -> _PieceState:
        piece = self._index.pieces[number]
        state = self._states.get(id(piece))
        if state is None:
            _check_form(piece, self._form)
            state = self._states[id(piece)] = _PieceState(piece, self._form, self._ndim)
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
    order = values.argsort(kind="stable")
    ordered = values[order]
    ends = [*(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(values)]
    start = 0
    for stop in ends:
        yield ordered.item(start), order[start:stop]
        start = stop
