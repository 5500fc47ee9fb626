"""Reading cancelled anywhere leaves nothing behind, and the dataset can still be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

import aiolake
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import Place, check_row, filled, place_of
from tests.cancellation.turns import cancel_at_each_turn

Act = Callable[[aiolake.Dataset], Awaitable[object]]


async def read_one(ds: aiolake.Dataset) -> None:
    check_row(await ds.read(17), 17)


async def read_batch(ds: aiolake.Dataset) -> None:
    batch = await ds.read([3, 600, 5])
    assert batch["n"].tolist() == [3, 600, 5]
    assert batch["name"] == ["row 3", "row 600", "row 5"]


async def read_bytes(ds: aiolake.Dataset) -> None:
    assert await ds.read_bytes(9, "blob", 2, 6) == bytes([9]) * 4


async def stream(ds: aiolake.Dataset) -> None:
    seen: list[int] = []
    async with ds.batches(64) as batches:
        async for batch in batches:
            seen += batch["n"].tolist()
    assert seen == list(range(len(ds)))


async def stream_and_leave(ds: aiolake.Dataset) -> None:
    async with ds.select("blob", "n").batches(16) as batches:
        async for batch in batches:
            assert batch["n"].tolist() == list(range(16))
            break


async def stream_shuffled(ds: aiolake.Dataset) -> None:
    async with ds[[5, 600, 3, 99]].batches(2) as batches:
        assert [batch["n"].tolist() async for batch in batches] == [[5, 600], [3, 99]]


async def stream_and_give_up_waiting(ds: aiolake.Dataset) -> None:
    """A consumer with too little patience loses no batch."""
    seen: list[int] = []
    async with ds[:96].batches(16) as batches:
        while len(seen) < 96:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    seen += (await anext(batches))["n"].tolist()
    assert seen == list(range(96))


async def where(ds: aiolake.Dataset) -> None:
    found = await ds.where(n=aiolake.between(3, 600), name=["row 3", "row 600", "row 601"])
    assert (await found.read(slice(None), columns=["n"]))["n"].tolist() == [3, 600]


async def stats(ds: aiolake.Dataset) -> None:
    assert (await ds[1:].stats())["n"].min == 1


async def summary(ds: aiolake.Dataset) -> None:
    assert (await ds.summary())["blob"].nulls == 0


async def refresh(ds: aiolake.Dataset) -> None:
    assert not await ds.refresh()


async def history(ds: aiolake.Dataset) -> None:
    assert [info.message for info in await ds.history.list()] == ["first", ""]


async def differ(ds: aiolake.Dataset) -> None:
    assert len((await ds.history.diff(1)).added) == len(ds)


async def names(ds: aiolake.Dataset) -> None:
    assert await ds.branches.list() == {"main": 2}
    assert await ds.tags.list() == {}


async def find_commit(ds: aiolake.Dataset) -> None:
    assert (await ds.find_commit("never", slot=2)).outcome is aiolake.Outcome.NOT_COMMITTED


ACTS: list[Act] = [
    read_one,
    read_batch,
    read_bytes,
    stream,
    stream_and_leave,
    stream_shuffled,
    stream_and_give_up_waiting,
    where,
    stats,
    summary,
    refresh,
    history,
    differ,
    names,
    find_commit,
]


@pytest.mark.parametrize("act", ACTS)
async def test_cancelled_at_each_step_of_an_open_handle(
    act: Act, ds: aiolake.Dataset, place: Place
) -> None:
    async def go() -> None:
        await act(ds)

    n_steps = await cancel_at_each_step(go, place.check_idle)
    assert n_steps > 0
    await act(ds)


@pytest.mark.parametrize("act", ACTS)
async def test_cancelled_at_each_step_of_a_cold_handle(
    act: Act, ds: aiolake.Dataset, place: Place
) -> None:
    def check() -> None:
        place.check_idle()
        assert [store.closed for store in place.stores[2:]] == [True] * (len(place.stores) - 2)

    n_steps = await cancel_at_each_step(partial(cold, place, act), check)
    assert n_steps > 2


@pytest.mark.parametrize("place", ["memory"], indirect=True)
@pytest.mark.parametrize("act", ACTS)
async def test_cancelled_at_each_turn_of_the_loop(
    act: Act, ds: aiolake.Dataset, place: Place
) -> None:
    async def check() -> None:
        place.check_idle()
        assert all(store.closed for store in place.stores[2:])

    assert await cancel_at_each_turn(partial(cold, place, act), check) > 5


async def cold(place: Place, act: Act) -> None:
    async with aiolake.open_dataset(place.url, session=place.session) as fresh:
        await act(fresh)


@pytest.mark.parametrize("how", ["snapshot", "time", "tag"])
async def test_opening_at_an_older_snapshot(how: str, ds: aiolake.Dataset, place: Place) -> None:
    await ds.tags.create("v1", 1)

    async def at(**where: object) -> None:
        async with aiolake.open_dataset(place.url, session=place.session, **where) as fixed:  # type: ignore[arg-type]
            assert fixed.branch is None

    where = {"snapshot": 1, "time": datetime.now(UTC), "tag": "v1"}[how]
    assert await cancel_at_each_step(partial(at, **{how: where}), place.check_idle) > 2
    assert all(store.closed for store in place.stores[2:])


async def read_three(ds: aiolake.Dataset) -> None:
    """Three reads at once, of which two wait."""
    async with asyncio.TaskGroup() as group:
        for i in (1, 300, 650):
            group.create_task(ds.read([i, i + 30]))


@pytest.mark.parametrize("kind", ["memory", "local"])
async def test_requests_that_wait_for_a_slot(kind: str, tmp_path: Path) -> None:
    """With one request at a time nearly all are cancelled while they wait in the scheduler."""
    place = place_of(kind, tmp_path)
    place.options = replace(place.options, max_inflight=1)
    async with place.opened():
        await filled(place)

        async def check() -> None:
            place.check_idle()

        assert await cancel_at_each_step(partial(cold, place, read_three), check) > 2
        if kind == "memory":
            assert await cancel_at_each_turn(partial(cold, place, read_three), check) > 5
        await cold(place, read_three)
