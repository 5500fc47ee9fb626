"""What the values of a dataset's columns are like, from stored statistics where they tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from aiolake._aio import map_concurrently
from aiolake.chunks.measure import bound_value, order_of
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.tally import Tally, tally
from aiolake.codecs import FixedCodec
from aiolake.dataset.state import State
from aiolake.dataset.tables import column_named, json_value, shown_value
from aiolake.format.statistics import Bound
from aiolake.ranges import Runs
from aiolake.shown import size, table
from aiolake.types import summary

__all__ = ["ColumnStats", "DatasetStats", "stats_of"]


class ColumnStats(msgspec.Struct, frozen=True):
    """What the values of one column are like.

    Attributes:
        name: The column.
        type: Its type, as text.
        rows: Rows counted.
        nulls: Of these, None.
        nans: Of these, NaN or "not a time".
        min: The least of the others; ``None`` where there is none, or values have no order. A text
            of more than 32 characters is cut.
        max: The greatest; a text that is cut comes after every value.
        nbytes: Stored bytes of the pieces that hold the rows; other rows' may be among them.
        pieces: How many pieces these are.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int
    min: Any
    max: Any
    nbytes: int
    pieces: int

    def to_dict(self) -> dict[str, Any]:
        """The members as JSON values."""
        return {name: json_value(getattr(self, name)) for name in self.__struct_fields__}


class DatasetStats(msgspec.Struct, frozen=True):
    """What the values of some columns are like; printed, a table. ``stats["label"]`` is one's.

    Attributes:
        rows: Rows counted.
        columns: In the order of the columns.
    """

    rows: int
    columns: tuple[ColumnStats, ...]

    def __getitem__(self, name: str) -> ColumnStats:
        return column_named(self.columns, name)

    def __iter__(self) -> Iterator[ColumnStats]:
        return iter(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"rows": self.rows, "columns": [column.to_dict() for column in self.columns]}

    def __str__(self) -> str:
        header = ["column", "rows", "nulls", "nans", "min", "max", "stored", "pieces", "type"]
        rows = [
            [
                column.name,
                f"{column.rows:,}",
                f"{column.nulls:,}",
                f"{column.nans:,}",
                shown_value(column.min),
                shown_value(column.max),
                size(column.nbytes),
                f"{column.pieces:,}",
                column.type,
            ]
            for column in self.columns
        ]
        return table(header, rows, header[1:-1])


async def stats_of(state: State, rows: Runs, names: tuple[str, ...]) -> DatasetStats:
    """The statistics of some rows and columns of a snapshot."""
    readers = [state.reader.column(name) for name in names]
    tallies = await map_concurrently(lambda reader: tally(reader, rows), readers)
    columns = (_column(*pair, len(rows)) for pair in zip(readers, tallies, strict=True))
    return DatasetStats(len(rows), tuple(columns))


def _column(reader: ColumnReader, found: Tally, n_rows: int) -> ColumnStats:
    statistics = found.statistics
    return ColumnStats(
        name=reader.column.name,
        type=summary(reader.column.type),
        rows=n_rows,
        nulls=statistics.nulls,
        nans=statistics.nans,
        min=as_value(reader, statistics.min),
        max=as_value(reader, statistics.max),
        nbytes=found.nbytes,
        pieces=found.pieces,
    )


def as_value(reader: ColumnReader, bound: Bound | None) -> Any:
    """A stored bound as users read values of the column."""
    value = bound_value(bound, order_of(reader.codec))
    if value is None or not isinstance(reader.codec, FixedCodec):
        return value
    dtype = reader.codec.dtype
    if dtype.kind == "b":
        return bool(value)
    return np.asarray(value, np.int64).view(dtype)[()] if dtype.kind in "Mm" else value
