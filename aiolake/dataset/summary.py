"""What is in a dataset, column by column: counts, shapes, sizes, labels. No media are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from aiolake._aio import map_concurrently
from aiolake.chunks.filter import STEP_ENTRIES
from aiolake.chunks.located import Located
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.tally import each_located, each_values, tally
from aiolake.codecs import ByteRows, FixedCodec, FixedRows
from aiolake.dataset.state import State
from aiolake.dataset.stats import as_value
from aiolake.dataset.tables import column_named, json_value, shown_value
from aiolake.ranges import Runs
from aiolake.shown import size, table
from aiolake.types import ClassLabel
from aiolake.types import summary as type_text

__all__ = ["ColumnSummary", "Shapes", "Sizes", "Summary", "summary_of"]

_MAX_SHAPES = 10_000
_SHOWN_LABELS = 5


class Shapes(msgspec.Struct, frozen=True):
    """The shapes of a column's samples.

    Attributes:
        min: The least size of each dimension.
        max: The greatest.
        distinct: How many different shapes; ``None`` if over 10,000.
        commonest: One that no other is more frequent than; ``None`` if not known.
        commonest_rows: How many rows have it.
    """

    min: tuple[int, ...]
    max: tuple[int, ...]
    distinct: int | None
    commonest: tuple[int, ...] | None
    commonest_rows: int

    def __str__(self) -> str:
        dims = (f"{a}" if a == b else f"{a}..{b}" for a, b in zip(self.min, self.max, strict=True))
        text = f"({', '.join(dims)})"
        if self.distinct == 1 or self.commonest is None:
            return text
        return f"{text}, {self.distinct:,} shapes, mostly {self.commonest}"


class Sizes(msgspec.Struct, frozen=True):
    """Stored bytes of a column's samples that are not None.

    Attributes:
        min: Of the smallest; ``None`` where samples share pages of short values.
        mean: On average.
        max: Of the largest; ``None`` likewise.
        total: Of all.
    """

    min: int | None
    mean: float
    max: int | None
    total: int

    def __str__(self) -> str:
        if self.min is None or self.max is None:
            return f"mean {size(self.mean)}"
        if self.min == self.max:
            return f"{size(self.mean)} each"
        return f"{size(self.min)}..{size(self.max)}, mean {size(self.mean)}"


class ColumnSummary(msgspec.Struct, frozen=True):
    """What is in one column.

    Attributes:
        name: The column.
        type: Its type, as text.
        rows: Rows counted.
        nulls: Of these, None.
        nans: Of these, NaN or "not a time".
        min: The least other value, as in ``stats()``.
        max: The greatest.
        shapes: Of ragged samples and pictures; ``None`` where all have one, or none.
        sizes: Stored bytes; ``None`` without a sample.
        labels: Of a ``ClassLabel``: rows by name, every name.
        n_true: Of truth values: how many are true.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int = 0
    min: Any = None
    max: Any = None
    shapes: Shapes | None = None
    sizes: Sizes | None = None
    labels: dict[str, int] | None = None
    n_true: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The members as JSON values."""
        return {
            name: json_value(
                msgspec.to_builtins(value) if isinstance(value, Shapes | Sizes) else value
            )
            for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__)
        }

    def content(self) -> str:
        """What the values are like, in one line."""
        if self.labels is not None:
            return _shown_labels(self.labels)
        if self.n_true is not None:
            return f"{self.n_true:,} true, {self.rows - self.nulls - self.n_true:,} false"
        if self.min is not None:
            return f"{shown_value(self.min)} .. {shown_value(self.max)}"
        return "" if self.shapes is None else str(self.shapes)


def _shown_labels(labels: dict[str, int]) -> str:
    often = sorted(labels.items(), key=lambda item: -item[1])
    shown = [f"{name} {n:,}" for name, n in often[:_SHOWN_LABELS]]
    more = len(often) - len(shown)
    return ", ".join([*shown, *([f"{more:,} more"] if more else [])])


class Summary(msgspec.Struct, frozen=True):
    """What is in some columns; printed, a table. ``summary["label"].labels`` is a histogram.

    Attributes:
        rows: Rows counted.
        columns: In the order of the columns.
    """

    rows: int
    columns: tuple[ColumnSummary, ...]

    def __getitem__(self, name: str) -> ColumnSummary:
        return column_named(self.columns, name)

    def __iter__(self) -> Iterator[ColumnSummary]:
        return iter(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"rows": self.rows, "columns": [column.to_dict() for column in self.columns]}

    def __str__(self) -> str:
        header = ["column", "rows", "nulls", "content", "stored"]
        rows = [
            [
                column.name,
                f"{column.rows:,}",
                f"{column.nulls:,}",
                column.content() or column.type,
                "" if column.sizes is None else str(column.sizes),
            ]
            for column in self.columns
        ]
        return table(header, rows, ("rows", "nulls"))


async def summary_of(state: State, rows: Runs, names: tuple[str, ...]) -> Summary:
    """The summary of some rows and columns of a snapshot."""
    readers = [state.reader.column(name) for name in names]
    columns = await map_concurrently(lambda reader: _column(reader, rows), readers)
    return Summary(len(rows), tuple(columns))


async def _column(reader: ColumnReader, rows: Runs) -> ColumnSummary:
    if not isinstance(reader.codec, FixedCodec):
        return await _of_entries(reader, rows)
    found = (await tally(reader, rows)).statistics
    nbytes, n = reader.codec.row_nbytes, len(rows) - found.nulls
    plain = reader.codec.compression == "none"
    made = ColumnSummary(
        name=reader.column.name,
        type=type_text(reader.column.type),
        rows=len(rows),
        nulls=found.nulls,
        nans=found.nans,
        min=as_value(reader, found.min),
        max=as_value(reader, found.max),
        sizes=Sizes(nbytes, float(nbytes), nbytes, n * nbytes) if n and plain else None,
    )
    counts = await _counted(reader, rows, found.max)
    if isinstance(reader.column.type, ClassLabel):
        names = reader.column.type.names
        labels = {name: counts[i] if i < len(counts) else 0 for i, name in enumerate(names)}
        return msgspec.structs.replace(made, labels=labels)
    if reader.codec.dtype.kind == "b" and reader.codec.row_shape == ():
        return msgspec.structs.replace(made, n_true=counts[1] if len(counts) > 1 else 0)
    return made


async def _counted(reader: ColumnReader, rows: Runs, greatest: Any) -> list[int]:
    """How often each number from 0 occurs, in columns of labels and truth values."""
    codec = reader.codec
    assert isinstance(codec, FixedCodec)
    labels = isinstance(reader.column.type, ClassLabel)
    if not (labels or (codec.dtype.kind == "b" and codec.row_shape == ())) or greatest is None:
        return []
    counts = np.zeros(int(greatest) + 1, np.int64)

    def count(values: FixedRows | ByteRows) -> None:
        assert isinstance(values, FixedRows)
        array = values.array if values.valid is None else values.array[values.valid]
        found = np.bincount(array.astype(np.int64), minlength=len(counts))
        counts[:] += found[: len(counts)]

    await each_values(reader, rows, count)
    listed: list[int] = counts.tolist()
    return listed


class _Entries:
    """Gathers shapes and sizes."""

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim
        self.nulls = 0
        self.total = 0
        self.least: int | None = None
        self.most: int | None = None
        self.shared = False
        self.low: Any = None
        self.high: Any = None
        self.shapes: Counter[tuple[int, ...]] | None = Counter()

    def add(self, located: Located) -> None:
        """Where some more rows are."""
        null = located.null.copy()
        units = located.units
        stored = np.flatnonzero((located.unit >= 0) & ~null)
        lengths = units.length[located.unit[stored]]
        lengths = lengths[lengths >= 0]  # of links some are not known
        each = located.n_rows[located.unit[stored]]
        self.shared = self.shared or bool((each > 1).any())
        self._add_sizes(lengths / each if self.shared else lengths)
        for parted in located.parted.values():
            self._add_sizes(np.asarray([parted.length]))
        shapes = located.shape.copy()
        for rows, constant in located.constants:
            null[rows] = constant.payload is None
            if constant.payload is not None:
                shapes[rows] = constant.shape
                self._add_sizes(np.full(len(rows), len(constant.payload)))
        self.nulls += int(null.sum())
        if self.ndim:
            self._add_shapes(shapes[~null])

    def _add_sizes(self, lengths: Any) -> None:
        if not len(lengths):
            return
        self.total += round(float(lengths.sum()))
        least, most = int(lengths.min()), int(lengths.max())
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)

    def _add_shapes(self, shapes: Any) -> None:
        if not len(shapes):
            return
        low, high = shapes.min(axis=0), shapes.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)
        if self.shapes is None:
            return
        distinct, counts = np.unique(shapes, axis=0, return_counts=True)
        for shape, n in zip(distinct.tolist(), counts.tolist(), strict=True):
            self.shapes[tuple(shape)] += n
        if len(self.shapes) > _MAX_SHAPES:
            self.shapes = None

    def found_shapes(self) -> Shapes | None:
        if self.low is None:
            return None
        low, high = tuple(self.low.tolist()), tuple(self.high.tolist())
        if self.shapes is None:
            return Shapes(low, high, None, None, 0)
        ((commonest, n),) = self.shapes.most_common(1)
        return Shapes(low, high, len(self.shapes), commonest, n)

    def found_sizes(self, n: int) -> Sizes | None:
        if not n:
            return None
        if self.shared:
            return Sizes(None, self.total / n, None, self.total)
        return Sizes(self.least, self.total / n, self.most, self.total)


async def _of_entries(reader: ColumnReader, rows: Runs) -> ColumnSummary:
    assert not isinstance(reader.codec, FixedCodec)
    found = _Entries(reader.codec.ndim)

    async def take(located: Located) -> None:
        await reader.pool.run(found.add, located)

    await each_located(reader, rows, STEP_ENTRIES, take)
    nulls = (await tally(reader, rows)).statistics.nulls if found.shared else found.nulls
    return ColumnSummary(
        name=reader.column.name,
        type=type_text(reader.column.type),
        rows=len(rows),
        nulls=nulls,
        shapes=found.found_shapes(),
        sizes=found.found_sizes(len(rows) - nulls),
    )
