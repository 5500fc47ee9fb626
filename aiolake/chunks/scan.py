"""A pass over rows in stored order with few large reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from aiolake._aio import Tasks, map_concurrently
from aiolake.chunks.assemble import Decode
from aiolake.chunks.located import Located
from aiolake.chunks.plan import Fetch, Units, coalesce, continues
from aiolake.chunks.read import ColumnReader, SnapshotReader
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer, CostModel

if TYPE_CHECKING:
    from aiolake.chunks.stream import Selection

__all__ = ["Scan", "Slab", "cut"]

_SLAB_ROWS = 4096
_SLAB_BYTES = 8 << 20


class _Part(msgspec.Struct, eq=False):
    """One column of one slab: where its rows are, and their payloads as they arrive."""

    reader: ColumnReader
    located: Located
    payloads: list[Buffer]
    reads: list[_Read] = msgspec.field(default_factory=list)


class _Read(msgspec.Struct, eq=False):
    """One request, growing until it is started; several slabs may share it."""

    key: str
    start: int
    stop: int
    units: list[tuple[_Part, Ids]]
    task: asyncio.Task[None] | None = None


class Slab(msgspec.Struct, eq=False):
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

    Where a slab's read of an object is continued by the next slab's, they become one request.

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
        self._open: dict[str, _Read] = {}  # by object
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

    async def slabs(self) -> AsyncGenerator[Slab, None]:
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
        """Start the slab's reads; the last of each column stays open to be continued.

        Columns that lie in one object, as small transactions write them, are read together.
        """
        parts = tuple(slab.parts.values())
        units, stops = _table(parts)
        cost = self._cost(parts[0].reader.fetcher.cost)
        for fetch in coalesce(units, cost):
            self._join(fetch, _members(fetch, parts, stops), cost)
        last = [part.reads[-1] for part in parts if part.reads]
        for read in tuple(self._open.values()):
            if read not in last:
                self._close_read(read)
        self._slabs.append(slab)
        self._ahead += slab.nbytes
        self._changed.set()

    def _cost(self, cost: CostModel) -> CostModel:
        longest = max(1, min(cost.max_range_bytes, self._window // 2))
        return replace(cost, max_range_bytes=longest)

    def _join(self, fetch: Fetch, members: Sequence[tuple[_Part, Ids]], cost: CostModel) -> None:
        read = self._open.get(fetch.key)
        if read is None or not continues(read.start, read.stop, fetch, cost):
            if read is not None:
                self._close_read(read)
            read = self._open[fetch.key] = _Read(fetch.key, fetch.start, fetch.stop, [])
        read.stop = max(read.stop, fetch.stop)
        read.units += members
        for part, _ in members:
            part.reads.append(read)

    def _close_reads(self) -> None:
        for read in tuple(self._open.values()):
            self._close_read(read)

    def _close_read(self, read: _Read) -> None:
        del self._open[read.key]
        read.task = self._tasks.start(_run(read), name="aiolake read")

    async def _arrived(self, slab: Slab) -> None:
        """Wait for a slab's reads; one that is still open is given the chance to grow."""
        for part in slab.parts.values():
            for read in part.reads:
                while read.task is None:
                    if self._planned_all or self._ahead >= self._window:
                        self._close_read(read)
                    else:
                        await self._change()
                await asyncio.wait((read.task,))
                read.task.result()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _combined(key: str, members: list[tuple[_Part, Ids]]) -> Units:
    """Units of several parts in one object, one part after the other."""

    def column(name: str) -> Ids:
        return np.concatenate([getattr(p.located.units, name)[units] for p, units in members])

    start = column("start")
    return Units((key,), np.zeros(len(start), np.int64), start, column("length"), column("crc"))


def _table(parts: Sequence[_Part]) -> tuple[Units, Ids]:
    """The units of several columns as one table, and where each column's end in it."""
    numbers: dict[str, int] = {}
    tables = [part.located.units for part in parts]
    # A table of empty payloads alone names no object.
    named = [[numbers.setdefault(key, len(numbers)) for key in u.keys] or [0] for u in tables]
    combined = Units(
        tuple(numbers),
        np.concatenate([np.asarray(n)[u.key] for n, u in zip(named, tables, strict=True)]),
        np.concatenate([units.start for units in tables]),
        np.concatenate([units.length for units in tables]),
        np.concatenate([units.crc for units in tables]),
    )
    return combined, np.cumsum([len(units) for units in tables])


def _members(fetch: Fetch, parts: Sequence[_Part], stops: Ids) -> list[tuple[_Part, Ids]]:
    """Which units of which columns a fetch of the combined table serves."""
    units = np.asarray(fetch.units, np.int64)
    owner = np.searchsorted(stops, units, side="right")
    found = []
    for i in np.unique(owner).tolist():
        first = int(stops[i]) - len(parts[i].located.units)
        found.append((parts[i], units[owner == i] - first))
    return found


async def _run(read: _Read) -> None:
    """Execute a read and hand its units to the slabs that wait for them."""
    units = _combined(read.key, read.units)
    fetch = Fetch(read.key, read.start, read.stop, tuple(range(len(units))))
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
            row: msgspec.structs.replace(p, first=p.first - first, last=p.last - first)
            for row, p in parted.items()
        },
    )
    return rows_cut, first, last
