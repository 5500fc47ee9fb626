"""Calls of one transaction that overlap are refused before they lose anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import pytest

import aiolake
from aiolake import Bytes, ClosedError, Dataset, InvalidInputError, Options, StoreError, Text
from aiolake.stores.base import Buffer
from tests.dataset.helpers import Backend, Remote

N_BEFORE = 1500


class Source:
    """Rows that come, all but the last few, and then wait until they are let go."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.go = asyncio.Event()

    async def rows(self) -> AsyncIterator[dict[str, Any]]:
        for i in range(N_BEFORE):
            yield {"t": str(i)}
        self.waits.set()
        await self.go.wait()
        yield {"t": "last"}


async def _dataset(backend: Backend, session: aiolake.Session) -> Dataset:
    return await aiolake.create_dataset(backend.url, {"t": Text()}, session=session)


async def test_a_block_that_ends_while_an_append_runs_commits_nothing(backend: Backend) -> None:
    source = Source()
    async with backend.session() as session, await _dataset(backend, session) as ds:
        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(InvalidInputError, match="under way"):
                await _left_early(ds, source, tasks)
            source.go.set()
        await ds.refresh()
        assert len(ds) == 0


async def _left_early(ds: Dataset, source: Source, tasks: asyncio.TaskGroup) -> None:
    async with ds.transaction() as tx:
        tasks.create_task(_refused(tx.append(source.rows())))
        await source.waits.wait()


async def _refused(append: Coroutine[Any, Any, int]) -> None:
    with pytest.raises(ClosedError):
        await append


@pytest.mark.parametrize("change", ["add", "rename", "drop", "metadata"])
async def test_columns_stay_while_an_append_runs(backend: Backend, change: str) -> None:
    source = Source()
    schema = {"t": Text(), "u": Text()}
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
        asyncio.TaskGroup() as tasks,
    ):

        async def rows() -> AsyncIterator[dict[str, Any]]:
            async for row in source.rows():
                yield {**row, "u": None}

        async with ds.transaction() as tx:
            append = tasks.create_task(tx.append(rows()))
            await source.waits.wait()
            changes = {
                "add": lambda: tx.add_column("v", Text(), default="x"),
                "rename": lambda: tx.rename_column("t", "w"),
                "drop": lambda: tx.drop_column("u"),
                "metadata": lambda: tx.set_metadata({"k": 1}),
            }
            with pytest.raises(InvalidInputError, match="under way"):
                changes[change]()
            source.go.set()
            assert await append == N_BEFORE + 1
        assert ds.schema.names == ("t", "u")
        assert await ds.read(N_BEFORE) == {"t": "last", "u": None}


async def test_metadata_of_a_new_column_is_checked_at_once(backend: Backend) -> None:
    async with backend.session() as session, await _dataset(backend, session) as ds:
        async with ds.transaction() as tx:
            with pytest.raises(InvalidInputError, match="JSON"):
                tx.add_column("v", Text(), metadata={"k": object()})
            tx.add_column("v", Text(), metadata={"k": 1})
        assert ds.schema["v"].metadata == {"k": 1}


class _Full(Remote):
    """A full disk."""

    n_tried = 0

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        type(self).n_tried += 1
        raise StoreError("no space is left on the device")


async def test_an_append_ends_soon_after_an_upload_failed(backend: Backend) -> None:
    def factory(*_args: Any, **_kwargs: Any) -> _Full:
        return _Full(backend.counting)

    many = 50_000
    options = Options(chunk_bytes=1000, small_bytes=1)
    async with (
        aiolake.Session(options, store_factory=factory) as session,
        aiolake.create_dataset(backend.url, {"x": Bytes()}, session=session) as ds,
    ):
        with pytest.raises(StoreError, match="no space"):
            async with ds.transaction() as tx:
                await tx.append({"x": b"a" * 1000} for _ in range(many))
        assert tx.n_appended < many // 10
        assert _Full.n_tried < many // 10
