"""What is measured, each in a process of its own: ``python -m tests.memory.jobs NAME URL SIZES``.

Prints how many bytes the process grew at most while the job ran, after the same job had been
done once on a small dataset.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aiolake
from aiolake.options import Options

MIB = 1 << 20
SCHEMA: dict[str, aiolake.ColumnType | type] = {
    "n": aiolake.Tensor("int64"),
    "blob": aiolake.Bytes(),
    "array": aiolake.Tensor("float32", (64, 64)),
    "ragged": aiolake.Tensor("uint8", (None,)),
}
ROW_NBYTES = 60_000 + 64 * 64 * 4 + 20_000


@dataclass(frozen=True)
class Job:
    """Where, how much, and with which budget."""

    url: str
    nbytes: int
    budget: int
    cache: int

    @property
    def options(self) -> Options:
        return Options(
            max_inflight_bytes=self.budget,
            cache_bytes=self.cache,
            decode_threads=2,
            durability="os",
        )

    @property
    def n_rows(self) -> int:
        return self.nbytes // ROW_NBYTES


async def rows(n: int) -> AsyncIterator[dict[str, Any]]:
    """Rows made as they are asked for, so that the source holds one at a time."""
    rng = np.random.default_rng(1)
    noise = rng.bytes(60_000)
    for i in range(n):
        yield {
            "n": i,
            "blob": i.to_bytes(8, "little") + noise[8:],
            "array": np.full((64, 64), i, np.float32),
            "ragged": np.full(20_000, i % 251, np.uint8),
        }


async def ingest(job: Job) -> None:
    create = aiolake.create_dataset(job.url, SCHEMA, options=job.options)
    async with create as ds, ds.transaction("rows") as tx:
        await tx.append(rows(job.n_rows))


async def make_files(job: Job) -> None:
    folder = Path(job.url + "-files")
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(1).bytes(1 << 20)
    for i in range(job.nbytes // len(noise)):
        (folder / f"{i:05d}.bin").write_bytes(i.to_bytes(8, "little") + noise[8:])


async def ingest_files(job: Job) -> None:
    report = await aiolake.ingest(
        job.url, job.url + "-files", schema={"blob": aiolake.Bytes()}, options=job.options,
        max_bytes=job.budget // 4, commit_every=50,
    )  # fmt: skip
    assert report.nbytes == job.nbytes // MIB * MIB


def target(job: Job, kind: str) -> str:
    """Beside the dataset, or in the bucket that ``COPY_TO`` names."""
    root = os.environ.get("COPY_TO", str(Path(job.url).parent))
    return f"{root}/{Path(job.url).name}-{kind}"


async def copy(job: Job) -> None:
    copied = await aiolake.copy_dataset(job.url, target(job, "copy"), options=job.options)
    assert copied.n_rows == job.n_rows


async def copy_history(job: Job) -> None:
    copied = await aiolake.copy_dataset(
        job.url, target(job, "history"), history=True, options=job.options
    )
    assert copied.n_rows == job.n_rows


async def scan(job: Job) -> None:
    seen = 0
    async with (
        aiolake.open_dataset(job.url, options=job.options) as ds,
        ds.batches(16) as batches,
    ):
        async for batch in batches:
            assert batch["array"][0, 0, 0] == seen
            seen += len(batch["n"])
    assert seen == job.n_rows


async def shuffled(job: Job) -> None:
    order = np.random.default_rng(2).permutation(job.n_rows)
    seen = 0
    async with (
        aiolake.open_dataset(job.url, options=job.options) as ds,
        ds[order].batches(16) as batches,
    ):
        async for batch in batches:
            assert batch["n"][0] == order[seen]
            seen += len(batch["n"])


async def write_huge(job: Job) -> None:
    sample = b"\x07" * job.nbytes
    reset_peak()
    create = aiolake.create_dataset(job.url, {"blob": aiolake.Bytes()}, options=job.options)
    async with create as ds, ds.transaction("huge") as tx:
        await tx.append({"blob": sample})


async def read_huge(job: Job) -> None:
    async with aiolake.open_dataset(job.url, options=job.options) as ds:
        value = (await ds.read(0))["blob"]
        assert len(value) == job.nbytes
        assert value[:1] == value[-1:] == b"\x07"


async def read_huge_in_part(job: Job) -> None:
    async with aiolake.open_dataset(job.url, options=job.options) as ds:
        for start in range(0, job.nbytes, job.nbytes // 7):
            part = await ds.read_bytes(0, "blob", start, start + 100_000)
            assert part == b"\x07" * min(100_000, job.nbytes - start)


JOBS: dict[str, Callable[[Job], Awaitable[None]]] = {
    job.__name__: job
    for job in (
        ingest, ingest_files, make_files, copy, copy_history, scan, shuffled, write_huge, read_huge,
        read_huge_in_part,
    )
}  # fmt: skip
SOURCES = {"scan": ingest, "shuffled": ingest, "read_huge": write_huge}
SOURCES |= {"ingest_files": make_files, "copy": ingest, "copy_history": ingest}
SOURCES["read_huge_in_part"] = write_huge


def reset_peak() -> None:
    """Let the kernel count the largest resident size from here, and remember where it is."""
    global _start
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    _start = _status("VmRSS")


_start = 0


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main(name: str, url: str, nbytes: str, budget: str, cache: str) -> None:
    small = Job(f"{url}-small-{os.getpid()}", 4 * MIB, int(budget), int(cache))
    asyncio.run(_warm_up(name, small))
    reset_peak()
    asyncio.run(_run(JOBS[name], Job(url, int(nbytes), int(budget), int(cache))))
    print(_status("VmHWM") - _start)


async def _warm_up(name: str, small: Job) -> None:
    if name in SOURCES:
        await SOURCES[name](small)
    await JOBS[name](small)


async def _run(job: Callable[[Job], Awaitable[None]], what: Job) -> None:
    await job(what)


if __name__ == "__main__":
    main(*sys.argv[1:])
