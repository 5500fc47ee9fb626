"""What a peer must be able to do to be measured."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

__all__ = ["ROWS_PER_WRITE", "Encoded", "Peer", "grouped"]

T = TypeVar("T")

Encoded: TypeAlias = bytes | bytearray | memoryview
"""One JPEG, byte for byte as it was given."""

ROWS_PER_WRITE = 1000
"""Rows handed over at a time by peers that are written in batches: about 19 MB."""


class Peer(Protocol):
    """A way to keep JPEGs and labels in a directory, and to get the JPEGs back.

    Methods are coroutines because aiolake's are; a synchronous peer just does not await, which
    costs it a tenth of a microsecond a call.
    """

    async def ingest(self, jpegs: Iterable[bytes], labels: Sequence[int], directory: Path) -> None:
        """Write all rows as one dataset, committed, in the way the peer's guide shows."""
        ...

    async def open(self, directory: Path) -> None:
        """Open what was written, for reading."""
        ...

    async def read_one(self, row: int) -> Encoded:
        """One row's JPEG."""
        ...

    async def read_many(self, rows: Sequence[int]) -> Sequence[Encoded]:
        """Some rows' JPEGs, in the order asked for."""
        ...

    def scan(self) -> AsyncIterator[Sequence[Encoded]]:
        """All JPEGs in order, some at a time."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


def grouped(values: Iterable[T], n: int) -> Iterable[list[T]]:
    """Lists of ``n`` values; the last may be shorter."""
    iterator = iter(values)
    while group := list(islice(iterator, n)):
        yield group
