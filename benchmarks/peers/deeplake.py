"""Deep Lake 4: a Bytes column, because its Image column gives pixels, not the JPEG."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import deeplake  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE, Encoded, grouped

__all__ = ["DeepLakePeer", "make"]

_SCAN_ROWS = 64


class DeepLakePeer:
    """``append`` of lists, indexing a column, and ``batches``."""

    async def ingest(self, jpegs: Iterable[bytes], labels: Sequence[int], directory: Path) -> None:
        """Appends, then one commit."""
        ds = deeplake.create(str(directory))
        ds.add_column("image", deeplake.types.Bytes())
        ds.add_column("label", deeplake.types.Int32())
        at = 0
        for group in grouped(jpegs, ROWS_PER_WRITE):
            ds.append({"image": group, "label": list(labels[at : at + len(group)])})
            at += len(group)
        ds.commit("ingest")

    async def open(self, directory: Path) -> None:
        """Open read-only."""
        self._ds: Any = deeplake.open_read_only(str(directory))
        self._images: Any = self._ds["image"]

    async def read_one(self, row: int) -> Encoded:
        """Index the column, which is faster than to index the dataset first."""
        image: bytes = self._images[row]
        return image

    async def read_many(self, rows: Sequence[int]) -> Sequence[Encoded]:
        """Index the column by a list."""
        images: list[bytes] = self._images[list(rows)]
        return images

    async def scan(self) -> AsyncIterator[Sequence[Encoded]]:
        """``batches`` prefetches; it reads the labels too, which are few bytes."""
        for batch in self._ds.batches(_SCAN_ROWS):
            yield batch["image"]

    async def close(self) -> None:
        """Drop the handle."""
        del self._images, self._ds


def make() -> DeepLakePeer:
    """With the defaults."""
    return DeepLakePeer()
