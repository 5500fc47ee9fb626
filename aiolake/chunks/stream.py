"""Batches of a selection in order, prefetched.

A planner walks over the selection in slabs of whole batches, turns each into a few large reads
and starts them, as far ahead as the window of bytes allows. Where one slab's last read of a
column is continued by the next slab's first, they are one request: a scan needs about one request
per chunk object. The consumer takes slabs in order, decodes their batches some ahead, and hands
them out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from aiolake._aio import Tasks, map_concurrently
from aiolake.chunks.assemble import Decode
from aiolake.chunks.column import Located
from aiolake.chunks.plan import Fetch, Units, coalesce, continues
from aiolake.chunks.read import ColumnReader, SnapshotReader
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer, CostModel

__all__ = ["Batches", "Selection"]

_SLAB_ROWS = 4096
_SLAB_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Selection:
    """What is streamed.

    Attributes:
        n: Rows.
        ids: Gives the row ids at positions ``[start, stop)`` of the selection.
        names: Columns.
        batch_size: Rows per batch; the last is shorter.
        decode: What becomes of encoded samples.
        ascending: The ids come in stored order: reads may run on across batches.
    """

    n: int
    ids: Callable[[int, int], Ids]
    names: tuple[str, ...]
    batch_size: int
    decode: Decode
    ascending: bool


@dataclass(slots=True, eq=False)
class _Read:
    """One request, growing until it is started; several slabs may share it."""

    key: str
    start: int
    stop: int
    units: list[tuple[_Part, int]]
    task: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class _Part:
    """One column of one slab: where its rows are, and their payloads as they arrive."""

    reader: ColumnReader
    located: Located
    payloads: list[Buffer]
    reads: list[_Read] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Slab:
    start: int
    stop: int
    parts: dict[str, _Part]
    nbytes: int


class Batches:
    """An async iterator of batches, each a dict of column to values; enter it to use it.

    Cancellation: leaving the block ends all reads and waits for them.
    """

    def __init__(self, reader: SnapshotReader, selection: Selection, window_bytes: int) -> None:
        self._reader = reader
        self._selection = selection
        self._window = window_bytes
        self._tasks = Tasks()
        self._slabs: deque[_Slab] = deque()
        self._ready: deque[asyncio.Task[dict[str, Any]]] = deque()
        self._open: dict[str, _Read] = {}
        self._ahead = 0
        self._planned_all = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._tasks.start(self._watched(self._plan()), name="aiolake plan")
        self._tasks.start(self._watched(self._dispatch()), name="aiolake batches")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What was not consumed is given up: leaving early is no failure.
        await self._tasks.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._planned_all and not self._slabs:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        task = self._ready.popleft()
        self._room.set()
        return await task

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the planner or the dispatcher; a failure wakes the consumer, who raises it."""
        try:
            await work
        except Exception as error:
            self._failure = error
        finally:
            self._wake()

    async def _plan(self) -> None:
        """Plan slabs ahead of the consumer, within the window."""
        at, rows = 0, self._selection.batch_size
        while at < self._selection.n:
            slab = await self._slab(at, min(self._selection.n, at + rows))
            self._launch_all_but_open(slab)
            self._slabs.append(slab)
            self._ahead += slab.nbytes
            self._wake()
            at, rows = slab.stop, self._step(slab)
            await self._wait_for_room()
        self._close_reads()
        self._planned_all = True

    def _step(self, slab: _Slab) -> int:
        """Rows of the next slab: about 8 MiB of them, if the selection ascends; else a batch."""
        if not self._selection.ascending:
            return self._selection.batch_size
        per_row = max(1, slab.nbytes // max(1, slab.stop - slab.start))
        size = min(_SLAB_BYTES, max(1, self._window // 4))
        return self._whole_batches(min(_SLAB_ROWS, size // per_row))

    def _whole_batches(self, rows: int) -> int:
        size = self._selection.batch_size
        return max(size, rows - rows % size)

    async def _slab(self, start: int, stop: int) -> _Slab:
        ids = self._selection.ids(start, stop)

        async def part(name: str) -> _Part:
            reader = self._reader.column(name)
            located = await reader.index.locate(ids)
            return _Part(reader, located, [b""] * len(located.units))

        names = self._selection.names
        parts = dict(zip(names, await map_concurrently(part, names), strict=True))
        return _Slab(start, stop, parts, sum(p.located.units.nbytes for p in parts.values()))

    def _launch_all_but_open(self, slab: _Slab) -> None:
        """Start the slab's reads; the last of each column stays open to be continued."""
        for name, part in slab.parts.items():
            cost = part.reader.fetcher.cost
            cost = replace(cost, max_range_bytes=self._longest(cost))
            fetches = coalesce(part.located.units, cost)
            for i, fetch in enumerate(fetches):
                self._join(name, part, fetch, cost)
                if i < len(fetches) - 1 or not self._selection.ascending:
                    self._close_read(name)

    def _longest(self, cost: CostModel) -> int:
        return max(1, min(cost.max_range_bytes, self._window // 2))

    def _join(self, name: str, part: _Part, fetch: Fetch, cost: CostModel) -> None:
        read = self._open.get(name)
        if read is None or not continues(read.key, read.start, read.stop, fetch, cost):
            self._close_read(name)
            read = self._open[name] = _Read(fetch.key, fetch.start, fetch.stop, [])
        read.stop = max(read.stop, fetch.stop)
        read.units += [(part, unit) for unit in fetch.units]
        part.reads.append(read)

    def _close_reads(self) -> None:
        for name in list(self._open):
            self._close_read(name)

    def _close_read(self, name: str) -> None:
        read = self._open.pop(name, None)
        if read is not None:
            read.task = self._tasks.start(_run(read), name="aiolake read")

    async def _wait_for_room(self) -> None:
        while self._ahead >= self._window:
            self._room.clear()
            await self._room.wait()

    async def _dispatch(self) -> None:
        """Take slabs in order, wait for their bytes, start decoding, a few batches ahead."""
        while True:
            if not self._slabs:
                if self._planned_all:
                    self._wake()
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            slab = self._slabs[0]
            await self._arrived(slab)
            await self._decode(slab)
            self._slabs.popleft()
            self._ahead -= slab.nbytes
            self._room.set()
            self._wake()

    async def _arrived(self, slab: _Slab) -> None:
        for name, part in slab.parts.items():
            for read in part.reads:
                if read.task is None and self._open.get(name) is read:
                    if self._ahead < self._window and not self._planned_all:
                        await self._next_slab_or_end(name, read)
                    if self._open.get(name) is read:
                        self._close_read(name)
                if read.task is not None:
                    await asyncio.wait((read.task,))
                    read.task.result()

    async def _next_slab_or_end(self, name: str, read: _Read) -> None:
        """Give the planner the chance to continue an open read before it is started."""
        while self._open.get(name) is read and self._ahead < self._window and not self._planned_all:
            self._changed.clear()
            await self._changed.wait()

    async def _decode(self, slab: _Slab) -> None:
        size = self._selection.batch_size
        n_ahead = 2 + self._reader.n_threads
        for start in range(0, slab.stop - slab.start, size):
            while len(self._ready) >= n_ahead:
                self._room.clear()
                await self._room.wait()
            stop = min(start + size, slab.stop - slab.start)
            task = self._tasks.start(self._batch(slab, start, stop), name="aiolake decode")
            self._ready.append(task)
            self._wake()

    async def _batch(self, slab: _Slab, start: int, stop: int) -> dict[str, Any]:
        async def column(name: str) -> Any:
            part = slab.parts[name]
            located, used = _cut(part.located, start, stop)
            payloads = [part.payloads[u] for u in used]
            return await part.reader.assemble(located, payloads, self._selection.decode)

        names = self._selection.names
        return dict(zip(names, await map_concurrently(column, names), strict=True))

    def _wake(self) -> None:
        self._changed.set()


async def _run(read: _Read) -> None:
    """Execute a read and hand its units to the slabs that wait for them."""
    units = _units_of(read)
    fetch = Fetch(read.key, read.start, read.stop, tuple(range(len(units))))
    fetcher = read.units[0][0].reader.fetcher
    for i, payload in await fetcher.fetch(fetch, units):
        part, unit = read.units[i]
        part.payloads[unit] = payload


def _units_of(read: _Read) -> Units:
    def column(name: str) -> Ids:
        return np.asarray(
            [getattr(part.located.units, name)[unit] for part, unit in read.units], np.int64
        )

    n = len(read.units)
    return Units(
        (read.key,), np.zeros(n, np.int64), column("start"), column("length"), column("crc")
    )


def _cut(located: Located, start: int, stop: int) -> tuple[Located, Sequence[int]]:
    """The rows ``[start, stop)`` of a located slab, and the units they use."""
    if start == 0 and stop == located.n:
        return located, range(len(located.units))
    unit = located.unit[start:stop]
    parted = {row - start: p for row, p in located.parted.items() if start <= row < stop}
    wanted = np.unique(unit[unit >= 0])
    in_parts = [np.arange(p.first, p.last) for p in parted.values()]
    used = np.unique(np.concatenate([wanted, *in_parts])).astype(np.int64)
    number = np.searchsorted(used, unit)
    units = located.units
    cut = Located(
        n=stop - start,
        units=Units(
            units.keys, units.key[used], units.start[used], units.length[used], units.crc[used]
        ),
        unit=np.where(unit >= 0, number, -1),
        row=located.row[start:stop],
        n_rows=located.n_rows[used],
        bitmap=located.bitmap[used],
        null=located.null[start:stop],
        shape=located.shape[start:stop],
        constants=[
            (rows[(rows >= start) & (rows < stop)] - start, value)
            for rows, value in located.constants
        ],
        parted={
            row: replace(
                p,
                first=int(np.searchsorted(used, p.first)),
                last=int(np.searchsorted(used, p.last - 1)) + 1,
            )
            for row, p in parted.items()
        },
    )
    return cut, used.tolist()
