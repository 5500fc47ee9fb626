"""Creating, opening, closing and deleting, cancelled anywhere."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

import aiolake
from aiolake._aio import WorkPool
from aiolake.dataset import session as sessions
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import SCHEMA, Place, check_row, filled, place_of, rows
from tests.cancellation.turns import cancel_at_each_turn


async def test_creating(place: Place) -> None:
    """Whenever it is cancelled, there is a whole dataset or none."""
    numbers = count()
    url = ""

    async def create() -> None:
        nonlocal url
        url = f"{place.url}-{next(numbers)}"
        if place.root is not None:
            place.root = Path(url)
        async with aiolake.create_dataset(url, SCHEMA, session=place.session):
            pass

    async def check() -> None:
        place.check_idle()
        assert all(store.closed for store in place.stores)
        if await aiolake.dataset_exists(url, session=place.session):
            async with aiolake.open_dataset(url, session=place.session) as ds:
                assert len(ds) == 0
        else:
            async with aiolake.create_dataset(url, SCHEMA, session=place.session) as ds:
                assert len(ds) == 0

    assert await cancel_at_each_step(create, check) > 3
    if place.root is None:
        assert await cancel_at_each_turn(create, check) > 3


async def test_asking_whether_it_exists(ds: aiolake.Dataset, place: Place) -> None:
    async def ask() -> None:
        assert await aiolake.dataset_exists(place.url, session=place.session)

    assert await cancel_at_each_step(ask, place.check_idle) >= 2
    assert all(store.closed for store in place.stores[2:])


async def test_deleting(place: Place) -> None:
    """Whenever it is cancelled, it can be deleted again or is gone, and created anew."""

    async def delete() -> None:
        await aiolake.delete_dataset(place.url, session=place.session)

    async def prepare_again() -> None:
        place.check_idle()
        assert all(store.closed for store in place.stores)
        if await aiolake.dataset_exists(place.url, session=place.session):
            await aiolake.delete_dataset(place.url, session=place.session)
        await filled(place, 20)

    await filled(place, 20)
    assert await cancel_at_each_step(delete, prepare_again) > 3
    if place.root is None:
        assert await cancel_at_each_turn(delete, prepare_again) > 3


async def test_closing_a_handle_while_it_uploads(place: Place) -> None:
    """Cancelled or not, once ``aclose`` is over the store is closed and nothing runs."""
    await filled(place, 20)

    async def close() -> None:
        async with aiolake.open_dataset(place.url, session=place.session) as ds:
            tx = await ds.transaction("left open").__aenter__()
            await tx.append({"n": 1, "name": "x", "blob": bytes(20 << 20)})
            assert tx._tasks.n_active

    def check() -> None:
        place.check_idle()
        assert all(store.closed for store in place.stores)

    assert await cancel_at_each_step(close, check) > 3


@pytest.mark.parametrize("kind", ["memory", "local"])
async def test_closing_a_session_cancelled_at_each_step(kind: str, tmp_path: Path) -> None:
    pools: list[WorkPool] = []

    async def use() -> None:
        place = place_of(kind, tmp_path)
        async with place.opened() as session:
            pools.append(session._pool)
            await session._pool.run(sum, [1, 2])

    def check() -> None:
        assert all(pool._closed for pool in pools)

    assert await cancel_at_each_step(use, check) > 1


async def test_the_default_session_is_not_left_behind(tmp_path: Path) -> None:
    url = f"mem://{tmp_path.name}"
    async with aiolake.create_dataset(url, SCHEMA) as ds, ds.transaction("first") as tx:
        await tx.append(rows(20))

    async def use() -> None:
        async with aiolake.open_dataset(url) as opened:
            check_row(await opened.read(3), 3)
            await opened._core.session._pool.run(sum, [1])

    async def check() -> None:
        assert not sessions._defaults._slots

    assert await cancel_at_each_turn(use, check) > 0
    assert await cancel_at_each_step(use, check) > 0


async def test_a_session_of_its_own_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "ds"
    async with aiolake.create_dataset(path, SCHEMA) as ds, ds.transaction("first") as tx:
        await tx.append(rows(20))
    seen: list[aiolake.Session] = []

    async def use() -> None:
        options = aiolake.Options(decode_threads=1, durability="os")
        async with aiolake.open_dataset(path, options=options) as opened:
            seen.append(opened._core.session)

    def check() -> None:
        assert all(session.closed for session in seen)

    assert await cancel_at_each_step(use, check) > 0


async def test_a_timeout_inside_a_transaction_spoils_it(ds: aiolake.Dataset, place: Place) -> None:
    """Part of the rows may be packed: the transaction can no longer be committed."""
    n = len(ds)
    large = [{"n": 1, "name": "x", "blob": bytes(1 << 20)}] * 20

    async def append_hastily() -> None:
        async with ds.transaction("too slow") as tx:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await tx.append(large)

    with pytest.raises(aiolake.InvalidInputError, match="half way"):
        await append_hastily()
    await ds.refresh()
    assert len(ds) == n
    place.check_idle()


async def test_cancelled_handles_are_not_kept_alive(place: Place) -> None:
    await filled(place, 20)
    alive: list[weakref.ref[aiolake.Dataset]] = []

    async def use() -> None:
        async with aiolake.open_dataset(place.url, session=place.session) as ds:
            alive.append(weakref.ref(ds))
            check_row(await ds.read(2), 2)

    await cancel_at_each_step(use, place.check_idle)
    gc.collect()
    assert [ref() for ref in alive] == [None] * len(alive)
