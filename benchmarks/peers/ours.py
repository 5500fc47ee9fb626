"""aiolake, through its public names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import aiolake
from benchmarks.peers.base import ROWS_PER_WRITE, Encoded, grouped

__all__ = ["AiolakePeer", "make"]

_SCAN_ROWS = 64
_COLUMNS = ["image"]
_SCHEMA: dict[str, aiolake.ColumnType] = {
    "image": aiolake.Image(),
    "label": aiolake.Tensor("int32", ()),
}


class AiolakePeer:
    """An ``Image`` column, read without decoding, and an integer column.

    Args:
        options: ``None`` for the defaults, which sync every object before a commit.
    """

    def __init__(self, options: aiolake.Options | None = None) -> None:
        self._options = options

    async def ingest(self, jpegs: Iterable[bytes], labels: Sequence[int], directory: Path) -> None:
        """One transaction."""
        async with (
            aiolake.create_dataset(directory, _SCHEMA, options=self._options) as ds,
            ds.transaction("ingest") as tx,
        ):
            at = 0
            for group in grouped(jpegs, ROWS_PER_WRITE):
                columns = {"image": group, "label": labels[at : at + len(group)]}
                at += await tx.append(columns=columns)

    async def open(self, directory: Path) -> None:
        """Open the newest snapshot."""
        self._ds = await aiolake.open_dataset(directory, options=self._options)

    async def read_one(self, row: int) -> Encoded:
        """A single index gives a row."""
        values = await self._ds.read(row, columns=_COLUMNS, decode=False)
        image: Encoded = values["image"]
        return image

    async def read_many(self, rows: Sequence[int]) -> Sequence[Encoded]:
        """A list of indexes gives a batch."""
        values = await self._ds.read(rows, columns=_COLUMNS, decode=False)
        images: Sequence[Encoded] = values["image"]
        return images

    async def scan(self) -> AsyncIterator[Sequence[Encoded]]:
        """Stream one column."""
        async with self._ds.select("image").batches(_SCAN_ROWS, decode=False) as batches:
            async for batch in batches:
                yield batch["image"]

    async def close(self) -> None:
        """Close the handle, and with it the session."""
        await self._ds.aclose()


def make() -> AiolakePeer:
    """With the defaults."""
    return AiolakePeer()
