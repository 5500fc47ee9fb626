"""TensorStore: sharded zarr3 arrays; what is ragged is one long array and where each row begins.

That is how arrays hold ragged data (CF's contiguous ragged arrays); measured beside a key per
picture in its OCDBT database, which was slower at everything but batches.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE
from benchmarks.peers.blocking import BlockingPeer
from benchmarks.source import N_BANDS, N_DIMENSIONS, Source

__all__ = ["TensorStorePeer", "make"]

_CHUNK_BYTES = {"pictures": 2**15, "vectors": 2**15, "ragged": 2**16, "texts": 2**13}
_CHUNKS_PER_SHARD = 512
_SCAN_ROWS = 1000
_WIDTHS = {"vectors": N_DIMENSIONS, "ragged": N_BANDS}
_CONTEXT = ts.Context()


class TensorStorePeer(BlockingPeer):
    """``write`` and ``read`` of slices, ``Batch`` for many; one ``Context`` for all readers."""

    waits = True

    async def ingest(self, source: Source, directory: Path) -> None:
        """Write whole shards; numbers of rows or bytes per sample become their beginnings."""
        width = _WIDTHS.get(self._kind)
        sizes = [length // (4 * width if width else 1) for length in source.lengths]
        starts = np.fromiter(accumulate(sizes, initial=0), np.int64)
        array = await self._create(directory, int(starts[-1]), width)
        at, held, waiting = 0, 0, [np.empty(0)][:0]
        shard = array.chunk_layout.write_chunk.shape[0]
        for values, _ in source.groups(ROWS_PER_WRITE):
            waiting.append(_joined(self._kind, values))
            held += len(waiting[-1])
            if held >= shard:
                joined = np.concatenate(waiting)
                whole = held // shard * shard
                await array[at : at + whole].write(joined[:whole])
                at, held, waiting = at + whole, held - whole, [joined[whole:]]
        if held:
            await array[at : at + held].write(np.concatenate(waiting))
        await _write(directory / "starts", starts)
        await _write(directory / "labels", np.asarray(source.labels, np.int32))

    async def open(self, directory: Path) -> None:
        """Open the array, load where rows begin."""
        spec = {"driver": "zarr3", "kvstore": f"file://{directory}/samples/"}
        starts = {"driver": "zarr3", "kvstore": f"file://{directory}/starts/"}
        how = {"context": _CONTEXT, "open": True, "recheck_cached_metadata": "open"}
        opened = ts.open(spec, **how), ts.open(starts, **how)
        self._array: Any = await opened[0]
        self._starts = (await (await opened[1]).read()).tolist()
        self._n_rows = len(self._starts) - 1

    async def read_one(self, row: int) -> Any:
        """Await a slice."""
        return self._value(await self._slice(row, row + 1).read())

    async def read_alone(self, row: int) -> Any:
        """``result()``, which is several times as fast as to await, when nothing else goes on."""
        return self._value(self._slice(row, row + 1).read().result())

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """Slices of one ``Batch``."""
        batch = ts.Batch()
        reads = [self._slice(row, row + 1).read(batch=batch) for row in rows]
        batch.submit()
        return [self._value(read.result()) for read in reads]

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Long slices, the next one read ahead."""
        spans = [
            (start, min(self._n_rows, start + _SCAN_ROWS))
            for start in range(0, self._n_rows, _SCAN_ROWS)
        ]
        ahead = self._slice(*spans[0]).read()
        for number, (start, stop) in enumerate(spans):
            data = await ahead
            if number + 1 < len(spans):
                ahead = self._slice(*spans[number + 1]).read()
            yield self._cut(data, start, stop)

    def _slice(self, row: int, stop: int) -> Any:
        return self._array[self._starts[row] : self._starts[stop]]

    def _cut(self, data: Any, row: int, stop: int) -> Sequence[Any]:
        first = self._starts[row]
        ends = self._starts[row : stop + 1]
        parts = [data[a - first : b - first] for a, b in pairwise(ends)]
        return [self._value(part) for part in parts]

    def _value(self, part: Any) -> Any:
        if self._kind == "vectors":
            return part.reshape(N_DIMENSIONS)
        if self._kind == "ragged":
            return part
        data: bytes = part.tobytes()
        return data if self._kind == "pictures" else data.decode()

    async def _create(self, directory: Path, length: int, width: int | None) -> Any:
        row_bytes = 4 * width if width else 1
        chunk = max(1, _CHUNK_BYTES[self._kind] // row_bytes)
        shard = [chunk * _CHUNKS_PER_SHARD, *([width] if width else [])]
        inner = [chunk, *([width] if width else [])]
        return await ts.open(
            {"driver": "zarr3", "kvstore": f"file://{directory}/samples/"},
            create=True,
            context=_CONTEXT,
            dtype=ts.float32 if width else ts.uint8,
            shape=[length, *([width] if width else [])],
            chunk_layout=ts.ChunkLayout(write_chunk_shape=shard, read_chunk_shape=inner),
        )


def _joined(kind: str, values: list[Any]) -> Any:
    if kind == "vectors":
        return np.stack(values)
    if kind == "ragged":
        return np.concatenate(values)
    encoded = values if kind == "pictures" else [value.encode() for value in values]
    return np.frombuffer(b"".join(encoded), np.uint8)


async def _write(directory: Path, values: Any) -> None:
    array = await ts.open(
        {"driver": "zarr3", "kvstore": f"file://{directory}/"},
        create=True,
        dtype=values.dtype,
        shape=values.shape,
    )
    await array.write(values)


def make(kind: str) -> TensorStorePeer:
    """With the defaults."""
    return TensorStorePeer(kind)
