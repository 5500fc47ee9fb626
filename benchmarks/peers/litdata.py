"""LitData: ``optimize`` into chunks, ``StreamingDataset`` indexed or iterated."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

from litdata import StreamingDataset, optimize  # type: ignore[import-not-found]

from benchmarks.peers.blocking import BlockingPeer, gathered
from benchmarks.source import Source

__all__ = ["LitDataPeer", "make"]

_N_WORKERS = 2


class LitDataPeer(BlockingPeer):
    """Two forked writers, each of half of the rows.

    Rows are decoded one by one where they are read one by one: in its default form a window of
    256 is decoded for each.
    """

    async def ingest(self, source: Source, directory: Path) -> None:
        """Generators of rows: each worker reads its own."""
        half = -(-len(source) // _N_WORKERS)
        optimize(
            fn=_Rows(source),
            inputs=[
                (start, min(len(source), start + half)) for start in range(0, len(source), half)
            ],
            output_dir=str(directory),
            chunk_bytes="64MB",
            num_workers=_N_WORKERS,
            start_method="fork",
            reorder_files=False,
            keep_data_ordered=True,
            verbose=False,
        )

    async def open(self, directory: Path) -> None:
        """Chunks lie in a directory, so nothing is copied."""
        self._directory = str(directory)
        self._ds: Any = StreamingDataset(self._directory, batch_decode=0)
        self._n_rows = len(self._ds)

    async def read_one(self, row: int) -> Any:
        """An index."""
        return self._ds[row]["sample"]

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Iterate, with the default decoding."""
        for group in _groups(StreamingDataset(self._directory)):
            yield group

    async def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """Its own shuffle: chunks, and rows within them."""
        for group in _groups(StreamingDataset(self._directory, shuffle=True, seed=seed)):
            yield group


class _Rows:
    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, span: tuple[int, int]) -> Iterator[dict[str, Any]]:
        for row, value in enumerate(self._source.values(*span), span[0]):
            yield {"sample": value, "label": self._source.labels[row]}


def _groups(samples: Any) -> Iterator[list[Any]]:
    return gathered(sample["sample"] for sample in samples)


def make(kind: str) -> LitDataPeer:
    """With the defaults."""
    return LitDataPeer(kind)
