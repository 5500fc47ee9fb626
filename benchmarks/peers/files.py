"""Plain files: one per picture or array, one matrix for vectors, one file of lines for texts."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.peers.blocking import BlockingPeer, gathered
from benchmarks.source import Source

__all__ = ["make"]

_LABELS = "labels.json"


class PictureFiles(BlockingPeer):
    """A file per picture in one directory: no checksums, no transactions."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Write each file, then the labels."""
        directory.mkdir(parents=True)
        for row, jpeg in enumerate(source.values()):
            with open(f"{directory}/{row:08d}.jpg", "wb") as file:
                file.write(jpeg)
        _write_labels(source, directory)

    async def open(self, directory: Path) -> None:
        """Learn how many there are."""
        self._directory = str(directory)
        self._n_rows = len(json.loads((directory / _LABELS).read_text()))

    async def read_one(self, row: int) -> Any:
        """Read a file."""
        with open(f"{self._directory}/{row:08d}.jpg", "rb", buffering=0) as file:
            return file.read()


class ArrayFiles(PictureFiles):
    """A ``.npy`` file per array."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Save each, then the labels."""
        import numpy as np

        directory.mkdir(parents=True)
        for row, array in enumerate(source.values()):
            np.save(f"{directory}/{row:08d}.npy", array)
        _write_labels(source, directory)

    async def open(self, directory: Path) -> None:
        """numpy belongs to the first sample's time."""
        import numpy

        self._numpy = numpy
        await super().open(directory)

    async def read_one(self, row: int) -> Any:
        """Load a file.

        numpy parses its head as Python, which in several threads at once now and then fails:
        https://github.com/python/cpython/issues/106905
        """
        path = f"{self._directory}/{row:08d}.npy"
        for _ in range(10):
            with suppress(SystemError):
                return self._numpy.load(path)
        return self._numpy.load(path)


class VectorFile(BlockingPeer):
    """One ``.npy`` file, mapped."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Fill a mapped matrix."""
        import numpy as np

        directory.mkdir(parents=True)
        rows = source.values()
        first = next(rows)
        shape = (len(source), first.size)
        path = directory / "vectors.npy"
        matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        matrix[0] = first
        for row, vector in enumerate(rows, 1):
            matrix[row] = vector
        matrix.flush()
        _write_labels(source, directory)

    async def open(self, directory: Path) -> None:
        """Map it."""
        import numpy as np

        self._matrix: Any = np.load(directory / "vectors.npy", mmap_mode="r")
        self._numpy = np
        self._n_rows = len(self._matrix)

    async def read_one(self, row: int) -> Any:
        """A copy of a row."""
        return self._numpy.array(self._matrix[row])

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """Fancy indexing copies."""
        matrix: Any = self._numpy.asarray(self._matrix[list(rows)])
        return list(matrix)


class TextFile(BlockingPeer):
    """One file of lines, and where each begins."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Write the lines, then their ends."""
        directory.mkdir(parents=True)
        with open(directory / "texts.txt", "wb") as file:
            file.writelines(text.encode() + b"\n" for text in source.values())
        ends = list(accumulate(length + 1 for length in source.lengths))
        (directory / "ends.json").write_text(json.dumps(ends))
        _write_labels(source, directory)

    async def open(self, directory: Path) -> None:
        """Read where lines end."""
        self._ends = [0, *json.loads((directory / "ends.json").read_text())]
        self._n_rows = len(self._ends) - 1
        self._path = directory / "texts.txt"
        self._file = os.open(self._path, os.O_RDONLY)

    async def read_one(self, row: int) -> Any:
        """Read one line at its place."""
        start = self._ends[row]
        return os.pread(self._file, self._ends[row + 1] - 1 - start, start).decode()

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Lines, as Python reads them."""
        with open(self._path, encoding="utf-8", newline="\n") as lines:
            for group in gathered(line[:-1] for line in lines):
                yield group

    async def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _write_labels(source: Source, directory: Path) -> None:
    (directory / _LABELS).write_text(json.dumps(list(source.labels)))


_KINDS: dict[str, type[BlockingPeer]] = {
    "pictures": PictureFiles,
    "vectors": VectorFile,
    "ragged": ArrayFiles,
    "texts": TextFile,
}


def make(kind: str) -> BlockingPeer:
    """What a few lines of Python do."""
    return _KINDS[kind](kind)
