"""What the adapters of zarr's stores have in common."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr  # type: ignore[import-not-found]
from zarr.api import asynchronous  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE
from benchmarks.peers.blocking import BlockingPeer
from benchmarks.source import N_BANDS, N_DIMENSIONS, Source

__all__ = ["ZarrPeer"]

_CHUNKS = {"pictures": 4, "vectors": 16, "ragged": 1, "texts": 250}
_ROWS_PER_SHARD = 1000
_VECTOR_ROWS_PER_SHARD = 4000
_SCAN_ROWS = 1000
_DTYPES = {
    "pictures": "variable_length_bytes",
    "ragged": "variable_length_bytes",
    "texts": "string",
}


class ZarrPeer(BlockingPeer):
    """Assignment of slices; ``getitem`` and ``get_coordinate_selection`` of an async array.

    A ragged array is its bytes in a variable-length element, the registered convention.
    """

    waits = True

    async def ingest(self, source: Source, directory: Path) -> None:
        """Whole shards at a time."""
        store = self.writing(directory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # variable-length types await their specification
            samples = self._create(store, len(source))
            labels = zarr.create_array(store, name="labels", shape=len(source), dtype="int32")
        labels[:] = np.asarray(source.labels, np.int32)
        at = 0
        for values, _ in source.groups(_VECTOR_ROWS_PER_SHARD if self._plain else ROWS_PER_WRITE):
            samples[at : at + len(values)] = self._elements(values)
            at += len(values)
        self.commit()

    async def open(self, directory: Path) -> None:
        """Open the array."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = self.reading(directory)
            self._array: Any = await asynchronous.open_array(store=store, path="samples", mode="r")
        self._n_rows = self._array.shape[0]

    async def read_one(self, row: int) -> Any:
        """A slice of one, because an index gives bytes that have lost what zeros they end in."""
        return self._value((await self._array.getitem(slice(row, row + 1)))[0])

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """A selection of coordinates, of whole rows where there are two dimensions."""
        if self._plain:
            vectors: Any = await self._array.get_orthogonal_selection((list(rows), slice(None)))
            return list(vectors)
        elements = await self._array.get_coordinate_selection(np.asarray(rows))
        return [self._value(element) for element in elements]

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Slices of a shard."""
        for start in range(0, self._n_rows, _SCAN_ROWS):
            elements = await self._array.getitem(slice(start, start + _SCAN_ROWS))
            yield [self._value(element) for element in elements]

    def writing(self, directory: Path) -> Any:
        """An empty store."""
        raise NotImplementedError

    def reading(self, directory: Path) -> Any:
        """The store that was written."""
        raise NotImplementedError

    def commit(self) -> None:
        """A plain store has nothing to commit."""

    @property
    def _plain(self) -> bool:
        return self._kind == "vectors"

    def _create(self, store: Any, n_rows: int) -> Any:
        chunk = _CHUNKS[self._kind]
        if self._plain:
            shard = min(_VECTOR_ROWS_PER_SHARD, -(-n_rows // chunk) * chunk)
            return zarr.create_array(
                store,
                name="samples",
                shape=(n_rows, N_DIMENSIONS),
                chunks=(chunk, N_DIMENSIONS),
                shards=(shard, N_DIMENSIONS),
                dtype="float32",
                compressors=None,
            )
        return zarr.create_array(
            store,
            name="samples",
            shape=(n_rows,),
            chunks=(chunk,),
            shards=(_ROWS_PER_SHARD,),
            dtype=_DTYPES[self._kind],
            compressors=None,
        )

    def _elements(self, values: list[Any]) -> Any:
        if self._plain:
            return np.stack(values)
        elements = np.empty(len(values), object)
        elements[:] = [v.tobytes() for v in values] if self._kind == "ragged" else values
        return elements

    def _value(self, element: Any) -> Any:
        if self._kind == "ragged":
            return np.frombuffer(element, np.float32).reshape(-1, N_BANDS)
        return str(element) if self._kind == "texts" else element
