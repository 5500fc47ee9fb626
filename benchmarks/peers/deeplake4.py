"""Deep Lake 4: ``Bytes`` for pictures, because its ``Image`` column gives pixels, not the JPEG."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import deeplake  # type: ignore[import-not-found]

from benchmarks.peers.base import BATCH, ROWS_PER_WRITE
from benchmarks.peers.blocking import BlockingPeer
from benchmarks.source import N_DIMENSIONS, Source

__all__ = ["DeepLakePeer", "make"]

_COLUMN = "sample"


class DeepLakePeer(BlockingPeer):
    """``append`` of lists, indexing a column, and ``batches``."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Appends, then one commit."""
        ds = deeplake.create(str(directory))
        ds.add_column(_COLUMN, _column(self._kind))
        ds.add_column("label", deeplake.types.Int32())
        for values, labels in source.groups(ROWS_PER_WRITE):
            ds.append({_COLUMN: values, "label": list(labels)})
        ds.commit("ingest")

    async def open(self, directory: Path) -> None:
        """Open read-only."""
        self._ds: Any = deeplake.open_read_only(str(directory))
        self._n_rows = len(self._ds)
        self._column: Any = self._ds[_COLUMN]

    async def read_one(self, row: int) -> Any:
        """Index the column, which is faster than to index the dataset first."""
        return self._column[row]

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """Index the column by a list."""
        values: Sequence[Any] = self._column[list(rows)]
        return values

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """``batches`` prefetches; it reads the labels too, which are few bytes."""
        for batch in self._ds.batches(BATCH):
            yield batch[_COLUMN]

    async def close(self) -> None:
        """Drop the handle."""
        del self._column, self._ds


def _column(kind: str) -> Any:
    types = deeplake.types
    if kind == "pictures":
        return types.Bytes()
    if kind == "vectors":
        return types.Embedding(N_DIMENSIONS)
    return types.Text() if kind == "texts" else types.Array("float32", 2)


def make(kind: str) -> DeepLakePeer:
    """With the defaults."""
    return DeepLakePeer(kind)
