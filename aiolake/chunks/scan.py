"""A pass over rows in stored order with few large reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiolake._aio import Tasks, map_concurrently
from aiolake.chunks.assemble import Decode
from aiolake.chunks.column import Located
from aiolake.chunks.plan import Fetch, Units, coalesce, continues
from aiolake.chunks.read import ColumnReader, SnapshotReader
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer, CostModel

if TYPE_CHECKING:
    from aiolake.chunks.stream import Selection

__all__ = ["Scan", "Slab", "cut"]

_SLAB_ROWS = 4096
_SLAB_BYTES = 8 << 20


@dataclass(slots=True, eq=False)
class _Part:
    """One column of one slab: where its rows are, and their payloads as they arrive."""

    reader: ColumnReader
    located: Located
    payloads: list[Buffer]
    reads: list[_Read] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Read:
    """One request, growing until it is started; several slabs may share it."""

    key: str
    start: int
    stop: int
    units: list[tuple[_Part, Ids]]
    task: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class Slab:
    """Some batches' rows, planned together."""

    n: int
    parts: dict[str, _Part]
    nbytes: int

    async def batch(self, start: int, stop: int, decode: Decode) -> dict[str, Any]:
        """Decode and collate the rows ``[start, stop)``."""

        async def column(part: _Part) -> Any:
            located, first, last = cut(part.located, start, stop)
            return await part.reader.assemble(located, part.payloads[first:last], decode)

        values = await map_concurrently(column, self.parts.values())
        return dict(zip(self.parts, values, strict=True))


