"""What the adapters of synchronous peers have in common."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

from benchmarks.peers.base import BATCH
from benchmarks.source import Source

__all__ = ["BlockingPeer", "gathered"]


class BlockingPeer:
    """A peer whose calls block: reads in flight are in threads.

    Args:
        kind: Of samples.
    """

    waits = False

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._n_rows = 0

    async def ingest(self, source: Source, directory: Path) -> None:
        """Write everything."""
        raise NotImplementedError

    async def open(self, directory: Path) -> None:
        """Open; sets the number of rows."""
        raise NotImplementedError

    async def read_one(self, row: int) -> Any:
        """One sample."""
        raise NotImplementedError

    async def read_alone(self, row: int) -> Any:
        """In no other way."""
        return await self.read_one(row)

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """One after the other, where a peer has no better way."""
        return [await self.read_one(row) for row in rows]

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Batches of consecutive rows, where a peer has no better way."""
        for start in range(0, self._n_rows, BATCH):
            yield await self.read_many(range(start, min(self._n_rows, start + BATCH)))

    async def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """Batches of a random permutation, where a peer has no shuffle of its own."""
        order = list(range(self._n_rows))
        random.Random(seed).shuffle(order)
        for start in range(0, self._n_rows, BATCH):
            yield await self.read_many(order[start : start + BATCH])

    def another(self) -> Self:
        """Shares nothing."""
        return type(self)(self._kind)

    def requests(self) -> int | None:
        """Not counted."""
        return None

    async def close(self) -> None:
        """Nothing to close."""


def gathered(samples: Iterable[Any], n: int = BATCH) -> Iterator[list[Any]]:
    """Lists of ``n`` samples; the last may be shorter."""
    iterator = iter(samples)
    while group := list(islice(iterator, n)):
        yield group
