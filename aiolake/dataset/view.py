"""Rows and columns of one snapshot, selected lazily."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn, Self, SupportsIndex

import numpy as np

from aiolake._aio import Guard
from aiolake.chunks.assemble import Decode
from aiolake.chunks.read import MISS
from aiolake.chunks.stream import Batches, Selection
from aiolake.dataset.keys import MISSING, is_many, no_such_key, row_of_key, rows_of_keys
from aiolake.dataset.notebook import described
from aiolake.dataset.select import (
    Selector,
    one_position,
    positions,
    select_rows,
    whole_number,
)
from aiolake.dataset.state import Core, State
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.ranges import Ids, Runs
from aiolake.shown import count
from aiolake.types import Schema

if TYPE_CHECKING:
    from aiolake.dataset.stats import DatasetStats
    from aiolake.dataset.summary import Summary

__all__ = ["View"]


class View:
    """Some rows and columns of one snapshot: nothing is read until it is asked for.

    Made by ``ds[selection]`` and ``ds.select(*columns)``; a view keeps its snapshot whatever is
    committed later, and is closed with the dataset it came from.
    """

    def __init__(self, core: Core, guard: Guard, state: State, rows: Runs, schema: Schema) -> None:
        self._core = core
        self._guard = guard
        self._state = state
        self._rows = rows
        self._schema = schema
        self._names = schema.names
        self._last_checked: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        """The selected columns."""
        return self._schema

    @property
    def snapshot(self) -> int:
        """The number of the snapshot it reads."""
        return self._state.entry.n

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> NoReturn:
        # Without this Python would iterate by __getitem__, over views of one row each.
        raise TypeError(
            "rows are not iterated over one by one; stream them: async with view.batches(64) as "
            "batches: async for batch in batches: ..."
        )

    def __repr__(self) -> str:
        columns = ", ".join(self._names)
        return f"<View of {self._core.url}@{self.snapshot}: {count(len(self), 'row')} of {columns}>"

    def _repr_html_(self) -> str:
        facts = f"snapshot {self.snapshot}, a view of {count(len(self), 'row')}"
        return described(self._core.url, facts, self._schema.columns)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a view is not pickled; send ds.spec and the selection, and open it there")

    def __getitem__(self, selector: Selector) -> View:
        """A view of some of these rows.

        Args:
            selector: A slice, a list or array of indexes, or a mask of this view's length. A
                single index gives a view of one row.
        """
        rows = select_rows(self._rows, selector)
        return View(self._core, self._guard, self._state, rows, self._schema)

    def select(self, *columns: str) -> View:
        """A view of some of these columns, in the order named.

        Raises:
            InvalidInputError: An unknown or repeated name, or none.
        """
        if not columns:
            raise InvalidInputError("select() needs at least one column")
        if len(columns) == 1 and not isinstance(columns[0], str):
            raise InvalidInputError(f"select() takes names, as in select('a', 'b'); got {columns}")
        schema = self._schema.select(columns)
        return View(self._core, self._guard, self._state, self._rows, schema)

    async def where(self, conditions: Mapping[str, Any] | None = None, /, **named: Any) -> View:
        """A view of the rows that match every condition, in their order.

        Args:
            conditions: By column name, for names that are no identifiers.
            named: By column name: a value (a label by name or number), a list of values, ``None``,
                or ``aiolake.between(low, high)``, ``lt``, ``le``, ``gt``, ``ge``, ``isin``,
                ``is_null()``, ``not_null()``, ``not_(...)``. Any column of the snapshot may be
                named, selected or not. A value the column cannot hold matches nothing; floats are
                rounded to the column's dtype; NaN as a value finds NaN.

        Raises:
            InvalidInputError: An unknown column, or values that are not compared so: possible are
                single numbers, times, truth values, labels, Text and Bytes, and None of any column.

        Cancellation: nothing is left behind.
        Cost: reads the columns named, and of these no piece, block or page that statistics exclude;
            a condition reads only rows that the ones before it left.
        """
        from aiolake.dataset.where import matching_rows, predicates_of

        self._guard.check()
        predicates = predicates_of(conditions, named)
        try:
            rows = await matching_rows(self._state, self._rows, predicates)
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error
        return View(self._core, self._guard, self._state, rows, self._schema)

    async def stats(self) -> DatasetStats:
        """Counts, the least and the greatest value of each column of the view, and what it takes.

        ``print(await view.stats())`` is a table; ``stats["width"].min`` a value.

        Cancellation: nothing is left behind.
        Cost: nothing but lists where pieces hold rows of the view only; else the pages, or texts,
            of stretches of which the view has some rows. No media.
        """
        from aiolake.dataset.stats import stats_of

        self._guard.check()
        try:
            return await stats_of(self._state, self._rows, self._names)
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error

    async def summary(self) -> Summary:
        """Counts, Nones, shapes, stored sizes and the histogram of labels of each column.

        ``print(await view.summary())`` is a table; ``summary["label"].labels`` a histogram.

        Cancellation: nothing is left behind.
        Cost: reads manifests, the pages of labels and truth values, and what ``stats`` reads. No
            media.
        """
        from aiolake.dataset.summary import summary_of

        self._guard.check()
        try:
            return await summary_of(self._state, self._rows, self._names)
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error

    async def read(
        self,
        rows: Selector,
        *,
        columns: Iterable[str] | None = None,
        decode: bool = True,
    ) -> dict[str, Any]:
        """Read rows.

        Args:
            rows: An index gives one row: a dict of column to value. Anything else gives a batch:
                a dict of column to an array (fixed shapes; masked where a row is None), or a list.
            columns: Names; all by default.
            decode: ``False`` gives images, text and JSON as their stored bytes.

        Raises:
            OutOfRangeError: An index outside the view.
            CorruptDataError: Bytes do not match their checksum, also when read again.
            SnapshotExpiredError: The snapshot was expired and collected.

        Cancellation: nothing is left behind.
        Cost: at most one GET per sample, plus the manifest blocks touched first.
        """
        self._guard.check()
        pace = self._core.session._pace
        if perf_counter() - pace.turned > pace.limit_s:
            await pace.turn()
        names = self._names if columns is None else self._checked(columns)
        how = Decode.FULL if decode else Decode.RAW
        try:
            one = one_position(rows, len(self._rows))
            if one is not None:
                id = self._rows.at(one)
                row = self._state.reader.row_now(id, names, how)
                for value in row.values():  # a generator would cost as much as half a look-up
                    if value is MISS:
                        await self._state.reader.complete(id, row, how)
                        break
                return row
            ids = self._rows.take(positions(rows, len(self._rows)))
            return dict(await self._state.reader.batch(ids, names, how))
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error

    async def _get(
        self, key: Any, *, columns: Iterable[str] | None, decode: bool, default: Any
    ) -> Any:
        """Read rows by key; see ``Dataset.get``."""
        self._guard.check()
        names = self._names if columns is None else self._checked(columns)
        how = Decode.FULL if decode else Decode.RAW
        many = is_many(key)
        if many and default is not MISSING:
            raise InvalidInputError("default= goes with a single key, not with several")
        try:
            if many:
                return dict(await self._rows_of(key, names, how))
            id = await row_of_key(self._core, self._state, key)
            if id >= 0:
                return await self._row(id, names, how)
            if default is not MISSING:
                return default
            raise no_such_key(self._core, self._key_name(), key, many=False)
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error

    async def _rows_of(
        self, keys: Sequence[Any], names: Sequence[str], how: Decode
    ) -> Mapping[str, Any]:
        ids = await rows_of_keys(self._core, self._state, keys)
        if len(ids) and ids.min() < 0:
            missing = keys[int(np.argmin(ids))]
            raise no_such_key(self._core, self._key_name(), missing, many=True)
        return await self._state.reader.batch(ids, names, how)

    def _key_name(self) -> str:
        assert self._state.key is not None
        return self._state.key.name

    async def _row(self, id: int, names: Sequence[str], how: Decode) -> dict[str, Any]:
        row = self._state.reader.row_now(id, names, how)
        if any(value is MISS for value in row.values()):
            await self._state.reader.complete(id, row, how)
        return row

    async def read_bytes(
        self,
        row: SupportsIndex,
        column: str,
        start: SupportsIndex = 0,
        stop: SupportsIndex | None = None,
    ) -> bytes:
        """Bytes ``[start, stop)`` of one stored sample of a column of encoded bytes.

        Columns of ``Image``, ``Video``, ``Audio`` and uncompressed ``Bytes`` have them. Of a huge
        sample only the parts touched are fetched. Past the end is truncated; a row
        that is None gives ``b""``.

        Raises:
            InvalidInputError: Another column type, or a negative range.
        """
        self._guard.check()
        first, last = _byte_range(start, stop)
        reader = self._state.reader.column(self._schema.select([column]).names[0])
        one = one_position(row, len(self._rows))
        if one is None:
            raise InvalidInputError(f"read_bytes reads one row, got {row!r}")
        id = np.asarray([self._rows.at(one)], np.int64)
        try:
            return await reader.read_bytes(id, first, last)
        except NotFoundError as error:
            raise await self._core.explained(error, self.snapshot) from error

    def batches(self, n: SupportsIndex, *, decode: bool = True) -> ExplainedBatches:
        """Stream the view in order, ``n`` rows at a time; the last batch is shorter.

        Use it as ``async with view.batches(64) as batches: async for batch in batches: ...``.
        Reads run ahead of the consumer, within the session's byte budget.

        Args:
            n: Rows per batch, at least 1.
            decode: See ``read``.

        Cost: about one GET per chunk object of each column for a view in stored order.
        """
        self._guard.check()
        size = whole_number(n)
        if size is None or size < 1:
            raise InvalidInputError(f"a batch has at least 1 row, got {n!r}")
        selection = Selection(
            n=len(self._rows),
            ids=self._ids,
            names=self._names,
            batch_size=size,
            decode=Decode.FULL if decode else Decode.RAW,
            ascending=self._rows.ascending,
        )
        window = max(1, self._core.session.options.max_inflight_bytes // 4)
        return ExplainedBatches(self._core, self._guard, self._state, selection, window)

    def _checked(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Names of columns; those checked last, as a loop of reads gives them, are known good."""
        if isinstance(columns, str) or not isinstance(columns, Iterable):
            return self._schema.select(columns).names
        names = tuple(columns)
        if names != self._last_checked or not names:
            self._last_checked = self._with_hidden().select(names).names
        return names

    def _with_hidden(self) -> Schema:
        """The columns that may be named: the selected ones, and the rows' metadata."""
        hidden = self._state.row_metadata
        columns = self._schema.columns
        return self._schema if hidden is None else Schema((*columns, hidden))

    def _ids(self, start: int, stop: int) -> Ids:
        return self._rows.take(np.arange(start, stop, dtype=np.int64))

    def _on(self, state: State) -> View:
        """All rows and columns of another snapshot."""
        return View(self._core, self._guard, state, state.rows, state.schema)


def _byte_range(start: SupportsIndex, stop: SupportsIndex | None) -> tuple[int, int | None]:
    first = whole_number(start)
    last = None if stop is None else whole_number(stop)
    if first is None or first < 0 or (stop is not None and (last is None or last < first)):
        raise InvalidInputError(f"{start!r}..{stop!r} is no byte range")
    return first, last


class ExplainedBatches(Batches):
    """``Batches`` of a handle: refused where the handle is, and says why an object is missing."""

    def __init__(
        self, core: Core, guard: Guard, state: State, selection: Selection, window: int
    ) -> None:
        super().__init__(state.reader, selection, window)
        self._core = core
        self._guard = guard
        self._n = state.entry.n

    async def __aenter__(self) -> Self:
        self._guard.check()
        return await super().__aenter__()

    async def __anext__(self) -> dict[str, Any]:
        self._guard.check()
        try:
            return await super().__anext__()
        except NotFoundError as error:
            raise await self._core.explained(error, self._n) from error
