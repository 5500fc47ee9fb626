"""Handles and transactions used wrongly: refused in words, and nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiolake
from aiolake import (
    ClosedError,
    ConflictError,
    Dataset,
    InvalidInputError,
    ReadOnlyError,
    WrongLoopError,
)
from tests.dataset.helpers import Backend
from tests.dataset.refusals import GOOD, N_ROWS, SCHEMA, commit, raises, refused


async def test_two_transactions_at_once_on_one_handle(flowers: Dataset, backend: Backend) -> None:
    async with flowers.transaction() as tx:
        await tx.append(GOOD)
        with raises(InvalidInputError, "a transaction is open", "another handle"):
            async with flowers.transaction():
                pass
    assert len(flowers) == N_ROWS + 1
    with raises(InvalidInputError, "used once", "ds.transaction()"):
        async with tx:
            pass


async def test_two_calls_at_once_in_one_transaction(flowers: Dataset) -> None:
    async def endless() -> AsyncIterator[dict[str, Any]]:
        yield GOOD
        started.set()
        await release.wait()

    started, release = asyncio.Event(), asyncio.Event()
    async with flowers.transaction() as tx, asyncio.TaskGroup() as tasks:
        tasks.create_task(tx.append(endless()))
        await started.wait()
        with raises(InvalidInputError, "another call", "await it first"):
            await tx.append(GOOD)
        release.set()
    assert len(flowers) == N_ROWS + 1


async def test_a_fixed_handle_does_not_write(flowers: Dataset, backend: Backend) -> None:
    async with (
        backend.session() as session,
        aiolake.open_dataset(backend.url, snapshot=2, session=session) as ds,
    ):
        for act in (lambda: commit(ds, lambda tx: tx.append(GOOD)), lambda: ds.history.restore(1)):
            async with refused(backend, ReadOnlyError, "fixed at", "open a branch"):
                await act()
        assert not await ds.refresh()


async def test_use_after_close(flowers: Dataset, backend: Backend) -> None:
    view, tx = flowers[1:], flowers.transaction()
    await flowers.aclose()
    await flowers.aclose()
    cases: list[Callable[[], Any]] = [
        lambda: flowers.read(0),
        lambda: view.read(0),
        lambda: flowers.refresh(),
        lambda: flowers.history.list(),
        lambda: flowers.history.restore(1),
        lambda: flowers.tags.list(),
        lambda: flowers.find_commit("x"),
        lambda: tx.__aenter__(),
        lambda: flowers.__aenter__(),
    ]
    for act in cases:
        async with refused(backend, ClosedError, backend.url, "open it again"):
            await act()
    with raises(ClosedError, backend.url):
        flowers.transaction()
    with raises(ClosedError, backend.url):
        view.batches(3)


async def test_a_transaction_outside_its_block(flowers: Dataset, backend: Backend) -> None:
    tx = flowers.transaction()
    async with refused(backend, ClosedError, "not open", "async with"):
        await tx.append(GOOD)
    async with tx:
        pass
    async with refused(backend, ClosedError, "not open", "async with"):
        await tx.append(GOOD)


async def test_a_transaction_left_open_is_abandoned(backend: Backend) -> None:
    async with backend.session() as session:
        ds = await aiolake.create_dataset(backend.url, SCHEMA, session=session)
        tx = ds.transaction()
        await tx.__aenter__()
        await tx.append([{**GOOD, "raw": bytes(10)}] * 10)
        await ds.aclose()
        with raises(ClosedError, backend.url):
            await tx.append(GOOD)
        with raises(ClosedError, backend.url):
            await tx.__aexit__(None, None, None)
        assert tx.outcome == "not_committed"
        async with aiolake.open_dataset(backend.url, session=session) as again:
            assert len(again) == 0


def test_use_on_another_loop(backend: Backend) -> None:
    async def begin() -> tuple[aiolake.Session, Dataset]:
        session = backend.session()
        await session.__aenter__()
        return session, await aiolake.create_dataset(backend.url, SCHEMA, session=session)

    async def misuse() -> None:
        with raises(WrongLoopError, backend.url, "open it again"):
            await ds.read(0)
        with raises(WrongLoopError, backend.url, "open it again"):
            ds.transaction()

    async def end() -> None:
        await ds.aclose()
        await session.aclose()

    with asyncio.Runner() as first:
        session, ds = first.run(begin())
        with asyncio.Runner() as second:
            second.run(misuse())
        with raises(WrongLoopError, backend.url, "Portal"):
            ds.transaction()
        first.run(end())


async def test_the_last_columns_dropped_by_two_is_a_conflict(backend: Backend) -> None:
    async with (
        backend.session() as session,
        aiolake.create_dataset(
            backend.url, {"a": aiolake.Text, "b": aiolake.Text}, session=session
        ) as ds,
        aiolake.open_dataset(backend.url, session=session) as other,
    ):
        await commit(ds, lambda tx: tx.drop_column("a"))
        async with refused(backend, ConflictError, "at least one", "refresh"):
            await commit(other, lambda tx: tx.drop_column("b"))
