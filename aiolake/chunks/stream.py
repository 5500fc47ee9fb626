"""Batches of a selection in order, prefetched.

Three ways. Where a store answers at once and rows are small, many batches are read and decoded
together and cut apart. Where rows are large, or scattered over a store that has to be waited for,
each batch is read by itself, a few ahead of the consumer. Where rows come in stored order from a
store that has to be waited for, ``Scan`` walks over the selection in slabs of many batches and
joins neighbouring reads across them, so that a scan needs about one request per chunk object.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from aiolake._aio import Pace, Tasks
from aiolake.chunks.assemble import Decode
from aiolake.chunks.located import Located
from aiolake.chunks.read import SnapshotReader
from aiolake.chunks.stock import SLAB_BYTES, Step, Stock
from aiolake.errors import ClosedError, InvalidInputError
from aiolake.ranges import Ids

if TYPE_CHECKING:
    from aiolake.chunks.scan import Slab

__all__ = ["Batch", "Batches", "Selection"]

Batch = dict[str, Any]
Producer = Callable[[], Coroutine[Any, Any, None]]


class Selection(msgspec.Struct, frozen=True):
    """What is streamed.

    Attributes:
        n: Rows.
        ids: Gives the row ids at positions ``[start, stop)`` of the selection.
        names: Columns.
        batch_size: Rows per batch; the last is shorter.
        decode: What becomes of encoded samples.
        ascending: The ids come in stored order.
    """

    n: int
    ids: Callable[[int, int], Ids]
    names: tuple[str, ...]
    batch_size: int
    decode: Decode
    ascending: bool


class Batches:
    """An async iterator of batches, each a dict of column to values; enter it to use it.

    Cancellation: leaving the block ends all reads and waits for them.
    """

    def __init__(self, reader: SnapshotReader, selection: Selection, window_bytes: int) -> None:
        self._reader = reader
        self._selection = selection
        self._window = window_bytes
        self._tasks = Tasks()
        self._ready: deque[asyncio.Task[Stock]] = deque()
        self._entered = self._left = self._ended = False
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._turned = perf_counter()

    async def __aenter__(self) -> Self:
        if self._entered:
            raise InvalidInputError("a stream of batches is used once; call batches() again")
        self._entered = True
        await self._tasks.__aenter__()
        # What lies outside is in no stored order.
        ordered = self._selection.ascending and not self._reader.has_links(self._selection.names)
        scan = ordered and not self._reader.answers_now
        self._start(self._scan if scan else self._read_now_or_each(), "aiolake batches")
        return self

    def _read_now_or_each(self) -> Producer:
        small = self._reader.are_small(self._selection.names, self._selection.decode)
        return self._read_slabs if small and self._reader.answers_now else self._read_each

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What was not consumed is given up: leaving early is no failure.
        self._left = True
        self._changed.set()
        await self._tasks.aclose()
        self._ready.clear()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        if perf_counter() - self._turned > Pace.limit_s:
            # Batches that are at hand never wait: the consumer's loop would be one callback.
            # Noted first, for a consumer who gives up waiting whenever it has to wait at all.
            self._turned = perf_counter()
            await asyncio.sleep(0)
        first = await self._first()
        while not first.done():
            # Not "await first": a consumer who gives up waiting must find the batch here later.
            await asyncio.wait((first,))
            self._turned = perf_counter()
            # Another consumer may have waited for it too, and have taken it.
            first = await self._first()
        stock = first.result()
        batch = stock.take()
        if not stock:
            self._ready.popleft()
            self._changed.set()
        return batch

    async def _first(self) -> asyncio.Task[Stock]:
        self._check_open()
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                raise StopAsyncIteration
            await self._change()
            self._check_open()
        return self._ready[0]

    def _check_open(self) -> None:
        """Nothing is read outside the block: a consumer there would wait for ever."""
        if not self._entered:
            raise InvalidInputError(
                "enter the stream first: async with view.batches(64) as batches: "
                "async for batch in batches: ..."
            )
        if self._left:
            raise ClosedError("the block of this stream of batches was left; call batches() again")

    @property
    def _n_ahead(self) -> int:
        """Batches that may be under way or wait for the consumer."""
        return 2 + self._reader.n_threads

    def _n_allowed(self, largest: int) -> int:
        """How many reads of up to so many bytes may be under way or wait for the consumer."""
        return min(self._n_ahead, max(1, self._window // largest))

    async def _read_each(self) -> None:
        """Start a read for each batch, as far ahead as the bound and the window allow."""
        size, n = self._selection.batch_size, self._selection.n
        largest = 1
        for start in range(0, n, size):
            while len(self._ready) >= self._n_allowed(largest):
                await self._change()
            ids = self._selection.ids(start, min(n, start + size))
            task = self._tasks.start(self._read(ids), name="aiolake batch")
            self._offer(task)
            if start == 0:  # the first tells how large they are
                await asyncio.wait((task,))
                largest = max(1, _nbytes(task))
        self._end()

    async def _read(self, ids: Ids) -> Stock:
        names, decode = self._selection.names, self._selection.decode
        values = await self._reader.batch(ids, names, decode, keep=False)
        return Stock(values, len(ids), len(ids))

    async def _read_slabs(self) -> None:
        """Start reads of several batches each, as far ahead as the bound and the window allow."""
        size, n = self._selection.batch_size, self._selection.n
        limit = max(1, min(SLAB_BYTES, self._window // 4))
        at, step, largest = 0, Step(size, size), 1
        while at < n:
            while len(self._ready) >= self._n_allowed(largest):
                await self._change()
            n_rows, located, nbytes = await self._plan(at, step, limit)
            self._offer(self._tasks.start(self._read_slab(n_rows, located), name="aiolake batches"))
            at, step, largest = at + n_rows, step.after(n_rows, nbytes, limit), max(largest, nbytes)
        self._end()

    async def _plan(self, at: int, step: Step, limit: int) -> tuple[int, list[Located], int]:
        """Where the next rows are: fewer than planned where they turn out to be large."""
        names, n_rows = self._selection.names, min(step.n_rows, self._selection.n - at)
        while True:
            located = await self._reader.locate(self._selection.ids(at, at + n_rows), names)
            nbytes = self._reader.decoded_nbytes(names, located)
            if nbytes <= 2 * limit or n_rows <= step.batch_size:
                return n_rows, located, nbytes
            n_rows = step.after(n_rows, nbytes, limit).n_rows

    async def _read_slab(self, n_rows: int, located: list[Located]) -> Stock:
        names, decode = self._selection.names, self._selection.decode
        values = await self._reader.located_batch(located, names, decode)
        return Stock(values, n_rows, self._selection.batch_size)

    async def _scan(self) -> None:
        from aiolake.chunks.scan import Scan

        scan = Scan(self._reader, self._selection, self._window, self._tasks)
        self._start(scan.plan, "aiolake scan")
        async with aclosing(scan.slabs()) as slabs:
            async for slab in slabs:
                await self._offer_batches(slab)
        self._end()

    async def _offer_batches(self, slab: Slab) -> None:
        for start in range(0, slab.n, self._selection.batch_size):
            while len(self._ready) >= self._n_ahead:
                await self._change()
            stop = min(slab.n, start + self._selection.batch_size)
            work = self._cut(slab, start, stop)
            self._offer(self._tasks.start(work, name="aiolake batch"))

    async def _cut(self, slab: Slab, start: int, stop: int) -> Stock:
        values = await slab.batch(start, stop, self._selection.decode)
        return Stock(values, stop - start, stop - start)

    def _offer(self, task: asyncio.Task[Stock]) -> None:
        self._ready.append(task)
        self._changed.set()

    def _end(self) -> None:
        self._ended = True
        self._changed.set()

    def _start(self, work: Producer, name: str) -> None:
        self._tasks.start(self._watched(work), name=name)

    async def _watched(self, work: Producer) -> None:
        """Run a producer; its failure wakes the consumer, who raises it."""
        try:
            await work()
        except Exception as error:
            self._failure = error
            self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _nbytes(task: asyncio.Task[Stock]) -> int:
    """About how many bytes a batch holds; 0 of one that failed, whose error the consumer gets."""
    if task.cancelled() or task.exception() is not None:
        return 0
    total = 0
    for values in task.result().values.values():
        each = [values] if hasattr(values, "nbytes") else values
        total += sum(getattr(v, "nbytes", 0) or len(v) for v in each if hasattr(v, "__len__"))
    return total
