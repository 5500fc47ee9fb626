"""What a snapshot takes on storage."""

from __future__ import annotations

from aiolake._aio import map_concurrently
from aiolake.dataset.dataset import Dataset

__all__ = ["column_sizes"]


async def column_sizes(dataset: Dataset) -> dict[str, int]:
    """The stored payload bytes behind each column of the handle's snapshot, by name.

    Values that a later update replaced count until ``optimize`` leaves them out.

    Cost: one GET for each list of pieces (or segment of one) that is not in memory; no payload.
    """
    dataset._guard.check()
    reader = dataset._state.reader

    async def size(name: str) -> int:
        return sum(piece.nbytes for piece in await reader.column(name).index.pieces())

    names = dataset.schema.names
    return dict(zip(names, await map_concurrently(size, names, limit=16), strict=True))
