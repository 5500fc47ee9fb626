"""A file per JPEG in one directory: no checksums, no transactions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from benchmarks.peers.base import Encoded

__all__ = ["FilesPeer", "make"]

_SCAN_ROWS = 64
_LABELS = "labels.json"


class FilesPeer:
    """What a few lines of Python do."""

    async def ingest(self, jpegs: Iterable[bytes], labels: Sequence[int], directory: Path) -> None:
        """Write each file, then the labels."""
        directory.mkdir(parents=True)
        for row, jpeg in enumerate(jpegs):
            with open(f"{directory}/{row:08d}.jpg", "wb") as file:
                file.write(jpeg)
        (directory / _LABELS).write_text(json.dumps(list(labels)))

    async def open(self, directory: Path) -> None:
        """Learn how many there are."""
        self._directory = str(directory)
        self._n_rows = len(json.loads((directory / _LABELS).read_text()))

    async def read_one(self, row: int) -> Encoded:
        """Read a file."""
        return self._read(row)

    async def read_many(self, rows: Sequence[int]) -> Sequence[Encoded]:
        """Read files one after the other."""
        return [self._read(row) for row in rows]

    async def scan(self) -> AsyncIterator[Sequence[Encoded]]:
        """Likewise, in order."""
        for start in range(0, self._n_rows, _SCAN_ROWS):
            stop = min(self._n_rows, start + _SCAN_ROWS)
            yield [self._read(row) for row in range(start, stop)]

    async def close(self) -> None:
        """Nothing is open."""

    def _read(self, row: int) -> bytes:
        with open(f"{self._directory}/{row:08d}.jpg", "rb", buffering=0) as file:
            return file.read()


def make() -> FilesPeer:
    """There is nothing to choose."""
    return FilesPeer()
