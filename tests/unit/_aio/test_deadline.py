"""Deadlines of many attempts, by one timer."""

from __future__ import annotations

import asyncio
import weakref
from functools import partial
from typing import Any

import pytest

from aiolake._aio import Deadlines, map_concurrently


async def forever() -> None:
    await asyncio.Event().wait()


async def at_once() -> int:
    return 7


async def test_an_attempt_in_time_is_left_alone() -> None:
    deadlines = Deadlines(60)
    assert await map_concurrently(lambda _: deadlines.within(at_once), range(5)) == [7] * 5
    assert not deadlines._waiting


async def test_each_attempt_has_its_own() -> None:
    deadlines, loop = Deadlines(0.05), asyncio.get_running_loop()

    async def one(pause_s: float) -> float:
        await asyncio.sleep(pause_s)
        began = loop.time()
        with pytest.raises(TimeoutError):
            await deadlines.within(forever)
        return loop.time() - began

    for taken in await map_concurrently(one, (0, 0.02, 0.04, 0.07, 0.2)):
        assert 0.045 < taken < 1
    assert not deadlines._waiting


async def test_a_late_attempt_does_not_end_others() -> None:
    deadlines = Deadlines(0.05)

    async def late() -> None:
        with pytest.raises(TimeoutError):
            await deadlines.within(forever)

    async def in_time() -> int:
        await asyncio.sleep(0.03)
        return await deadlines.within(lambda: asyncio.sleep(0.04, 7))

    async with asyncio.TaskGroup() as group:
        group.create_task(late())
        task = group.create_task(in_time())
    assert task.result() == 7


async def test_a_cancellation_is_no_timeout() -> None:
    deadlines = Deadlines(0.02)

    async def one() -> None:
        await deadlines.within(forever)

    task = asyncio.get_running_loop().create_task(one())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_within_the_moment_of_the_timeout_stays_one() -> None:
    deadlines = Deadlines(0.01)
    task = asyncio.get_running_loop().create_task(deadlines.within(forever))
    await asyncio.sleep(0)
    (deadline,) = deadlines._waiting
    passed = deadline.passed
    deadlines.discard(deadline)  # as if both had come in one turn of the loop
    passed()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_discarded_is_not_called() -> None:
    deadlines, passed = Deadlines(0.01), list[str]()
    kept, discarded = (deadlines.add(partial(passed.append, name)) for name in "ab")
    deadlines.discard(discarded)
    await asyncio.sleep(0.05)
    deadlines.discard(kept)
    assert passed == ["a"]


async def test_who_is_called_may_add_and_discard_others() -> None:
    deadlines, passed = Deadlines(0.02), list[str]()

    def late() -> None:
        passed.append("late")
        deadlines.discard(other)
        deadlines.add(partial(passed.append, "later"))

    deadlines.add(late)
    other = deadlines.add(partial(passed.append, "other"))
    await asyncio.sleep(0.2)
    assert passed == ["late", "later"]


async def test_nothing_is_kept_of_what_is_over() -> None:
    class Attempt:
        def late(self) -> None: ...

    deadlines, kept = Deadlines(0.01), list[weakref.ref[Attempt]]()
    for discarded in (True, False):
        attempt: Any = Attempt()
        kept.append(weakref.ref(attempt))
        attempt.deadline = deadlines.add(attempt.late)
        if discarded:
            deadlines.discard(attempt.deadline)
        del attempt
    await asyncio.sleep(0.05)
    assert [ref() for ref in kept] == [None, None]  # by its count of references, not a collection


async def test_a_failure_is_raised_as_it_was() -> None:
    async def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Deadlines(1).within(fails)
