"""Rows as users give them, turned into blocks of columns."""

from __future__ import annotations

import difflib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from typing import Any

from aiolake.errors import InvalidInputError

__all__ = ["RowSlices", "check_columns", "column_lengths"]

_MAX_ROWS = 1024
_MAX_BYTES = 4 << 20

Block = tuple[dict[str, Any], int]


class RowSlices:
    """An async iterator of (columns, number of rows), each a bounded amount of work.

    Args:
        names: The columns every row must have.
        rows: One row, a sequence, an iterable or an async iterable of rows; or ``None``.
        columns: Or a mapping of column to values.
        optional: Those of ``names`` that rows may leave out: they hold None.
    """

    def __init__(
        self, names: Collection[str], rows: Any, columns: Any, optional: Collection[str] = ()
    ) -> None:
        if (rows is None) == (columns is None):
            raise InvalidInputError("append() takes rows or columns=..., one of them")
        self._names = names
        self._optional = optional
        self._n_rows = 0
        self._blocks = self._of_columns(columns) if rows is None else self._of_rows(rows)

    def __aiter__(self) -> AsyncIterator[Block]:
        return self._blocks

    async def aclose(self) -> None:
        """Let go of rows that nobody will ask for."""
        await self._blocks.aclose()

    async def _of_columns(self, columns: Any) -> AsyncGenerator[Block, None]:
        if not isinstance(columns, Mapping):
            raise InvalidInputError(
                f"columns is a mapping of names to values, got {type(columns).__name__}"
                f"{_pandas_hint(columns)}"
            )
        check_columns(columns, self._names, optional=self._optional)
        n_rows = column_lengths(columns)
        absent = [name for name in self._optional if name not in columns]
        columns = {**columns, **{name: [None] * n_rows for name in absent}}
        per_row = sum(_nbytes(values) for values in columns.values()) // max(1, n_rows)
        step = max(1, min(64 * _MAX_ROWS, _MAX_BYTES // max(1, per_row)))
        for start in range(0, n_rows, step):
            stop = min(n_rows, start + step)
            yield {name: values[start:stop] for name, values in columns.items()}, stop - start

    async def _of_rows(self, rows: Any) -> AsyncGenerator[Block, None]:
        block: list[Mapping[str, Any]] = []
        nbytes = 0
        async with aclosing(_iterated(rows)) as iterated:
            async for row in iterated:
                check_columns(row, self._names, number=self._n_rows, optional=self._optional)
                self._n_rows += 1
                block.append(row)
                nbytes += sum(_nbytes(value) for value in row.values())
                if len(block) >= _MAX_ROWS or nbytes >= _MAX_BYTES:
                    yield self._transposed(block)
                    block, nbytes = [], 0
        if block:
            yield self._transposed(block)

    def _transposed(self, block: list[Mapping[str, Any]]) -> Block:
        columns = {
            name: [row[name] for row in block] for name in self._names if name not in self._optional
        }
        columns.update({name: [row.get(name) for row in block] for name in self._optional})
        return columns, len(block)


async def _iterated(rows: Any) -> AsyncGenerator[Any, None]:
    if isinstance(rows, Mapping):
        yield rows
    elif isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes) and not _is_pandas(rows):
        iterator: Iterator[Any] = iter(rows)
        for row in iterator:
            yield row
    else:
        raise InvalidInputError(
            "append() takes a row (a mapping of column to value) or rows, got "
            f"{type(rows).__name__}{_pandas_hint(rows)}"
        )


def check_columns(
    row: Any,
    names: Collection[str],
    *,
    number: int | None = None,
    all_of_them: bool = True,
    optional: Collection[str] = (),
) -> None:
    """Refuse a row with missing or unknown columns.

    Raises:
        InvalidInputError: Names the columns and the row.
    """
    where = "" if number is None else f"row {number}: "
    if not isinstance(row, Mapping):
        shown = type(row).__name__ if _is_pandas(row) else f"{row!r:.80}"
        raise InvalidInputError(
            f"{where}a row is a mapping of column to value, got {shown}{_pandas_hint(row)}"
        )
    if len(row) == len(names) and all(name in row for name in names):
        return
    unknown = [name for name in row if name not in names]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; columns are: {', '.join(names)}"
        raise InvalidInputError(f"{where}unknown column {unknown[0]!r}{hint}", column=unknown[0])
    missing = [name for name in names if name not in row and name not in optional]
    if missing and all_of_them:
        raise InvalidInputError(
            f"{where}column {missing[0]!r} is missing; give None for a row without a value",
            column=missing[0],
        )


def _is_pandas(value: object) -> bool:
    """Data frames and series: like mappings, yet no ``Mapping``, and not known by import here."""
    return hasattr(value, "to_dict") and hasattr(value, "keys")


def _pandas_hint(value: object) -> str:
    if not _is_pandas(value):
        return ""
    return "; append a data frame with columns=dict(df), a series with series.to_dict()"


def column_lengths(columns: Mapping[str, Any]) -> int:
    """The one length all columns have.

    Raises:
        InvalidInputError: They differ, or one has no length.
    """
    lengths: dict[str, int] = {}
    for name, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise InvalidInputError(
                f"column {name!r}: expected values, one a row, got {values!r:.80}"
            )
        lengths[name] = len(values)
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {n}" for name, n in lengths.items())
        raise InvalidInputError(f"the columns differ in length ({shown})")
    return next(iter(lengths.values()), 0)


def _nbytes(value: Any) -> int:
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if isinstance(value, list | tuple):
        if set(map(type, value)) <= {bytes, bytearray, str}:
            return sum(map(len, value))
        return sum(map(_nbytes, value))
    return 64
