"""One loop, one thread, until closed: who may use a handle, and what the default session does."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake.dataset import session as sessions
from tests.process.calls import DATASET, TRANSACTION, Calls, bound
from tests.process.workers import error_of, row


def in_thread(calls: Calls) -> dict[str, str]:
    """The errors of calls made in another thread, on a loop of its own."""
    errors: dict[str, str] = {}

    def run() -> None:
        errors.update({name: error_of(call) for name, call in calls.items()})

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors


async def test_another_thread_is_refused(ds: aiolake.Dataset) -> None:
    async with ds.transaction("mine") as tx:
        calls = bound(DATASET, ds)
        calls |= {f"tx.{name}": call for name, call in bound(TRANSACTION, tx).items()}
        calls["close"] = ds.aclose
        calls["session"] = ds._core.session.aclose
        errors = in_thread(calls)
        assert errors == dict.fromkeys(errors, "WrongLoopError")
        await tx.append(row(100))
    assert (await ds.read(100))["n"] == 100


def test_another_loop_of_the_same_thread_is_refused(path: Path) -> None:
    with asyncio.Runner() as first:
        ds = first.run(_open(path))
        errors = {name: error_of(call) for name, call in bound(DATASET, ds).items()}
        errors["close"] = error_of(ds.aclose)
        assert errors == dict.fromkeys(errors, "WrongLoopError")
        assert first.run(_sum(ds)) == sum(range(100))
        first.run(ds.aclose())


async def _open(path: Path) -> aiolake.Dataset:
    return await aiolake.open_dataset(path)


async def _sum(ds: aiolake.Dataset) -> int:
    return int((await ds.read(slice(None)))["n"].sum())


async def test_a_closed_handle_is_refused(path: Path) -> None:
    ds = await aiolake.open_dataset(path)
    view = ds[2:5]
    batches = ds.batches(10)
    await ds.aclose()
    await ds.aclose()
    for call in bound(DATASET, ds).values():
        with pytest.raises(aiolake.ClosedError, match="closed"):
            await _called(call)
    with pytest.raises(aiolake.ClosedError):
        await view.read(0)
    with pytest.raises(aiolake.ClosedError):
        await batches.__aenter__()


async def _called(call: Callable[[], Any]) -> None:
    made = call()
    if asyncio.iscoroutine(made):
        await made


async def test_a_transaction_ends_with_its_dataset(path: Path) -> None:
    async def leave_open() -> None:
        async with aiolake.open_dataset(path) as ds, ds.transaction("late") as tx:
            await tx.append(row(100))
            await ds.aclose()

    with pytest.raises(aiolake.ClosedError):
        await leave_open()
    async with aiolake.open_dataset(path) as ds:
        assert len(ds) == 100


async def test_a_session_closed_first_closes_what_was_opened_in_it(path: Path) -> None:
    session = aiolake.Session()
    ds = await aiolake.open_dataset(path, session=session)
    await ds.read(0)
    await session.aclose()
    with pytest.raises(aiolake.ClosedError):
        await ds.read(0)
    with pytest.raises(aiolake.ClosedError):
        await aiolake.open_dataset(path, session=session)
    await ds.aclose()
    await session.aclose()


async def test_the_default_session_lives_as_long_as_a_dataset(path: Path) -> None:
    first = await aiolake.open_dataset(path)
    second = await aiolake.open_dataset(path)
    session = first._core.session
    assert second._core.session is session
    await first.aclose()
    assert not session.closed
    assert (await second.read(4))["n"] == 4
    await second.aclose()
    assert session.closed
    async with aiolake.open_dataset(path) as third:
        assert third._core.session is not session


async def test_failed_openings_give_the_default_session_back(tmp_path: Path, path: Path) -> None:
    for url, how in [(tmp_path / "none", {}), (path, {"tag": "none"}), (path, {"snapshot": 99})]:
        with pytest.raises(aiolake.NotFoundError):
            await aiolake.open_dataset(url, **how)  # type: ignore[arg-type]
    assert not sessions._defaults._slots


def test_loops_in_threads_have_sessions_of_their_own(path: Path) -> None:
    seen: set[int] = set()
    together = threading.Barrier(3)

    async def use() -> None:
        async with aiolake.open_dataset(path) as ds:
            seen.add(id(ds._core.session))
            assert await _sum(ds) == sum(range(100))
            await asyncio.to_thread(together.wait, 20)

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3


async def test_64_datasets_at_once_share_one_scheduler(path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        opening = [group.create_task(_open(path)) for _ in range(64)]
    opened = [task.result() for task in opening]
    assert len({id(ds._core.session._scheduler) for ds in opened}) == 1
    async with asyncio.TaskGroup() as group:
        sums = [group.create_task(_sum(ds)) for ds in opened]
    assert {task.result() for task in sums} == {sum(range(100))}
    for ds in opened[::2] + opened[1::2]:
        await ds.aclose()
    assert not sessions._defaults._slots


def test_an_unclosed_handle_only_warns(path: Path) -> None:
    """Nothing is closed behind its back, and the loop ends without a hang."""

    async def leave_open() -> None:
        ds = await aiolake.open_dataset(path)
        session = ds._core.session
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del ds
            gc.collect()
        assert [w.category for w in caught] == [ResourceWarning]
        assert "was not closed" in str(caught[0].message)
        assert not session.closed

    asyncio.run(leave_open())
    asyncio.run(_opened_and_closed(path))


async def _opened_and_closed(path: Path) -> None:
    async with aiolake.open_dataset(path) as ds:
        assert await _sum(ds) == sum(range(100))


def test_a_handle_that_outlives_its_loop(path: Path) -> None:
    ds = asyncio.run(_open(path))
    loop = weakref.ref(ds._core.session._guard._loop)
    assert error_of(partial(ds.read, 0)) == "WrongLoopError"
    asyncio.run(_opened_and_closed(path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del ds
        gc.collect()
    assert [w.category for w in caught] == [ResourceWarning]
    assert loop() is None


async def test_pickles_are_specs(ds: aiolake.Dataset, path: Path) -> None:
    spec = pickle.loads(pickle.dumps(ds))
    assert spec == aiolake.DatasetSpec(url=f"file://{path}", branch="main", snapshot=ds.snapshot)
    async with aiolake.open_dataset(path, snapshot=1) as fixed:
        fixed_spec = pickle.loads(pickle.dumps(fixed))
    async with ds.transaction("newer") as tx:
        await tx.append(row(100))
    async with aiolake.open_dataset(spec) as again, aiolake.open_dataset(fixed_spec) as old:
        assert (len(again), again.branch) == (101, "main")
        assert (len(old), old.branch, old.snapshot) == (0, None, 1)


async def test_the_spec_keeps_own_options(path: Path) -> None:
    options = aiolake.Options(cache_bytes=0, decode_threads=1)
    async with aiolake.open_dataset(path, options=options) as ds:
        spec = pickle.loads(pickle.dumps(ds))
    async with aiolake.open_dataset(spec) as again:
        assert again._core.session.options == options
