"""After ``fork`` the child may not use what it inherited, the parent does not notice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import aiolake
from tests.process.calls import DATASET, TRANSACTION, Calls, bound
from tests.process.workers import append_in, error_of, in_process, row, total_of
from tests.unit._aio.helpers import in_child

FORK = multiprocessing.get_context("fork")


def test_handles_and_views_raise_at_once(path: Path) -> None:
    async def fork() -> tuple[dict[str, str], float]:
        async with aiolake.open_dataset(path) as ds:
            view = ds[3:9]
            calls = bound(DATASET, ds)
            calls["old view"] = lambda: view.read(0)
            return in_child(lambda: _errors(calls))

    errors, seconds = asyncio.run(fork())
    assert errors == dict.fromkeys(errors, "ForkedError")
    assert seconds < 2


def _errors(calls: Mapping[str, Callable[[], Any]]) -> tuple[dict[str, str], float]:
    began = time.monotonic()
    errors = {name: error_of(call) for name, call in calls.items()}
    return errors, time.monotonic() - began


async def test_transactions_raise_at_once(ds: aiolake.Dataset) -> None:
    async with ds.transaction("across a fork") as tx:
        await tx.append(row(100))
        calls = bound(TRANSACTION, tx)
        calls["commit"] = lambda: tx.__aexit__(None, None, None)
        errors, _ = in_child(lambda: _errors(calls))
        assert errors == dict.fromkeys(errors, "ForkedError")
    assert tx.outcome is aiolake.Outcome.COMMITTED
    assert len(ds) == 101


async def test_open_batches_raise_at_once(ds: aiolake.Dataset) -> None:
    seen: list[int] = []
    async with ds.batches(10) as batches:
        async for batch in batches:
            seen += batch["n"].tolist()
            if len(seen) == 30:
                assert in_child(lambda: error_of(lambda: batches.__anext__())) == "ForkedError"
    assert seen == list(range(100))


async def test_sessions_raise_at_once(path: Path) -> None:
    async with aiolake.Session() as session:
        calls: Calls = {
            "open": lambda: _opened(path, session),
            "exists": lambda: aiolake.dataset_exists(path, session=session),
            "delete": lambda: aiolake.delete_dataset(path, session=session),
            "enter": lambda: session.__aenter__(),
        }
        errors, _ = in_child(lambda: _errors(calls))
        assert errors == dict.fromkeys(errors, "ForkedError")
        async with aiolake.open_dataset(path, session=session) as ds:
            assert len(ds) == 100


async def _opened(path: Path, session: aiolake.Session) -> None:
    await aiolake.open_dataset(path, session=session)


async def test_closing_in_the_child_is_fine_and_harmless(ds: aiolake.Dataset) -> None:
    session = ds._core.session
    assert in_child(lambda: error_of(ds.aclose)) == "none"
    assert in_child(lambda: error_of(session.aclose)) == "none"
    assert (await ds.read(5))["n"] == 5
    assert not session.closed


async def test_the_child_opens_anew(ds: aiolake.Dataset, path: Path) -> None:
    assert in_child(lambda: asyncio.run(_sum(path))) == sum(range(100))
    assert in_process(FORK, append_in, str(path), 100, 5) == ds.snapshot + 1
    assert await ds.refresh()
    assert (await ds.read(104))["n"] == 104


async def _sum(path: Path) -> int:
    async with aiolake.open_dataset(path) as ds:
        return int((await ds.read(slice(None)))["n"].sum())


async def test_the_parent_goes_on_while_its_requests_are_in_flight(path: Path) -> None:
    """Children are forked while reads, a stream and an upload run; everything comes out right."""
    options = aiolake.Options(decode_threads=2, durability="os")

    async def stream(ds: aiolake.Dataset) -> None:
        for _ in range(5):
            seen: list[int] = []
            async with ds[:100].batches(7) as batches:
                async for batch in batches:
                    seen += batch["n"].tolist()
                    await asyncio.sleep(0)
            assert seen == list(range(100))

    async def write(ds: aiolake.Dataset) -> None:
        for i in range(5):
            async with ds.transaction("while forking") as tx:
                await tx.append([{"n": 1000 + i, "blob": bytes(3 << 20)} for _ in range(8)])

    async def fork() -> None:
        for _ in range(6):
            assert in_child(lambda: asyncio.run(_sum_of_first(path))) == sum(range(100))
            await asyncio.sleep(0.01)

    async with (
        aiolake.open_dataset(path, options=options) as reader,
        aiolake.open_dataset(path, options=options) as writer,
        asyncio.TaskGroup() as group,
    ):
        for work in (stream(reader), write(writer), fork()):
            group.create_task(work)
    async with aiolake.open_dataset(path) as ds:
        assert len(ds) == 140
        assert (await aiolake.verify(ds)).ok


async def _sum_of_first(path: Path) -> int:
    async with aiolake.open_dataset(path) as ds:
        return int((await ds[:100].read(slice(None)))["n"].sum())


def test_a_child_ends_without_a_word(path: Path) -> None:
    """No warning about the parent's handles, no hang, and the parent goes on reading."""
    script = f"""
        import asyncio, gc, multiprocessing
        import aiolake

        def child():
            gc.collect()

        async def main():
            async with aiolake.open_dataset({str(path)!r}) as ds:
                async with ds.transaction("open") as tx:
                    await tx.append({{"n": 100, "blob": b"x"}})
                    await ds._core.session._pool.run(sum, [1])
                    process = multiprocessing.get_context("fork").Process(target=child)
                    process.start()
                    process.join()
                    assert process.exitcode == 0
                assert (await ds.read(100))["n"] == 100

        asyncio.run(main())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_a_spec_opens_under_every_start_method(method: str, ds: aiolake.Dataset) -> None:
    context = multiprocessing.get_context(method)
    expected = 100, sum(range(100)), "main"
    assert in_process(context, total_of, pickle.dumps(ds)) == expected
    assert (await ds.read(3))["n"] == 3


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
async def test_a_handle_given_to_a_child_arrives_as_its_spec(
    method: str, ds: aiolake.Dataset
) -> None:
    context = multiprocessing.get_context(method)
    assert in_process(context, type_of, ds) == "DatasetSpec"


async def test_a_handle_given_to_a_forked_child_is_refused(ds: aiolake.Dataset) -> None:
    assert in_process(FORK, length_of_row, ds) == "ForkedError"


def type_of(value: object) -> str:
    return type(value).__name__


def length_of_row(ds: aiolake.Dataset) -> str:
    assert os.getpid()
    return error_of(lambda: ds.read(0))
