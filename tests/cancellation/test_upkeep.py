"""Optimize, expire, gc and verify, cancelled anywhere: the dataset stays whole."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import aiolake
from aiolake.testing import cancel_at_each_step
from aiolake.versions.log import HINT_EVERY
from tests.cancellation.place import N_ROWS, Place, check_row, rows
from tests.cancellation.turns import cancel_at_each_turn


async def optimize(ds: aiolake.Dataset) -> None:
    await aiolake.optimize(ds)


async def expire(ds: aiolake.Dataset) -> None:
    await aiolake.expire(ds, below=ds.snapshot)


async def gc(ds: aiolake.Dataset) -> None:
    await aiolake.gc(ds, grace=timedelta(0))


async def verify(ds: aiolake.Dataset) -> None:
    assert (await aiolake.verify(ds)).ok


async def verify_samples(ds: aiolake.Dataset) -> None:
    assert (await aiolake.verify(ds, depth="samples")).ok


async def more_to_do(ds: aiolake.Dataset) -> None:
    """Something to optimize, to expire and to collect."""
    await ds.refresh()
    while True:
        async with ds.transaction("more") as tx:
            await tx.append(rows(1, first=len(ds)))
            await tx.update(len(ds) - 1, {"name": "x"})
        if (ds.snapshot + 1) % HINT_EVERY:  # the hint is written by the session, not by the call
            return


@pytest.mark.parametrize("act", [optimize, expire, gc, verify, verify_samples])
async def test_cancelled_anywhere(
    act: Callable[[aiolake.Dataset], Coroutine[Any, Any, None]], ds: aiolake.Dataset, place: Place
) -> None:
    async def check() -> None:
        place.check_idle()
        if act not in (verify, verify_samples):
            await more_to_do(ds)
        check_row(await ds.read(17), 17)
        check_row(await ds.read(N_ROWS - 2), N_ROWS - 2)

    await more_to_do(ds)
    assert await cancel_at_each_step(partial(act, ds), check) >= 2
    if place.root is None and act not in (
        optimize,
        verify_samples,
    ):  # whose threads take any number of turns
        await cancel_at_each_turn(partial(act, ds), check)
    assert (await aiolake.verify(ds)).ok


async def test_what_a_cancelled_gc_left_the_next_removes(ds: aiolake.Dataset, place: Place) -> None:
    async def check() -> None:
        place.check_idle()
        await aiolake.gc(ds, grace=timedelta(0))
        assert (await aiolake.gc(ds, grace=timedelta(0), dry_run=True)).keys == ()
        await more_to_do(ds)
        await aiolake.optimize(ds)
        await aiolake.expire(ds, below=ds.snapshot)

    await cancel_at_each_step(partial(gc, ds), check)
    assert (await aiolake.verify(ds)).ok
