"""One handle, stream or session used by several at once, and by one after the other."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import NotFoundError, Options, Tensor, Text
from aiolake.stores.base import Buffer, CreateOutcome
from aiolake.testing import Counts
from tests.dataset.helpers import Backend, Remote, new_url


async def test_several_tasks_share_a_stream_and_each_batch_comes_once(backend: Backend) -> None:
    schema: Any = {"x": Tensor("int64", ())}
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"x": np.arange(1000)})
        found: list[int] = []
        async with ds.batches(10) as batches:

            async def consume() -> None:
                async for batch in batches:
                    found.append(int(batch["x"][0]))
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as tasks:
                for _ in range(3):
                    tasks.create_task(consume())
        assert sorted(found) == list(range(0, 1000, 10))


async def test_a_block_of_a_manifest_is_not_taken_for_its_bytes(backend: Backend) -> None:
    # So little is in these blocks that the first byte of one is the number of another.
    n_rows = 4096 * 40
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"t": [None] * n_rows})
        for order in (range(0, n_rows, 4096), reversed(range(0, n_rows, 4096))):
            async with aiolake.open_dataset(backend.url, session=session) as again:
                for row in order:
                    assert await again.read(row) == {"t": None}


class _Slowly(Remote):
    """Answers after a few turns of the loop, so that requests overlap."""

    async def get(self, key: str) -> Buffer:
        await asyncio.sleep(0.002)
        return await super().get(key)

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        await asyncio.sleep(0.002)
        return await super().get_range(key, start, stop)


async def test_reads_at_once_ask_for_nothing_twice(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.versions.commit.FOLD_BYTES", 100)

    def factory(*_args: Any, **_kwargs: Any) -> Remote:
        return _Slowly(backend.counting)

    values = [f"{i:03}" * 700 for i in range(1000)]
    async with (
        aiolake.Session(store_factory=factory) as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"t": values})
        before = len(backend.counting.counts.requests)
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(ds.read(i % 32)) for i in range(64)]
            reads[0].cancel()
        asked = Counts(backend.counting.counts.requests[before:])
        assert [read.result()["t"] for read in reads[1:]] == values[1:32] + values[:32]
        assert asked.n("get", kind="lists") == 1
        assert asked.n("get_range", kind="manifests") == 1
        assert asked.n("get_range", kind="chunks") == 32


async def test_a_page_is_kept_once_as_large_as_it_is_and_holds_no_closed_handle() -> None:
    backend = Backend(near=True)
    schema: Any = {"x": Tensor("int64", (), compression="zstd")}
    async with backend.session() as session:
        async with aiolake.create_dataset(backend.url, schema, session=session) as ds:
            async with ds.transaction() as tx:
                await tx.append(columns={"x": np.zeros(4096, np.int64)})
            await ds.read(0)
            reader = weakref.ref(ds._core.fetcher)
        assert session._cache.nbytes >= 4096 * 8
        async with aiolake.open_dataset(backend.url, session=session) as ds:
            before = len(session._cache)
            assert await ds.read(1) == {"x": 0}
            assert len(session._cache) == before
        del ds, tx
        for _ in range(100):  # a thread of the pool may be about to drop its last work
            gc.collect()
            if reader() is None:
                break
            await asyncio.sleep(0.02)
        assert reader() is None


class _Slow(Remote):
    """The first read of each object of ``lists/`` waits."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.armed = False
        self.waits = asyncio.Event()
        self.go = asyncio.Event()

    async def get(self, key: str) -> Buffer:
        if self.armed and key.startswith("lists/"):
            self.armed = False
            self.waits.set()
            await self.go.wait()
        return await super().get(key)


async def test_a_slow_refresh_does_not_take_back_a_commit(backend: Backend) -> None:
    store = _Slow(backend.counting)

    def factory(*_args: Any, **_kwargs: Any) -> _Slow:
        return store

    async with (
        aiolake.Session(store_factory=factory) as session,
        aiolake.create_dataset(
            backend.url, {"t": Text()}, metadata={"long": "x" * 5000}, session=session
        ) as ds,
        aiolake.open_dataset(backend.url, session=session) as other,
    ):
        async with other.transaction() as tx:
            tx.set_metadata({"other": 1})
        store.armed = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ds.refresh())
            await store.waits.wait()
            async with ds.transaction() as tx:
                await tx.append({"t": "mine"})
            store.go.set()
        assert ds.snapshot == tx.snapshot
        assert len(ds) == 1


async def test_a_handle_does_not_slip_onto_another_dataset() -> None:
    url = new_url()
    async with aiolake.create_dataset(url, {"t": Text()}) as ds:
        async with ds.transaction() as tx:
            await tx.append({"t": "x"})
        await aiolake.delete_dataset(url)
        async with aiolake.create_dataset(url, {"u": Text()}) as new:
            await new.branches.create("dev")
            calls = (
                ds.refresh,
                lambda: ds.branches.delete("dev"),
                lambda: aiolake.expire(ds, below=100),
                lambda: aiolake.gc(ds, grace=timedelta(0)),
                lambda: ds.history.diff(new.snapshot),
            )
            for call in calls:
                with pytest.raises(NotFoundError, match="another one"):
                    await call()
            with pytest.raises(NotFoundError, match="deleted"):
                await ds.read(0)
            assert await new.branches.list() == {"dev": new.snapshot, "main": new.snapshot}


class _Deaf(Remote):
    """Creates without an answer, once told so."""

    deaf = False

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        if self.deaf:
            return CreateOutcome.UNKNOWN
        return await super().create(key, data)


async def test_a_dataset_of_a_shared_session_keeps_its_own_commit_timeout(
    backend: Backend,
) -> None:
    store = _Deaf(backend.counting)

    def factory(*_args: Any, **_kwargs: Any) -> _Deaf:
        return store

    options = Options(commit_timeout=timedelta(milliseconds=50))
    async with (
        aiolake.Session(store_factory=factory) as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session, options=options) as ds,
    ):
        store.deaf = True
        async with asyncio.timeout(5):
            with pytest.raises(aiolake.OutcomeUnknownError):
                async with ds.transaction() as tx:
                    await tx.append({"t": "x"})
