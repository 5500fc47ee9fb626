"""Processes that append to one transaction: one commit, in the order of their receipts."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest

import aiolake
from aiolake.options import Options
from tests.process.forked import append_for_ever, append_range
from tests.process.workers import SCHEMA, row
from tests.scale import pick

N_PROCESSES = 4


async def contents(ds: aiolake.Dataset) -> list[tuple[int, bytes]]:
    batch = await ds.read(slice(None))
    return list(zip(batch["n"].tolist(), batch["blob"], strict=True))


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 600))
@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_four_processes_ingest_one_dataset_in_one_commit(tmp_path: Path, method: str) -> None:
    n_rows = pick(2_000, 200_000)
    url = tmp_path / "ds"
    context: BaseContext = get_context(method)
    options = Options(durability="os", decode_threads=1)
    async with aiolake.create_dataset(url, SCHEMA, options=options) as ds:
        async with ds.transaction("all of them") as tx:
            await tx.append(row(i) for i in range(10))
            worker = tx.fork()
            with ProcessPoolExecutor(N_PROCESSES, mp_context=context) as pool:
                futures = [
                    asyncio.wrap_future(pool.submit(append_range, worker, start, start + n_rows))
                    for start in range(10, 10 + N_PROCESSES * n_rows, n_rows)
                ]
                receipts = [await future for future in futures]
            assert await tx.merge(receipts) == N_PROCESSES * n_rows
            await tx.append(row(-1))
        assert ds.snapshot == 2
        expected = [row(i) for i in range(10 + N_PROCESSES * n_rows)] + [row(-1)]
        assert await contents(ds) == [(each["n"], each["blob"]) for each in expected]
        assert all(len(pickle.dumps(receipt)) < 16_384 for receipt in receipts)
        assert (await aiolake.verify(ds)).ok
        assert not (await aiolake.gc(ds, grace=timedelta(0))).keys


def wait_for_two_more_objects(directory: Path) -> None:
    n_objects = len(list(directory.rglob("*")))
    deadline = time.monotonic() + 60
    while len(list(directory.rglob("*"))) < n_objects + 2 and time.monotonic() < deadline:
        time.sleep(0.01)


async def test_killed_workers_leave_nothing_that_gc_does_not_remove(ds: aiolake.Dataset) -> None:
    before = await contents(ds)
    async with ds.transaction("with casualties") as tx:
        worker = tx.fork()
        process = get_context("spawn").Process(target=append_for_ever, args=(worker,))
        process.start()
        wait_for_two_more_objects(Path(ds.url.removeprefix("file://")) / "chunks")
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        async with worker.open() as survivor:
            await survivor.append(row(100))
        await tx.merge(survivor.receipt)
    assert await contents(ds) == [*before, (100, row(100)["blob"])]
    collected = await aiolake.gc(ds, grace=timedelta(0))
    assert [key for key in collected.keys if key.startswith("chunks/")]
    assert (await aiolake.verify(ds)).ok


async def test_a_worker_of_another_process_may_not_use_what_it_inherited(
    ds: aiolake.Dataset,
) -> None:
    async with ds.transaction("across a fork") as tx, tx.fork().open() as rows:
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
            receipt = await asyncio.wrap_future(pool.submit(append_range, tx.fork(), 7, 8))
        await rows.append(row(9))
        await tx.merge(receipt)
    assert len(ds) == 101
