"""WebDataset: tar shards, which are read from their beginning to their end."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import webdataset  # type: ignore[import-not-found]

from benchmarks.peers.blocking import BlockingPeer, gathered
from benchmarks.source import Source

__all__ = ["WebDatasetPeer", "make"]

_EXTENSIONS = {"pictures": "jpg", "vectors": "npy", "ragged": "npy", "texts": "txt"}
_SHARD_ROWS = 1000
_SHUFFLE_ROWS = 1000


class WebDatasetPeer(BlockingPeer):
    """``ShardWriter``; ``WebDataset`` with the ``shuffle(1000)`` of its guide."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Shards of 1,000 samples."""
        directory.mkdir(parents=True)
        extension = _EXTENSIONS[self._kind]
        pattern = f"{directory}/shard-%06d.tar"
        with webdataset.ShardWriter(pattern, maxcount=_SHARD_ROWS, verbose=0) as sink:
            for row, (value, label) in enumerate(zip(source.values(), source.labels, strict=True)):
                sink.write({"__key__": f"{row:08d}", extension: value, "cls": label})

    async def open(self, directory: Path) -> None:
        """List the shards."""
        self._shards = sorted(map(str, directory.glob("*.tar")))

    async def read_one(self, row: int) -> Any:
        """Only the first sample can be had without reading others."""
        raise NotImplementedError

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Shards in order."""
        for group in self._groups(webdataset.WebDataset(self._shards, shardshuffle=False)):
            yield group

    async def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """Shuffled shards, and a buffer of 1,000 samples."""
        samples = webdataset.WebDataset(self._shards, shardshuffle=len(self._shards), seed=seed)
        for group in self._groups(samples.shuffle(_SHUFFLE_ROWS)):
            yield group

    def _groups(self, samples: Iterable[dict[str, Any]]) -> Iterator[list[Any]]:
        extension = _EXTENSIONS[self._kind]
        return gathered(self._value(sample[extension]) for sample in samples)

    def _value(self, data: bytes) -> Any:
        if self._kind == "pictures":
            return data
        if self._kind == "texts":
            return data.decode()
        import numpy as np

        return np.load(io.BytesIO(data))


def make(kind: str) -> WebDatasetPeer:
    """With the defaults."""
    return WebDatasetPeer(kind)
