"""How the rows of a piece are divided among the entries of its manifest. Pure."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np

from aiolake.errors import FormatError
from aiolake.format.entry import MAX_PAGE_ROWS, Piece
from aiolake.format.manifest import BLOCK_ENTRIES, Block
from aiolake.ranges import Ids

__all__ = ["EntryRows", "Places", "rows_of"]


class Places(msgspec.Struct, frozen=True, eq=False):
    """Where some rows are in one block.

    Attributes:
        entries: The entries that hold them, distinct and ascending.
        n_rows: How many rows each of those has.
        of: For each row the index of its entry in ``entries``.
        row: The row's place in its entry.
    """

    entries: Ids
    n_rows: Ids
    of: Ids
    row: Ids


class EntryRows(Protocol):
    """Finds a piece's rows, which are counted from 0, in its manifest."""

    @property
    def n_entries(self) -> int | None:
        """Entries of the manifest; ``None`` where its blocks have to be read to know it."""
        ...

    def blocks_of(self, ordinals: Ids) -> Ids:
        """The block of each row."""
        ...

    def block_of(self, ordinal: int) -> int:
        """The block of one row."""
        ...

    def entries_in(self, at: int, block: Block) -> int:
        """How many entries block ``at`` must have to hold the rows it should.

        Raises:
            FormatError: It holds other rows.
        """
        ...

    def places(self, at: int, block: Block, ordinals: Ids) -> Places:
        """Where rows of block ``at`` are in it."""
        ...

    def place(self, at: int, block: Block, ordinal: int) -> tuple[int, int, int]:
        """Of one row: its entry, its place in that, and how many rows the entry has."""
        ...


class _Even(msgspec.Struct, frozen=True):
    """Entries of the same number of rows, but for the last."""

    total: int
    page_rows: int

    @property
    def n_entries(self) -> int:
        return -(-self.total // self.page_rows)

    def blocks_of(self, ordinals: Ids) -> Ids:
        return ordinals // (self.page_rows * BLOCK_ENTRIES)

    def block_of(self, ordinal: int) -> int:
        return ordinal // (self.page_rows * BLOCK_ENTRIES)

    def entries_in(self, at: int, block: Block) -> int:
        return min(BLOCK_ENTRIES, self.n_entries - at * BLOCK_ENTRIES)

    def places(self, at: int, block: Block, ordinals: Ids) -> Places:
        entries, of = _distinct(ordinals // self.page_rows)
        n_rows = np.minimum(self.page_rows, self.total - entries * self.page_rows)
        return Places(entries - at * BLOCK_ENTRIES, n_rows, of, ordinals % self.page_rows)

    def place(self, at: int, block: Block, ordinal: int) -> tuple[int, int, int]:
        entry, row = divmod(ordinal, self.page_rows)
        return entry - at * BLOCK_ENTRIES, row, min(self.page_rows, self.total - ordinal + row)


class _Varying(msgspec.Struct, frozen=True, eq=False):
    """Entries that each say, by a shape number, how many rows they have.

    Attributes:
        starts: (blocks + 1,) the first row of each block, and the end.
    """

    starts: Ids

    @property
    def n_entries(self) -> None:
        return None

    def blocks_of(self, ordinals: Ids) -> Ids:
        return np.searchsorted(self.starts, ordinals, side="right") - 1

    def block_of(self, ordinal: int) -> int:
        return int(self.starts.searchsorted(ordinal, side="right")) - 1

    def entries_in(self, at: int, block: Block) -> int:
        last = at == len(self.starts) - 2
        n = len(block) if last and len(block) else BLOCK_ENTRIES
        if block.shape.shape[1] != 1 or not block.shape.all():
            raise FormatError("an entry of a manifest block says that it has no rows")
        if len(block) and int(block.shape.max()) > MAX_PAGE_ROWS:
            raise FormatError(f"a page of a manifest block has more than {MAX_PAGE_ROWS} rows")
        filled = block.length > 0 if block.null is None else (block.length > 0) | block.null
        if not (filled | (block.shape[:, 0] == 1)).all():
            raise FormatError("a page of a manifest block has several rows and no bytes")
        if int(block.shape.sum()) != self.starts[at + 1] - self.starts[at]:
            raise FormatError("a manifest block holds another number of rows than it should")
        return n

    def places(self, at: int, block: Block, ordinals: Ids) -> Places:
        within = ordinals - self.starts[at]
        entry = np.searchsorted(block.row_ends, within, side="right")
        n_rows = block.shape[:, 0].astype(np.int64)
        entries, of = _distinct(entry)
        return Places(entries, n_rows[entries], of, within - (block.row_ends - n_rows)[entry])

    def place(self, at: int, block: Block, ordinal: int) -> tuple[int, int, int]:
        within = ordinal - self.starts.item(at)
        entry = int(block.row_ends.searchsorted(within, side="right"))
        n_rows = block.shape.item(entry)
        return entry, within - block.row_ends.item(entry) + n_rows, n_rows


def _distinct(values: Ids) -> tuple[Ids, Ids]:
    """Each distinct value, ascending, and which of them each value is."""
    if (values[1:] < values[:-1]).any():
        distinct, of = np.unique(values, return_inverse=True)
        return distinct, of
    # Rows mostly come in order, and then need no sorting.
    first = np.concatenate([np.ones(min(1, len(values)), bool), values[1:] != values[:-1]])
    return values[first], np.cumsum(first) - 1


def rows_of(piece: Piece) -> EntryRows:
    """How a piece's rows are divided.

    Raises:
        FormatError: Its manifest is said to hold another number of rows.
    """
    total = piece.n_rows
    if piece.page_rows:
        return _Even(total, piece.page_rows)
    counts = [total]
    if piece.manifest is not None:
        counts = np.frombuffer(piece.manifest.rows, "<u4").tolist()
    starts = np.cumsum([0, *counts], dtype=np.int64)
    if starts[-1] != total:
        raise FormatError(f"a manifest of {starts[-1]} rows stands for {total}")
    return _Varying(starts)
