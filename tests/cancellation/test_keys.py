"""Look-up by key, keyed commits and merges, cancelled anywhere."""

from __future__ import annotations

from functools import partial

import aiolake
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import SCHEMA, Place, check_row, rows

N = 300


async def keyed(place: Place) -> aiolake.Dataset:
    ds = await aiolake.create_dataset(
        place.url, SCHEMA, key="name", on_duplicate="replace", session=place.session
    )
    async with ds.transaction() as tx:
        await tx.append(rows(N))
    return ds


async def get_one(ds: aiolake.Dataset) -> None:
    check_row(await ds.get("row 17"), 17)


async def get_batch(ds: aiolake.Dataset) -> None:
    batch = await ds.get([f"row {i}" for i in range(N)])
    assert batch["n"].tolist() == list(range(N))


async def test_get_cancelled_anywhere(place: Place) -> None:
    async with await keyed(place) as ds:

        async def check() -> None:
            place.check_idle()
            await get_one(ds)

        for act in (get_one, get_batch):
            assert await cancel_at_each_step(partial(act, ds), check) >= 1


async def upsert(ds: aiolake.Dataset) -> None:
    async with ds.transaction() as tx:
        await tx.append(rows(N, first=10))


async def test_an_upsert_cancelled_anywhere_happened_or_did_not(place: Place) -> None:
    async with await keyed(place) as ds:

        async def check() -> None:
            place.check_idle()
            await ds.refresh()
            assert len(ds) in (N, N + 10)
            async with ds.transaction() as tx:
                await tx.append(rows(N))
            found = await ds.get([f"row {i}" for i in range(N)], columns=["n"])
            assert found["n"].tolist() == list(range(N))

        assert await cancel_at_each_step(partial(upsert, ds), check) >= 2
        assert (await aiolake.verify(ds)).ok


async def test_a_merge_cancelled_anywhere_happened_or_did_not(place: Place) -> None:
    async with await keyed(place) as ds:
        await ds.branches.create("dev")
        dev = await aiolake.open_dataset(place.url, branch="dev", session=place.session)
        n_rounds = 0

        async def merge() -> None:
            await ds.branches.merge("dev")

        async def check() -> None:
            nonlocal n_rounds
            place.check_idle()
            await ds.refresh()
            assert len(ds) in (N + max(0, 2 * n_rounds - 1), N + 2 * n_rounds)
            n_rounds += 1
            await ds.branches.merge("dev")
            for branch, first in ((dev, 10_000), (ds, 20_000)):
                async with branch.transaction() as tx:
                    await tx.append(rows(1, first=first + n_rounds))

        await check()
        assert await cancel_at_each_step(merge, check) >= 2
        assert (await aiolake.verify(ds)).ok
        await dev.aclose()
