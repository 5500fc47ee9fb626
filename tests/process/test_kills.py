"""A writer killed at any moment leaves a whole snapshot, and nothing that gc does not remove."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

import aiolake
from aiolake.stores.local import LocalStore
from tests.process import writers
from tests.process.writers import SCHEMA, row
from tests.scale import pick

NONE = timedelta(0)
SPAWN = get_context("forkserver")


def killed(url: str, process: int, delay_s: float) -> None:
    """Run a writer until it has committed something, and for a random while more."""
    writer = SPAWN.Process(target=writers.append_for_ever, args=(url, process))
    writer.start()
    assert writer.pid is not None
    log = Path(url) / "log"
    before = len(list(log.rglob("*")))
    while len(list(log.rglob("*"))) == before and writer.is_alive():
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert writer.exitcode == -signal.SIGKILL


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 1800))
async def test_killed_writers(tmp_path: Path) -> None:
    url = str(tmp_path / "ds")
    rng = random.Random(7)
    async with aiolake.create_dataset(url, SCHEMA, options=writers.OPTIONS):
        pass
    n_rows = 0
    for process in range(pick(6, 100)):
        killed(url, process, rng.random() * 0.15)
        async with aiolake.open_dataset(url) as ds:
            assert len(ds) > n_rows
            await check_whole(ds, n_rows)
            n_rows = len(ds)
    await check_collected(url)


async def check_whole(ds: aiolake.Dataset, n_before: int) -> None:
    """Everything verifies, and each transaction is there with all of its rows."""
    checked = await aiolake.verify(ds)
    assert checked.ok, checked.problems
    previous: int | None = None
    for info in reversed(await ds.history.list(limit=100_000)):
        if previous is not None:
            n = int(info.message.split(":")[2])
            assert info.n_rows - previous in (n, n + 1)
        previous = info.n_rows
    assert previous == len(ds) > n_before


async def check_collected(url: str) -> None:
    """After gc the directory holds what the snapshots name, and can still be written."""
    async with aiolake.open_dataset(url) as ds:
        collected = await aiolake.gc(ds, grace=NONE)
        store = LocalStore(url)
        await store.clean_temporaries(NONE)
        await store.aclose()
        again = await aiolake.gc(ds, grace=NONE, dry_run=True)
        assert again.keys == ()
        assert not any(path.is_file() for path in (Path(url) / ".tmp").rglob("*"))
        assert not any((Path(url) / key).exists() for key in collected.keys)
        checked = await aiolake.verify(ds)
        assert checked.ok
        n_files = sum(path.is_file() for path in Path(url).rglob("*") if path.name != "hint")
        assert n_files == checked.n_entries + checked.n_objects
        await ds.refresh()
        n = len(ds)
        async with ds.transaction("goes on") as tx:
            await tx.append(row((999, 0), 0))
        assert len(ds) == n + 1


async def test_gc_removes_what_a_crash_left(tmp_path: Path) -> None:
    """Deterministic: uploads without a commit, and an unfinished file."""
    url = str(tmp_path / "ds")
    create = aiolake.create_dataset(url, SCHEMA, options=writers.OPTIONS)
    async with create as ds:
        async with ds.transaction("kept") as tx:
            await tx.append([row((0, i), 0) for i in range(10)])
        with pytest.raises(KeyError):
            await abandoned(ds)
        (Path(url) / ".tmp" / "half").write_bytes(b"x")
        chunks = [path for path in (Path(url) / "chunks").rglob("*") if path.is_file()]
        assert len(chunks) > 1
    await check_collected(url)


async def abandoned(ds: aiolake.Dataset) -> None:
    async with ds.transaction("abandoned") as tx:
        for i in range(6):
            await tx.append({**row((1, i), 0), "blob": bytes(6 << 20)})
        await tx._tasks.join()
        raise KeyError("crash")


@pytest.mark.parametrize("uploads_first", [True, False])
async def test_a_transaction_that_outlives_a_gc_is_refused(
    uploads_first: bool, tmp_path: Path
) -> None:
    """Its uploaded chunks are removed, so it must not commit; one begun later may."""
    url = str(tmp_path / "ds")
    async with (
        aiolake.create_dataset(url, SCHEMA, options=writers.OPTIONS) as ds,
        aiolake.open_dataset(url, options=writers.OPTIONS) as other,
    ):
        large = [{**row((1, i), 0), "blob": bytes(6 << 20)} for i in range(6)]

        async def outlive() -> None:
            async with ds.transaction("long") as tx:
                if uploads_first:
                    await tx.append(large)
                    await tx._tasks.join()
                collected = await aiolake.gc(other, grace=NONE)
                assert bool(collected.keys) == uploads_first
                if not uploads_first:
                    await tx.append(large)
                await tx.append(row((2, 0), 0))

        if uploads_first:
            with pytest.raises(aiolake.ConflictError, match="gc"):
                await outlive()
        else:
            await outlive()
        await ds.refresh()
        assert len(ds) == (0 if uploads_first else 7)
        assert (await aiolake.verify(ds)).ok
        async with ds.transaction("again") as tx:
            await tx.append(large)
        assert bytes((await ds.read(-1))["blob"]) == bytes(6 << 20)
