"""Where the rows of one column are: what a plan of reads starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.chunks.entries import Places
from aiolake.chunks.plan import Units
from aiolake.errors import CorruptDataError
from aiolake.format.manifest import IN_PARTS, Block, Source
from aiolake.ranges import Ids
from aiolake.types import Constant

__all__ = ["Builder", "Located", "One", "Parted"]

Flags: TypeAlias = npt.NDArray[np.bool_]


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
        sources: Of a column of links the objects outside, which ``units.key`` is an index of; a
            length of -1 is to the object's end.
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
    sources: tuple[Source, ...] = ()


class Builder:
    """Gathers the columns of ``Located`` block by block."""

    def __init__(self, n: int, ndim: int) -> None:
        self.n = n
        self.constants: list[tuple[Ids, Constant]] = []
        self._keys: dict[str, int] = {}
        self._unit = np.full(n, -1, np.int64)
        self._row = np.zeros(n, np.int64)
        self._null = np.zeros(n, bool)
        self._shape = np.zeros((n, ndim), np.int64)
        self._columns: list[tuple[Any, Any, Any, Any]] = []
        self._pages: list[tuple[int, Ids, Flags]] = []
        self._n_units = 0
        self._parted: dict[int, Parted] = {}
        self._sources: dict[Source, int] = {}

    def add_entries(self, block: Block, rows: Ids, e: Ids) -> None:
        """Rows that each have an entry of a block."""
        if block.shape.shape[1]:
            self._shape[rows] = block.shape[e]
        if block.null is not None:
            self._null[rows] = block.null[e]
        if block.parts is not None:
            in_parts = block.chunk[e] == IN_PARTS
            for row, entry in zip(rows[in_parts].tolist(), e[in_parts].tolist(), strict=True):
                self._add_parts(block, row, entry)
            rows, e = rows[~in_parts], e[~in_parts]
        self._unit[rows] = np.arange(self._n_units, self._n_units + len(rows))
        self._add_units(block, e)

    def add_links(self, block: Block, rows: Ids, e: Ids) -> None:
        """Rows whose entries refer to objects outside; each is a unit."""
        if block.null is not None:
            there = ~block.null[e]
            self._null[rows] = ~there
            rows, e = rows[there], e[there]
        if block.source is None:
            return
        known = [self._sources.setdefault(each, len(self._sources)) for each in block.sources]
        source = np.asarray(known, np.int64)[block.source[e]]
        self._unit[rows] = self._n_units + np.arange(len(rows))
        length = block.length[e].astype(np.int64)
        self._columns.append((source, block.offset[e], length, block.crc[e]))
        self._n_units += len(e)

    def add_pages(self, block: Block, rows: Ids, places: Places, *, short: bool) -> None:
        """Rows of pages: each page is one unit, however many of its rows are wanted.

        ``short``: of values of varying size, of which one may stand alone; a page without bytes
        is Nones.
        """
        e, n_rows, of = places.entries, places.n_rows, places.of
        flagged = np.zeros(len(e), bool) if block.null is None else block.null[e]
        alone = ((n_rows == 1) | (block.length[e] == 0)) & short
        self._row[rows] = places.row
        self._null[rows] = (flagged & alone)[of]
        in_parts = block.chunk[e] == IN_PARTS
        if in_parts.any():
            self._add_huge(block, rows, places, in_parts)
        kept = np.flatnonzero(~in_parts)
        number = np.full(len(e), -1, np.int64)
        number[kept] = self._n_units + np.arange(len(kept))
        self._unit[rows] = number[of]
        self._add_units(block, e[kept], n_rows[kept], (flagged & ~alone)[kept])

    def _add_huge(self, block: Block, rows: Ids, places: Places, in_parts: Any) -> None:
        for k in np.flatnonzero(in_parts).tolist():
            if places.n_rows[k] != 1:
                raise CorruptDataError("a page of several rows is said to be stored in parts")
            for row in rows[places.of == k].tolist():
                self._add_parts(block, row, int(places.entries[k]))

    def _add_units(
        self, block: Block, e: Ids, n_rows: Ids | None = None, bitmap: Flags | None = None
    ) -> None:
        """Units of one row each, or of so many."""
        n = len(e)
        keys = self._numbered(block)[block.chunk[e]] if block.chunks else np.zeros(n, np.int64)
        self._columns.append((keys, block.offset[e], block.length[e], block.crc[e]))
        if n_rows is not None and bitmap is not None:
            self._pages.append((self._n_units, n_rows, bitmap))
        self._n_units += n

    def _add_parts(self, block: Block, row: int, entry: int) -> None:
        assert block.parts is not None
        members = np.asarray(block.parts_of(entry), np.int64)
        parts = block.parts
        keys = self._numbered(block)[parts.chunk[members]]
        n = len(members)
        columns = parts.offset[members], parts.length[members], parts.crc[members]
        self._columns.append((keys, *columns))
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
        columns = zip(*self._columns, strict=True) if self._columns else [()] * 4
        n_rows, bitmap = np.ones(self._n_units, np.int64), np.zeros(self._n_units, bool)
        for first, rows_of, flagged in self._pages:
            n_rows[first : first + len(rows_of)] = rows_of
            bitmap[first : first + len(flagged)] = flagged
        return Located(
            n=self.n,
            units=Units(tuple(self._keys), *map(_stacked, columns)),
            unit=self._unit,
            row=self._row,
            n_rows=n_rows,
            bitmap=bitmap,
            null=self._null,
            shape=self._shape,
            constants=self.constants,
            parted=self._parted,
            sources=tuple(self._sources),
        )


def _stacked(arrays: Sequence[Any]) -> Ids:
    if not arrays:
        return np.empty(0, np.int64)
    return np.concatenate(arrays, dtype=np.int64, casting="unsafe")
