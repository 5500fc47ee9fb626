"""What a peer must be able to do to be measured."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.source import Source

__all__ = ["BATCH", "ROWS_PER_WRITE", "Peer"]

BATCH = 64
"""Samples of a batch."""

ROWS_PER_WRITE = 1000
"""Rows handed over at a time by peers that are written in batches: 19 MB of pictures."""


class Peer(Protocol):
    """A way to keep samples and labels in a directory, and to get the samples back.

    A sample is ``bytes``, a float32 array or ``str``, as the source's kind says. Methods are
    coroutines because aiolake's are; a synchronous peer just does not await, which costs it a
    tenth of a microsecond a call.

    Attributes:
        waits: Whether a read waits in the event loop, so that many can be in flight there; the
            reads of others are put into threads.
    """

    waits: bool

    async def ingest(self, source: Source, directory: Path) -> None:
        """Write all rows as one dataset, committed, in the way the peer's guide shows."""
        ...

    async def open(self, directory: Path) -> None:
        """Open what was written, for reading."""
        ...

    async def read_one(self, row: int) -> Any:
        """One row's sample."""
        ...

    async def read_alone(self, row: int) -> Any:
        """One row's sample when nothing else goes on, if there is a faster way for that."""
        ...

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """Some rows' samples, in the order asked for."""
        ...

    def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """All samples in order, some at a time."""
        ...

    def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """All samples in a random order, some at a time."""
        ...

    def another(self) -> Peer:
        """Another reader in this process, sharing what the guide says to share."""
        ...

    def requests(self) -> int | None:
        """Requests so far as the peer counts them, if it does."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...
