"""Lance: binary, fixed-size list and list columns, as its guide writes images and vectors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

import lance  # type: ignore[import-not-found]
import pyarrow as pa  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE
from benchmarks.peers.blocking import BlockingPeer
from benchmarks.source import N_BANDS, N_DIMENSIONS, Source

__all__ = ["LancePeer", "make"]

_COLUMN = "sample"
_COLUMNS = [_COLUMN]
_TYPES = {
    "pictures": pa.binary(),
    "vectors": pa.list_(pa.float32(), N_DIMENSIONS),
    "ragged": pa.list_(pa.float32()),
    "texts": pa.string(),
}


class LancePeer(BlockingPeer):
    """``write_dataset`` of record batches, ``take`` and ``to_batches``."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """One call."""
        schema = pa.schema([(_COLUMN, _TYPES[self._kind]), ("label", pa.int32())])
        batches = _record_batches(source, self._kind, schema)
        lance.write_dataset(batches, str(directory), schema=schema)

    async def open(self, directory: Path) -> None:
        """Open the newest version."""
        self._ds: Any = lance.dataset(str(directory))
        self._n_rows = self._ds.count_rows()

    async def read_one(self, row: int) -> Any:
        """A take of one row."""
        return self._values(self._ds.take([row], columns=_COLUMNS).column(0))[0]

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """A take."""
        return self._values(self._ds.take(rows, columns=_COLUMNS).column(0))

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Batches of the default size, which is faster here than asking for 64 rows."""
        for batch in self._ds.to_batches(columns=_COLUMNS):
            yield self._values(batch.column(0))

    def _values(self, column: Any) -> Sequence[Any]:
        if self._kind in ("pictures", "texts"):
            values: list[Any] = column.to_pylist()
            return values
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if self._kind == "vectors":
            vectors: Any = column.flatten().to_numpy().reshape(-1, N_DIMENSIONS)
            return list(vectors)
        return [column[at].values.to_numpy().reshape(-1, N_BANDS) for at in range(len(column))]


def _record_batches(source: Source, kind: str, schema: Any) -> Iterator[Any]:
    for values, labels in source.groups(ROWS_PER_WRITE):
        columns = [_array(kind, values), pa.array(labels, pa.int32())]
        yield pa.record_batch(columns, schema=schema)


def _array(kind: str, values: list[Any]) -> Any:
    if kind in ("pictures", "texts"):
        return pa.array(values, _TYPES[kind])
    import numpy as np

    flat = pa.array(np.concatenate([value.ravel() for value in values]))
    if kind == "vectors":
        return pa.FixedSizeListArray.from_arrays(flat, N_DIMENSIONS)
    ends = np.cumsum([value.size for value in values])
    return pa.ListArray.from_arrays(pa.array(np.append(0, ends), pa.int32()), flat)


def make(kind: str) -> LancePeer:
    """With the defaults."""
    return LancePeer(kind)
