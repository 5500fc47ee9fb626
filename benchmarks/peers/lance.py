"""Lance: a plain binary column, as its guide writes images."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lance  # type: ignore[import-not-found]
import pyarrow as pa  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE, Encoded, grouped

__all__ = ["LancePeer", "make"]

_COLUMNS = ["image"]
_SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.int32())])


class LancePeer:
    """``write_dataset`` of record batches, ``take`` and ``to_batches``."""

    async def ingest(self, jpegs: Iterable[bytes], labels: Sequence[int], directory: Path) -> None:
        """One call."""
        lance.write_dataset(_record_batches(jpegs, labels), str(directory), schema=_SCHEMA)

    async def open(self, directory: Path) -> None:
        """Open the newest version."""
        self._ds: Any = lance.dataset(str(directory))

    async def read_one(self, row: int) -> Encoded:
        """A take of one row."""
        image: bytes = self._ds.take([row], columns=_COLUMNS).column(0)[0].as_py()
        return image

    async def read_many(self, rows: Sequence[int]) -> Sequence[Encoded]:
        """A take."""
        images: list[bytes] = self._ds.take(rows, columns=_COLUMNS).column(0).to_pylist()
        return images

    async def scan(self) -> AsyncIterator[Sequence[Encoded]]:
        """Batches of the default size, which is faster here than asking for 64 rows."""
        for batch in self._ds.to_batches(columns=_COLUMNS):
            yield batch.column(0).to_pylist()

    async def close(self) -> None:
        """Nothing to close."""


def _record_batches(jpegs: Iterable[bytes], labels: Sequence[int]) -> Iterator[Any]:
    at = 0
    for group in grouped(jpegs, ROWS_PER_WRITE):
        columns = [
            pa.array(group, pa.binary()),
            pa.array(labels[at : at + len(group)], pa.int32()),
        ]
        at += len(group)
        yield pa.record_batch(columns, schema=_SCHEMA)


def make() -> LancePeer:
    """With the defaults."""
    return LancePeer()
