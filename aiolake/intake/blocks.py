"""Reading ahead: items become blocks of rows, in order, in threads, within a budget of bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import msgspec

from aiolake._aio import Tasks, WorkPool
from aiolake.intake.progress import ListDigest
from aiolake.intake.rows import nbytes_of
from aiolake.intake.source import BadItem, Item, Reader, TooLarge
from aiolake.intake.values import Policy, Skipped

__all__ = ["AsyncBatches", "Batch", "Batches", "Block", "Blocks", "ScannedBatches", "read_items"]

BLOCK_BYTES = 4 << 20
MOST_ITEMS = 512
_FIRST_ITEMS = 32


class Batch(msgspec.Struct, frozen=True):
    """Some items in order, and the digest of the list up to their end."""

    items: list[Item]
    digest: str


class Batches(Protocol):
    """Cuts a source into batches."""

    async def take(self, n: int) -> Batch:
        """The next ``n`` items at most; none at the end."""
        ...


class ScannedBatches:
    """Batches of a source whose items come from files: a thread of its own makes them.

    Args:
        items: The items.
        digest: Knows those that were taken before.
        thread: The thread.
    """

    def __init__(self, items: Iterator[Item], digest: ListDigest, thread: WorkPool) -> None:
        self._items = items
        self._digest = digest
        self._thread = thread

    async def take(self, n: int) -> Batch:
        """See ``Batches``."""
        return await self._thread.run(self._taken, n)

    def _taken(self, n: int) -> Batch:
        items = list(islice(self._items, n))
        self._digest.add(items)
        return Batch(items, self._digest.text())


class AsyncBatches:
    """Batches of rows that a program makes.

    Args:
        items: The rows.
        peeked: Those that were taken from ``items`` already.
    """

    def __init__(self, items: AsyncIterator[Item], peeked: Sequence[Item]) -> None:
        self._items = items
        self._peeked = deque(peeked)

    async def take(self, n: int) -> Batch:
        """See ``Batches``."""
        items: list[Item] = []
        nbytes = 0
        while len(items) < n and nbytes < BLOCK_BYTES:
            item = await self._next()
            if item is None:
                break
            items.append(item)
            nbytes += nbytes_of(item.value)
        return Batch(items, "")

    async def skip(self, n: int) -> None:
        """Pass over rows that were done before."""
        for _ in range(n):
            if await self._next() is None:
                return

    async def _next(self) -> Item | None:
        return self._peeked.popleft() if self._peeked else await anext(self._items, None)


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of some items.

    Attributes:
        items: Those that gave a row.
        rows: Their rows.
        skipped: Those that gave none.
        rest: Items that had no room.
        nbytes: What the rows hold.
    """

    items: list[Item]
    rows: list[dict[str, Any]]
    skipped: list[Skipped]
    rest: list[Item]
    nbytes: int


def read_items(reader: Reader, items: Sequence[Item], room: int, alone: bool) -> Block:
    """Read items, as many as have room.

    Args:
        reader: Reads one.
        items: In order.
        room: Bytes.
        alone: The first may have more.
    """
    good: list[Item] = []
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    nbytes = 0
    for i, item in enumerate(items):
        free = _NO_LIMIT if alone and i == 0 else room - nbytes
        try:
            row, size = _read(reader, item, free)
        except TooLarge:
            return Block(
                items=good, rows=rows, skipped=skipped, rest=list(items[i:]), nbytes=nbytes
            )
        except BadItem as error:
            skipped.append(Skipped(item.number, item.name, str(error)))
        else:
            good.append(item)
            rows.append(row)
            nbytes += size
    return Block(items=good, rows=rows, skipped=skipped, rest=[], nbytes=nbytes)


_NO_LIMIT = 1 << 62


def _read(reader: Reader, item: Item, room: int) -> tuple[dict[str, Any], int]:
    if item.error is not None:
        raise BadItem(item.error)
    return reader.read(item, room)


class Blocks:
    """Blocks in the order of their items, a few read ahead.

    Args:
        batches: The items.
        reader: Reads one.
        pool: Threads that read; ``None`` reads at once, where nothing is to be waited for.
        tasks: Owns what reads ahead.
        policy: Limits.
    """

    def __init__(
        self, batches: Batches, reader: Reader, pool: WorkPool | None, tasks: Tasks, policy: Policy
    ) -> None:
        self._batches = batches
        self._reader = reader
        self._pool = pool
        self._tasks = tasks
        self._most = min(MOST_ITEMS, policy.commit_every)
        self._room = max(1, min(BLOCK_BYTES, policy.max_bytes))
        self._ahead = max(1, min(2 * policy.n_readers, policy.max_bytes // self._room))
        self._waiting: deque[tuple[Batch, asyncio.Task[Block]]] = deque()
        self._ended = False
        self._failure: Exception | None = None
        self._n_read, self._nbytes = 0, 0

    async def next(self) -> tuple[Batch, Block] | None:
        """The next batch, and the rows of as many of its items as have room; ``None`` at the end.

        For the ``rest`` of a block call ``more``, until there is none.
        """
        while not self._ended and len(self._waiting) < self._ahead:
            await self._begin_next()
        if not self._waiting:
            if self._failure is not None:
                raise self._failure
            return None
        batch, task = self._waiting.popleft()
        block = await task
        self._n_read += len(block.rows)
        self._nbytes += block.nbytes
        return batch, block

    async def _begin_next(self) -> None:
        try:
            batch = await self._batches.take(self._wanted())
        except Exception as failure:  # what came before it is ingested first
            self._failure, self._ended = failure, True
            return
        if not batch.items:
            self._ended = True
            return
        task = self._tasks.start(self._read(batch.items, alone=False), name="aiolake read")
        self._waiting.append((batch, task))

    async def more(self, rest: Sequence[Item]) -> Block:
        """Items that had no room; of the huge ones that come first only one at a time is held."""
        return await self._read(rest, alone=True)

    async def _read(self, items: Sequence[Item], *, alone: bool) -> Block:
        if self._pool is None:
            return read_items(self._reader, items, _NO_LIMIT, alone)
        return await self._pool.run(read_items, self._reader, items, self._room, alone)

    def _wanted(self) -> int:
        """Items for about a block's bytes, as far as is known."""
        if not self._n_read:
            return min(_FIRST_ITEMS, self._most)
        each = max(1, self._nbytes // self._n_read)
        return max(1, min(self._most, self._room * 3 // 4 // each))
