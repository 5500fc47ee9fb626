"""A service: 64 datasets of a bucket opened at once in one process, and ten samples read of each.

``python -m benchmarks.service`` serves them by nginx, 20 ms late, and says how long it took, what
it cost, and how long the slowest callback held the loop.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import aiolake
from aiolake._aio import map_concurrently
from tests.servers.certificates import make_certificate
from tests.servers.environments import ready
from tests.servers.nginx import NGINX, NginxServer, nginx_server

N_DATASETS = 64
N_SAMPLES = 10
N_ROWS = 200
NBYTES = 19_000
KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"}


async def fill(root: Path) -> None:
    """Write the datasets into nginx's folder, and a page of S3's listing for each."""
    rng = random.Random(1)
    (root / "pages").mkdir(exist_ok=True)
    for i in range(N_DATASETS):
        path = root / "bucket" / f"d{i}"
        schema: dict[str, aiolake.ColumnType | type] = {
            "image": aiolake.Bytes(),
            "label": aiolake.Tensor("int64"),
        }
        async with aiolake.create_dataset(path, schema) as ds, ds.transaction() as tx:
            await tx.append({"image": rng.randbytes(NBYTES), "label": j} for j in range(N_ROWS))
        newest = min(p for p in (path / "log").rglob("*") if p.is_file() and p.name != "hint")
        key = newest.relative_to(root / "bucket")
        page = f"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>{key}</Key>"
        page += f"<Size>{newest.stat().st_size}</Size></Contents></ListBucketResult>"
        (root / "pages" / quote(f"d{i}/log", safe="")).write_text(page)
        (root / "pages" / quote(f"d{i}/log/", safe="")).write_text(page)


class Slowest:
    """The CPU of the loop's slowest callback."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run = asyncio.events.Handle._run

    def __enter__(self) -> Slowest:
        gc.collect()
        gc.freeze()  # a collection would look at what was imported, in whichever callback it met

        def measured(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            self._run(handle)
            taken = time.thread_time() - began
            if taken > self.seconds:
                self.seconds = taken

        asyncio.events.Handle._run = measured  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.events.Handle._run = self._run  # type: ignore[method-assign]


async def serve(endpoint: str) -> tuple[float, float, float]:
    """Open all, read, and close: seconds, CPU seconds, and the slowest callback's."""
    creds = {**KEYS, "endpoint_url": endpoint, "region_name": "us-east-1"}
    rng = random.Random(2)
    async with aiolake.Session() as session:

        async def one(i: int) -> None:
            url = f"s3://bucket/d{i}"
            async with aiolake.open_dataset(url, creds=creds, session=session) as ds:
                rows = rng.sample(range(N_ROWS), N_SAMPLES)
                found = await map_concurrently(ds.read, rows)
                assert [each["label"] for each in found] == rows
                assert all(len(each["image"]) == NBYTES for each in found)

        with Slowest() as slowest:
            began, cpu = time.perf_counter(), time.process_time()
            await map_concurrently(one, range(N_DATASETS))
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return wall, cpu, slowest.seconds


def services(endpoint: str) -> None:
    for _ in range(3):
        wall, cpu, slowest = asyncio.run(serve(endpoint))
        print(
            f"{N_DATASETS} datasets opened, {N_SAMPLES} samples of each: {1000 * wall:.0f} ms, "
            f"{1000 * cpu:.0f} ms of CPU, slowest callback {1000 * slowest:.1f} ms"
        )


async def batches(endpoint: str) -> None:
    """64 random samples in one call, and 64 in flight, of one open dataset."""
    creds = {**KEYS, "endpoint_url": endpoint, "region_name": "us-east-1"}
    options = aiolake.Options(cache_bytes=16 << 20)
    async with aiolake.open_dataset("s3://bucket/big", creds=creds, options=options) as ds:
        await ds.read(list(range(0, len(ds), 97)), columns=["image"])
        gc.collect()
        gc.freeze()
        rng, taken = random.Random(3), []
        fresh = rng.sample(range(len(ds)), 60 * 64)  # none of them is in memory
        for i in range(60):
            rows = fresh[64 * i : 64 * i + 64]
            began = time.perf_counter()
            assert len((await ds.read(rows, columns=["image"]))["image"]) == 64
            taken.append(1000 * (time.perf_counter() - began))
        steady = sorted(taken[20:])  # the memory for samples has been used before
        print(
            f"64 random samples in one call: {steady[20]:.1f} ms (median of 40; of the first 15 "
            f"{sorted(taken[:15])[7]:.1f}; the tenth part {steady[4]:.1f})"
        )
        todo = iter([rng.randrange(len(ds)) for _ in range(6400)])

        async def work(_: int) -> None:
            for row in todo:
                await ds.read(row, columns=["image"])

        began, cpu = time.perf_counter(), time.process_time()
        await map_concurrently(work, range(64))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"64 in flight: {6400 / wall:,.0f} samples/s, {cpu / 6.4:.3f} CPU-s per 1,000")


