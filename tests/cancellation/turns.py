"""Cancelling at every turn of the loop: what runs in tasks below the caller is met everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Make = Callable[[], Coroutine[Any, Any, object]]
Check = Callable[[], Awaitable[object]]


async def cancel_at_each_turn(make: Make, check: Check, *, max_turns: int = 3000) -> int:
    """Run a coroutine again and again, cancelled after 0, 1, 2, ... turns, until it ends first.

    After each run no task may be left, and the cancellation must have come out. Returns the
    number of turns the whole run takes.
    """
    for n_turns in range(max_turns):
        ended = await _run(make, n_turns)
        await check()
        if ended:
            return n_turns
    raise AssertionError(f"the coroutine has not ended after {max_turns} turns")


async def _run(make: Make, n_turns: int) -> bool:
    before = asyncio.all_tasks()
    task = asyncio.get_running_loop().create_task(make())
    for _ in range(n_turns):
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    await asyncio.wait((task,))
    left = asyncio.all_tasks() - before - {task}
    assert not left, f"cancelled after {n_turns} turns, these tasks were left over: {left}"
    if ended:
        task.result()
    else:
        assert task.cancelled(), f"cancelled after {n_turns} turns, but it ended: {task!r}"
    return ended
