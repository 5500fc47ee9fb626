"""A deadline for each of many attempts, all of one length, watched by one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Deadlines"]

T = TypeVar("T")


class _Entry:
    """One attempt: whose task to cancel, when, and whether that was done."""

    __slots__ = ("at", "n_cancelling", "passed", "task")

    def __init__(self, task: asyncio.Task[Any], at: float) -> None:
        self.task = task
        self.at = at
        self.n_cancelling = task.cancelling()
        self.passed = False


class Deadlines:
    """As ``asyncio.timeout`` around each attempt, which sets and cancels a timer each time.

    Attempts of one length end in the order they began, so the oldest one's deadline is the next.

    Args:
        seconds: How long an attempt may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._entries: dict[_Entry, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def within(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What an attempt returns.

        Raises:
            TimeoutError: It took too long, and was cancelled.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        entry = _Entry(task, loop.time() + self.seconds)
        self._entries[entry] = None
        if self._timer is None:
            self._timer = loop.call_at(entry.at, self._look, loop)
        try:
            return await attempt()
        except asyncio.CancelledError as error:
            if entry.passed and task.uncancel() <= entry.n_cancelling:
                raise TimeoutError from error
            raise
        finally:
            del self._entries[entry]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for entry in self._entries:
            if entry.passed:
                continue
            if entry.at > now:
                self._timer = loop.call_at(entry.at, self._look, loop)
                return
            entry.passed = True
            entry.task.cancel()
        self._timer = None
