"""Rows that a program makes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec

from aiolake.dataset.rows import check_columns
from aiolake.errors import InvalidInputError
from aiolake.intake.source import BadItem, Item, check_picture, media_columns
from aiolake.types import ColumnType

__all__ = ["RowReader", "RowSource", "nbytes_of"]


class RowReader(msgspec.Struct, frozen=True, kw_only=True):
    """Checks rows; see ``Reader``."""

    columns: dict[str, ColumnType]
    files: tuple[str, ...]
    names: tuple[str, ...]
    optional: tuple[str, ...] = ()
    decode: bool = False

    def read(self, item: Item, room: int) -> tuple[dict[str, Any], int]:
        """See ``Reader``."""
        try:
            check_columns(item.value, self.names, optional=self.optional)
        except InvalidInputError as error:
            raise BadItem(error.message) from error
        row: dict[str, Any] = dict(item.value)
        for name in self.files:
            if isinstance(row[name], bytes):
                check_picture(self.columns[name], row[name], decode=self.decode)
        return row, nbytes_of(row)


class RowSource:
    """An iterable or async iterable of rows.

    Args:
        rows: The rows; a sync iterable is iterated on the event loop.
        name: What its progress is kept under. The rows must then be the same in each run.
    """

    def __init__(
        self, rows: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]], name: str | None
    ) -> None:
        self._rows = rows
        self._name = name

    @property
    def what(self) -> str:
        """For people."""
        return self._name or "rows"

    @property
    def identity(self) -> str | None:
        """See ``Source``."""
        return self._name

    def reader(
        self, columns: Mapping[str, ColumnType], *, decode: bool, optional: tuple[str, ...] = ()
    ) -> RowReader:
        """See ``Source``; rows may leave out the ``optional`` columns."""
        return RowReader(
            columns=dict(columns),
            files=tuple(media_columns(columns)),
            names=(*columns, *optional),
            optional=optional,
            decode=decode,
        )

    async def items(self) -> AsyncIterator[Item]:
        """Every row in order."""
        number = 0
        if isinstance(self._rows, AsyncIterable):
            async for row in self._rows:
                yield _item(number, row)
                number += 1
        else:
            for row in self._rows:
                yield _item(number, row)
                number += 1


def _item(number: int, row: Any) -> Item:
    return Item(number, f"row {number}", b"", row)


def nbytes_of(value: Any) -> int:
    """About how many bytes a value holds."""
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(nbytes_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(nbytes_of, value))
    nbytes = getattr(value, "nbytes", None)
    return nbytes if isinstance(nbytes, int) else 64
