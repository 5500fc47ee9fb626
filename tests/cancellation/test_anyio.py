"""The same under anyio callers, whose cancel scopes cancel again in every turn of the loop."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

import aiolake
from aiolake import Outcome
from tests.cancellation.place import Place, check_row, rows


async def read_and_append(ds: aiolake.Dataset, seen: list[aiolake.Transaction]) -> None:
    check_row(await ds.read(17), 17)
    async with ds[:64].batches(16) as batches:
        async for _ in batches:
            pass
    async with ds.transaction("under anyio") as tx:
        seen.append(tx)
        await tx.append(rows(3))


async def test_a_cancelled_scope(ds: aiolake.Dataset, place: Place) -> None:
    """Cancelled after 0, 3, 6, ... turns: idle afterwards, and every commit is answered for.

    How many turns pass while a thread waits for the disk is the machine's affair, so
    they are doubled at the end until one commit went through.
    """
    seen: list[aiolake.Transaction] = []

    async def cancel_after(cancel: Callable[[], None], n_turns: int) -> None:
        for _ in range(n_turns):
            await anyio.lowlevel.checkpoint()
        cancel()

    for n_turns in (*range(0, 120, 3), *(120 << i for i in range(12))):
        async with anyio.create_task_group() as group:  # noqa: TID251
            group.start_soon(cancel_after, group.cancel_scope.cancel, n_turns)
            await read_and_append(ds, seen)
        place.check_idle()
        await ds.refresh()
        if n_turns >= 120 and seen[-1].outcome is Outcome.COMMITTED:
            break
    assert seen[-1].outcome is Outcome.COMMITTED
    await answered(seen, place)


async def test_move_on_after(ds: aiolake.Dataset, place: Place) -> None:
    seen: list[aiolake.Transaction] = []
    for step in range(20):
        with anyio.move_on_after(step * 0.001):
            await read_and_append(ds, seen)
        place.check_idle()
        await ds.refresh()
    await answered(seen, place)


async def answered(seen: list[aiolake.Transaction], place: Place) -> None:
    logged = {entry["write_id"]: entry["n"] for entry in await place.log()}
    for tx in seen:
        committed = tx.outcome is Outcome.COMMITTED
        assert committed == (tx.write_id in logged)
        assert tx.snapshot == logged.get(tx.write_id)


async def test_opening_within_a_scope(place: Place, ds: aiolake.Dataset) -> None:
    for step in range(12):
        with anyio.move_on_after(step * 0.0005):
            async with aiolake.open_dataset(place.url, session=place.session) as fresh:
                check_row(await fresh.read(600), 600)
        place.check_idle()
        assert all(store.closed for store in place.stores[2:])
