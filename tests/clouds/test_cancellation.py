"""Cancelled at each await, over real connections: nothing is left, and nothing is half done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

import aiolake
from aiolake import Outcome
from aiolake.options import Options
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import SCHEMA, check_row, rows
from tests.clouds.places import Cloud
from tests.scale import pick

N_ROWS = pick(60, 700)
Read = Callable[[aiolake.Dataset], Awaitable[object]]


@pytest.fixture
async def ds(cloud: Cloud) -> AsyncIterator[aiolake.Dataset]:
    """A dataset that remembers nothing it has read, in a session of its own."""
    options = Options(cache_bytes=0, decode_threads=1)
    async with aiolake.Session(options) as session:
        create = aiolake.create_dataset(cloud.url, SCHEMA, creds=cloud.creds, session=session)
        async with create as made:
            async with made.transaction("first") as tx:
                await tx.append(rows(N_ROWS))
            yield made


def check_idle(ds: aiolake.Dataset) -> None:
    """No request in flight, none waiting, no byte held."""
    now = ds._core.session.statistics()
    assert (now.in_flight, now.waiting, now.held_bytes, now.inflight_bytes) == (0, 0, 0, 0)
    assert ds._core.session._network.transport.statistics().in_use == 0


async def read_one(ds: aiolake.Dataset) -> None:
    check_row(await ds.read(17), 17)


async def read_batch(ds: aiolake.Dataset) -> None:
    batch = await ds.read([3, 50, 5])
    assert batch["n"].tolist() == [3, 50, 5]


async def stream(ds: aiolake.Dataset) -> None:
    seen: list[int] = []
    async with ds.batches(16) as batches:
        async for batch in batches:
            seen += batch["n"].tolist()
    assert seen == list(range(N_ROWS))


async def refresh(ds: aiolake.Dataset) -> None:
    await ds.refresh()


@pytest.mark.soak
@pytest.mark.parametrize("read", [read_one, read_batch, stream, refresh])
async def test_reads(ds: aiolake.Dataset, read: Read) -> None:
    await read(ds)

    async def once() -> None:
        await read(ds)

    assert await cancel_at_each_step(once, partial(check_idle, ds)) > 0
    await read(ds)


@pytest.mark.soak
async def test_commits(ds: aiolake.Dataset) -> None:
    last: list[aiolake.Transaction] = []
    seen: set[Outcome] = set()

    async def append() -> None:
        last.clear()
        async with ds.transaction("cancelled, perhaps") as tx:
            last.append(tx)
            await tx.append(rows(2, first=N_ROWS))

    async def check() -> None:
        check_idle(ds)
        if not last:
            return
        (tx,) = last
        if tx.slot is not None:
            found = await ds.find_commit(tx.write_id, slot=tx.slot)
            assert found.outcome is tx.outcome
        seen.add(tx.outcome)
        await ds.refresh()

    await cancel_at_each_step(append, check)
    assert seen == {Outcome.COMMITTED, Outcome.NOT_COMMITTED}
    ids = [info.id for info in await ds.history.list(limit=10_000)]
    assert len(ds) == N_ROWS + 2 * (len(ids) - 2)