async def epoch(endpoint: str, what: str, directory: str | None) -> None:
    """Every row in a random order, 64 in a call, with little memory."""
    creds = {**KEYS, "endpoint_url": endpoint, "region_name": "us-east-1"}
    options = aiolake.Options(cache_bytes=8 << 20, disk_cache=directory)
    async with aiolake.Session(options) as session:
        opening = aiolake.open_dataset("s3://bucket/big", creds=creds, session=session)
        async with opening as ds:
            order = random.Random(5).sample(range(len(ds)), len(ds))
            began, cpu = time.perf_counter(), time.process_time()
            for i in range(0, len(order), 64):
                await ds.read(order[i : i + 64], columns=["image"])
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        n_requests = session.statistics().requests.get("get_range", 0)
    n = len(order)
    print(
        f"an epoch of batches of 64, {what}: {n / wall:,.0f} samples/s, {n_requests} requests, "
        f"{1000 * cpu / n:.3f} CPU-s per 1,000"
    )


async def fill_big(root: Path) -> None:
    rng, path = random.Random(4), root / "bucket" / "big"
    (root / "pages").mkdir(exist_ok=True)
    schema: dict[str, aiolake.ColumnType | type] = {"image": aiolake.Bytes()}
    async with aiolake.create_dataset(path, schema) as ds, ds.transaction() as tx:
        await tx.append({"image": rng.randbytes(NBYTES)} for _ in range(5000))
    newest = min(p for p in (path / "log").rglob("*") if p.is_file() and p.name != "hint")
    page = f"<ListBucketResult><Contents><Key>{newest.relative_to(root / 'bucket')}</Key>"
    page += "<Size>1</Size></Contents></ListBucketResult>"
    for prefix in ("big/log", "big/log/"):
        (root / "pages" / quote(prefix, safe="")).write_text(page)


@contextmanager
def only_on(core: int) -> Iterator[None]:
    """Let this process, and what it starts meanwhile, run on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def serving() -> Iterator[NginxServer]:
    ready(NGINX)
    with (
        tempfile.TemporaryDirectory() as directory,
        nginx_server(make_certificate(Path(directory))) as server,
    ):
        yield server


def apart() -> None:
    """A server and its client that share no core, as on two machines.

    Else the system likes to wake a client on its server's core, where it waits until all are
    answered.
    """
    first, *_, last = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        with only_on(last):
            server = stack.enter_context(serving())
        asyncio.run(fill(server.root))
        asyncio.run(fill_big(server.root))
        with only_on(first):
            print("a core for the server, and one for the client:")
            services(server.late_url)
            asyncio.run(batches(server.late_url))


def main() -> None:
    os.environ.pop("AWS_PROFILE", None)
    with serving() as server, tempfile.TemporaryDirectory() as directory:
        asyncio.run(fill(server.root))
        asyncio.run(fill_big(server.root))
        services(server.late_url)
        asyncio.run(batches(server.late_url))
        asyncio.run(epoch(server.late_url, "no disk cache", None))
        cache = str(Path(directory) / "cache")
        asyncio.run(epoch(server.late_url, "into an empty disk cache", cache))
        asyncio.run(epoch(server.late_url, "from a full one", cache))
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        apart()


if __name__ == "__main__":
    sys.exit(main())
