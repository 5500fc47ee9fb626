"""Many processes write one dataset on local disk; in the end it holds what they were told."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import aiolake
from tests.process import writers
from tests.process.writers import SCHEMA, Answers, Id, blob
from tests.scale import pick


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 1800))
async def test_many_processes_write_one_dataset(tmp_path: Path) -> None:
    url = str(tmp_path / "ds")
    n_processes, n_transactions = pick((4, 6), (16, 50))
    async with aiolake.create_dataset(url, SCHEMA, options=writers.OPTIONS):
        pass
    answers, optimized = written(url, n_processes, n_transactions)
    assert optimized
    assert sum(answer.n_conflicts for answer in answers) >= pick(0, 1)
    async with aiolake.open_dataset(url) as ds:
        assert (await aiolake.verify(ds)).ok
        await check_history(ds, answers, optimized)
        assert await contents(ds) == expected(answers)
        for answer in answers:
            for write_id, n in answer.write_ids.items():
                found = await ds.find_commit(write_id, slot=n)
                assert found == aiolake.Found(aiolake.Outcome.COMMITTED, n)
        some = answers[0].write_ids  # without a slot the log is searched, so not for all of them
        for write_id, n in list(some.items())[:5]:
            found = await ds.find_commit(write_id)
            assert found == aiolake.Found(aiolake.Outcome.COMMITTED, n)


def written(url: str, n_processes: int, n_transactions: int) -> tuple[list[Answers], list[int]]:
    with ProcessPoolExecutor(n_processes + 1, mp_context=get_context("spawn")) as pool:
        writing = [
            pool.submit(writers.write, url, process, n_transactions)
            for process in range(n_processes)
        ]
        optimizing = pool.submit(writers.optimize, url, n_transactions)
        return [future.result() for future in writing], optimizing.result()


async def check_history(ds: aiolake.Dataset, answers: list[Answers], optimized: list[int]) -> None:
    """Every snapshot is somebody's answer, each exactly once."""
    told = Counter(n for answer in answers for n in answer.put) + Counter(optimized)
    history = [info.id for info in await ds.history.list(limit=100_000)]
    assert told == Counter(history[:-1])
    assert history[-1] == 1


async def contents(ds: aiolake.Dataset) -> dict[Id, int]:
    """The rows that are there, by their identity: each once, and each one's own bytes."""
    found: dict[Id, int] = {}
    async with ds.batches(100) as batches:
        async for batch in batches:
            for id, version, stored in rows_of(batch):
                assert id not in found, f"row {id} is there twice"
                assert stored == blob(id, version)
                found[id] = version
    return found


def rows_of(batch: dict[str, Any]) -> list[tuple[Id, int, bytes]]:
    numbers = (batch[name].tolist() for name in ("process", "serial", "version"))
    return [
        ((process, serial), version, bytes(stored))
        for process, serial, version, stored in zip(*numbers, batch["blob"], strict=True)
    ]


def expected(answers: list[Answers]) -> dict[Id, int]:
    """What the answers add up to, in the order of their snapshots."""
    rows: dict[Id, int] = {}
    by_snapshot = {n: answer for answer in answers for n in answer.put}
    for n, answer in sorted(by_snapshot.items(), key=lambda item: item[0]):
        for id, version in answer.put[n].items():
            assert version == rows.get(id, -1) + 1, f"an update of {id} was lost"
            rows[id] = version
        for id in answer.deleted[n]:
            del rows[id]
    return rows