class Scan:
    """Plans slabs ahead of the consumer, within a window of bytes, and reads them.

    Where one slab's last read of a column is continued by the next slab's first, they become one
    request.

    Args:
        reader: Of the snapshot.
        selection: In stored order.
        window_bytes: How far the planner may be ahead.
        tasks: Owns the reads.
    """

    def __init__(
        self, reader: SnapshotReader, selection: Selection, window_bytes: int, tasks: Tasks
    ) -> None:
        self._reader = reader
        self._selection = selection
        self._window = window_bytes
        self._tasks = tasks
        self._slabs: deque[Slab] = deque()
        self._open: dict[str, _Read] = {}
        self._ahead = 0
        self._planned_all = False
        self._changed = asyncio.Event()

    async def plan(self) -> None:
        """Plan all slabs and start their reads."""
        try:
            at, rows = 0, self._selection.batch_size
            while at < self._selection.n:
                slab = await self._slab(at, min(self._selection.n, at + rows))
                self._add(slab)
                at, rows = at + slab.n, self._step(slab)
                while self._ahead >= self._window:
                    await self._change()
            self._close_reads()
        finally:
            self._planned_all = True
            self._changed.set()

    async def slabs(self) -> AsyncIterator[Slab]:
        """The slabs in order, each when its payloads have arrived."""
        while True:
            while not self._slabs:
                if self._planned_all:
                    return
                await self._change()
            slab = self._slabs[0]
            await self._arrived(slab)
            yield slab
            self._slabs.popleft()
            self._ahead -= slab.nbytes
            self._changed.set()

    async def _slab(self, start: int, stop: int) -> Slab:
        ids = self._selection.ids(start, stop)

        async def part(name: str) -> _Part:
            reader = self._reader.column(name)
            located = await reader.index.locate(ids)
            return _Part(reader, located, [b""] * len(located.units))

        names = self._selection.names
        parts = dict(zip(names, await map_concurrently(part, names), strict=True))
        return Slab(stop - start, parts, sum(p.located.units.nbytes for p in parts.values()))

    def _step(self, slab: Slab) -> int:
        """Rows of the next slab: whole batches of about 8 MiB."""
        size = self._selection.batch_size
        nbytes = min(_SLAB_BYTES, max(1, self._window // 4))
        rows = min(_SLAB_ROWS, nbytes // max(1, slab.nbytes // slab.n))
        return max(size, rows - rows % size)

    def _add(self, slab: Slab) -> None:
        """Start the slab's reads; the last of each column stays open to be continued."""
        for name, part in slab.parts.items():
            cost = part.reader.fetcher.cost
            cost = replace(cost, max_range_bytes=self._longest(cost))
            for fetch in coalesce(part.located.units, cost):
                self._join(name, part, fetch, cost)
        self._slabs.append(slab)
        self._ahead += slab.nbytes
        self._changed.set()

    def _longest(self, cost: CostModel) -> int:
        return max(1, min(cost.max_range_bytes, self._window // 2))

    def _join(self, name: str, part: _Part, fetch: Fetch, cost: CostModel) -> None:
        read = self._open.get(name)
        if read is None or not continues(read.key, read.start, read.stop, fetch, cost):
            self._close_read(name)
            read = self._open[name] = _Read(fetch.key, fetch.start, fetch.stop, [])
        read.stop = max(read.stop, fetch.stop)
        read.units.append((part, np.asarray(fetch.units, np.int64)))
        part.reads.append(read)

    def _close_reads(self) -> None:
        for name in list(self._open):
            self._close_read(name)

    def _close_read(self, name: str) -> None:
        read = self._open.pop(name, None)
        if read is not None:
            read.task = self._tasks.start(_run(read), name="aiolake read")

    async def _arrived(self, slab: Slab) -> None:
        """Wait for a slab's reads; one that is still open is given the chance to grow."""
        for name, part in slab.parts.items():
            for read in part.reads:
                while self._open.get(name) is read:
                    if self._planned_all or self._ahead >= self._window:
                        self._close_read(name)
                    else:
                        await self._change()
                assert read.task is not None
                await asyncio.wait((read.task,))
                read.task.result()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


async def _run(read: _Read) -> None:
    """Execute a read and hand its units to the slabs that wait for them."""

    def column(name: str) -> Ids:
        return np.concatenate([getattr(p.located.units, name)[units] for p, units in read.units])

    n = sum(len(units) for _, units in read.units)
    units = Units(
        (read.key,), np.zeros(n, np.int64), column("start"), column("length"), column("crc")
    )
    fetch = Fetch(read.key, read.start, read.stop, tuple(range(n)))
    payloads = await read.units[0][0].reader.fetcher.fetch(fetch, units)
    at = 0
    for part, members in read.units:
        for unit in members.tolist():
            part.payloads[unit] = payloads[at]
            at += 1


def cut(located: Located, start: int, stop: int) -> tuple[Located, int, int]:
    """The rows ``[start, stop)`` of rows located in stored order, with the units they use.

    Returns:
        The rows, their units counted from the first, and the range of those units.
    """
    unit = located.unit[start:stop]
    used = unit[unit >= 0]
    parted = {row - start: p for row, p in located.parted.items() if start <= row < stop}
    firsts = [*(p.first for p in parted.values()), *([int(used.min())] if len(used) else [])]
    lasts = [*(p.last for p in parted.values()), *([int(used.max()) + 1] if len(used) else [])]
    first, last = min(firsts, default=0), max(lasts, default=0)
    units = located.units
    within = slice(first, last)
    rows_cut = Located(
        n=stop - start,
        units=Units(
            units.keys,
            units.key[within],
            units.start[within],
            units.length[within],
            units.crc[within],
        ),
        unit=np.where(unit >= 0, unit - first, -1),
        row=located.row[start:stop],
        n_rows=located.n_rows[within],
        bitmap=located.bitmap[within],
        null=located.null[start:stop],
        shape=located.shape[start:stop],
        constants=[
            (rows[(rows >= start) & (rows < stop)] - start, value)
            for rows, value in located.constants
        ],
        parted={
            row: replace(p, first=p.first - first, last=p.last - first) for row, p in parted.items()
        },
    )
    return rows_cut, first, last
