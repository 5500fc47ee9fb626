"""The main job, step by step, each measured."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from aiolake._aio import WorkPool, map_concurrently
from aiolake.cli.demo.source import Row, Source
from aiolake.cli.output import Progress
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.open import open_dataset
from aiolake.errors import CorruptDataError

__all__ = ["BATCH", "Compared", "Measured", "compare", "ingest", "read_randomly", "stream_shuffled"]

BATCH = 64
_BLOCK = 256
_STEP = 16


@dataclass(slots=True)
class Measured:
    """One step of the job.

    Attributes:
        what: Its name.
        n_rows: Rows written or read.
        nbytes: Bytes of pictures among them, as stored.
        seconds: How long it took.
    """

    what: str
    n_rows: int = 0
    nbytes: int = 0
    seconds: float = 0.0

    @property
    def rows_per_s(self) -> float:
        """Rows a second."""
        return self.n_rows / max(self.seconds, 1e-9)

    @property
    def bytes_per_s(self) -> float:
        """Bytes of pictures a second."""
        return self.nbytes / max(self.seconds, 1e-9)

    def plus(self, other: Measured) -> Measured:
        """Two runs of one step, one after the other."""
        return Measured(
            self.what,
            self.n_rows + other.n_rows,
            self.nbytes + other.nbytes,
            self.seconds + other.seconds,
        )


@contextmanager
def measured(what: str) -> Iterator[Measured]:
    """Measure a step."""
    step = Measured(what)
    began = time.perf_counter()
    yield step
    step.seconds = time.perf_counter() - began


async def ingest(
    dataset: Dataset, source: Source, rows: range, message: str, pool: WorkPool, progress: Progress
) -> Measured:
    """Append rows of the source in one transaction; rows are made while others are written."""
    with measured(source.making) as step:
        async with dataset.transaction(message, author="aiolake demo") as tx:
            await tx.append(_rows(source, rows, pool, progress, step))
    return step


async def _rows(
    source: Source, rows: range, pool: WorkPool, progress: Progress, step: Measured
) -> AsyncIterator[Row]:
    for start in range(rows.start, rows.stop, _BLOCK):
        block = range(start, min(start + _BLOCK, rows.stop))
        parts = [block[i : i + _STEP] for i in range(0, len(block), _STEP)]
        for made in await map_concurrently(lambda part: pool.run(_make, source, part), parts):
            for row in made:
                step.n_rows += 1
                step.nbytes += len(row["image"])
                yield row
        progress.advance(len(block))


def _make(source: Source, rows: range) -> list[Row]:
    return [source.row(i) for i in rows]


async def read_randomly(
    dataset: Dataset, n_single: int, n_batches: int, seed: int
) -> tuple[Measured, Measured]:
    """Read random samples one by one, then random batches of 64; pictures are decoded."""
    random = np.random.default_rng(seed)
    with measured("single samples") as single:
        for i in random.integers(0, len(dataset), n_single).tolist():
            await dataset.read(i)
            single.n_rows += 1
    with measured(f"batches of {BATCH}") as batches:
        for _ in range(n_batches):
            await dataset.read(random.integers(0, len(dataset), BATCH))
            batches.n_rows += BATCH
    return single, batches


async def stream_shuffled(
    dataset: Dataset, labels: np.ndarray, seed: int, progress: Progress
) -> Measured:
    """Stream every row once in random order, pictures decoded, and check that each came.

    Args:
        dataset: The dataset.
        labels: How many rows each label has.
        seed: Of the order.
        progress: Told of every batch.

    Raises:
        CorruptDataError: Other rows came than there are.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    seen = np.zeros_like(labels)
    with measured("shuffled pass") as step:
        async with dataset[order].batches(BATCH) as batches:
            async for batch in batches:
                step.n_rows += len(batch["label"])
                seen += np.bincount(batch["label"], minlength=len(labels))
                progress.advance(len(batch["label"]))
    if not np.array_equal(seen, labels):
        raise CorruptDataError(
            f"the shuffled pass of {dataset.url} gave other rows than were written; "
            "run 'aiolake verify'"
        )
    return step


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared of two snapshots.

    Attributes:
        old: The older snapshot.
        new: The newer.
        n_rows: Rows of the older.
        n_compared: Of these, compared byte by byte.
    """

    old: int
    new: int
    n_rows: int
    n_compared: int


async def compare(dataset: Dataset, snapshot: int, n: int, seed: int) -> Compared:
    """Open an older snapshot, and compare random rows of it with the newest, byte by byte.

    Raises:
        CorruptDataError: They differ.
    """
    async with open_dataset(dataset.url, snapshot=snapshot) as old:
        rows = np.random.default_rng(seed).permutation(len(old))[:n]
        before = await old.read(rows, columns=["image"], decode=False)
        after = await dataset.read(rows, columns=["image"], decode=False)
        if before["image"] != after["image"]:
            raise CorruptDataError(
                f"snapshots {snapshot} and {dataset.snapshot} of {dataset.url} differ in rows "
                "that nobody changed; run 'aiolake verify'"
            )
        return Compared(snapshot, dataset.snapshot, len(old), len(rows))
