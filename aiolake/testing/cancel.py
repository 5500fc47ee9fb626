"""Cancelling a coroutine at each of its awaits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

__all__ = ["cancel_at_each_step"]

MakeCoroutine = Callable[[], Coroutine[Any, Any, object]]
Check = Callable[[], "Awaitable[object] | object"]


async def cancel_at_each_step(
    make: MakeCoroutine, check: Check | None = None, *, max_steps: int = 10_000
) -> int:
    """Run a coroutine again and again, cancelled at its 1st, 2nd, ... suspension, until it ends.

    Each suspension is tried twice: cancelled while it waits, and cancelled after what it waits
    for has come but before it goes on. After each run no task may be left over, and the
    cancellation must have come out again.

    Args:
        make: Makes a fresh coroutine.
        check: Called (and awaited, where it is a coroutine function) after each run.
        max_steps: Fail beyond this number of suspensions.

    Returns:
        How many suspensions the uncancelled run had.

    Raises:
        AssertionError: A task was left over, or a cancellation was swallowed.
    """
    for step in range(1, max_steps + 1):
        for late in (False, True):
            reached = await _run_once(make, step, late)
            await _checked(check)
            if not reached:
                return step - 1
    raise AssertionError(f"the coroutine has not ended after {max_steps} suspensions")


async def _run_once(make: MakeCoroutine, step: int, late: bool) -> bool:
    before = asyncio.all_tasks()
    run = _Run(make, step, late)
    try:
        async with asyncio.TaskGroup() as group:
            run.task = group.create_task(run.drive(), name=f"cancelled at step {step}")
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from None
        raise
    how = f"cancelled at suspension {step}{' (late)' if late else ''}"
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left, f"{how}, these tasks were left over: {left}"
    assert not run.reached or run.task.cancelled(), f"{how}, the cancellation was swallowed"
    return run.reached


async def _checked(check: Check | None) -> None:
    answer = check() if check is not None else None
    if inspect.isawaitable(answer):
        await answer


@dataclass(eq=False)
class _Run:
    """One run, which cancels itself at a given suspension."""

    make: MakeCoroutine
    step: int
    late: bool
    reached: bool = False
    task: asyncio.Task[None] | None = None

    async def drive(self) -> None:
        await _Stepped(self.make(), self._suspended)

    def _suspended(self, number: int, waiting_for: object) -> None:
        if number != self.step:
            return
        self.reached = True
        task = self.task
        assert task is not None
        if self.late and isinstance(waiting_for, asyncio.Future):
            # Registered before the task's own wake-up, so it runs first.
            waiting_for.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()


@dataclass(eq=False)
class _Stepped:
    """Awaits a coroutine and reports each of its suspensions."""

    coroutine: Coroutine[Any, Any, object]
    suspended: Callable[[int, object], None]

    def __await__(self) -> Generator[Any, Any, object]:
        number = 0
        resume: Callable[[], Any] = lambda: self.coroutine.send(None)  # noqa: E731
        while True:
            try:
                waiting_for = resume()
            except StopIteration as end:
                return end.value
            number += 1
            self.suspended(number, waiting_for)
            resume = yield from self._wait(waiting_for)

    def _wait(self, waiting_for: object) -> Generator[Any, Any, Callable[[], Any]]:
        try:
            value = yield waiting_for
        except BaseException as error:
            raised = error
            return lambda: self.coroutine.throw(raised)
        return lambda: self.coroutine.send(value)
