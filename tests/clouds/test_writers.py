"""Many processes append to one dataset in a cloud: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import aiolake
from aiolake.options import Options
from tests.clouds.places import Cloud
from tests.scale import pick

N_PROCESSES, N_APPENDS = pick((4, 5), (8, 20))
SCHEMA = {"process": aiolake.Tensor("int64"), "serial": aiolake.Tensor("int64")}


def append(cloud: Cloud, process: int) -> list[int]:
    """Commit so many appends; the snapshots they are said to have made."""
    return asyncio.run(_append(cloud, process))


async def _append(cloud: Cloud, process: int) -> list[int]:
    told: list[int] = []
    options = Options(decode_threads=1)
    async with aiolake.open_dataset(cloud.url, creds=cloud.creds, options=options) as ds:
        for serial in range(N_APPENDS):
            async with ds.transaction(f"{process}/{serial}") as tx:
                await tx.append({"process": process, "serial": serial})
            assert tx.snapshot is not None
            told.append(tx.snapshot)
    return told


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 600))
async def test_processes_that_append_lose_and_double_nothing(cloud: Cloud) -> None:
    async with aiolake.create_dataset(cloud.url, SCHEMA, creds=cloud.creds):
        pass
    with ProcessPoolExecutor(N_PROCESSES, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(append, cloud, process) for process in range(N_PROCESSES)]
        told = [future.result() for future in futures]
    async with aiolake.open_dataset(cloud.url, creds=cloud.creds) as ds:
        n = N_PROCESSES * N_APPENDS
        rows = await ds.read(list(range(len(ds))))
        pairs = list(zip(rows["process"].tolist(), rows["serial"].tolist(), strict=True))
        assert sorted(pairs) == [(p, s) for p in range(N_PROCESSES) for s in range(N_APPENDS)]
        history = [info.id for info in await ds.history.list(limit=10_000)]
        assert sorted(snapshot for each in told for snapshot in each) == sorted(history)[1:]
        assert len(history) == n + 1
        assert (await aiolake.verify(ds)).ok
