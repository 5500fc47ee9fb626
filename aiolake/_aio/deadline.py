"""A deadline for each of many attempts, all of one length, watched by one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Deadline", "Deadlines"]

T = TypeVar("T")


class Deadline:
    """When one attempt is over, and what is called then."""

    __slots__ = ("at", "passed")

    def __init__(self, at: float, passed: Callable[[], object]) -> None:
        self.at = at
        self.passed = passed


class Deadlines:
    """As ``asyncio.timeout`` around each attempt, which sets and cancels a timer each time.

    Attempts of one length end in the order they began, so the oldest one's deadline is the next.

    Args:
        seconds: How long an attempt may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._waiting: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, passed: Callable[[], object]) -> Deadline:
        """Call ``passed`` once the time is over, unless that is discarded before."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        deadline = Deadline(loop.time() + self.seconds, passed)
        self._waiting[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._look, loop)
        return deadline

    def discard(self, deadline: Deadline) -> None:
        """Forget it, and what it would call; nothing, where it has passed."""
        if self._waiting.pop(deadline, self) is None:
            deadline.passed = _nothing

    async def within(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What an attempt returns.

        Raises:
            TimeoutError: It took too long, and was cancelled.
        """
        task = asyncio.current_task()
        assert task is not None
        n_cancelling = task.cancelling()
        deadline = self.add(task.cancel)
        try:
            return await attempt()
        except asyncio.CancelledError as error:
            if deadline not in self._waiting and task.uncancel() <= n_cancelling:
                raise TimeoutError from error
            raise
        finally:
            self.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._waiting:  # whose calls may add and discard others
            deadline = next(iter(self._waiting))
            if deadline.at > now:
                self._timer = loop.call_at(deadline.at, self._look, loop)
                return
            del self._waiting[deadline]
            passed, deadline.passed = deadline.passed, _nothing
            passed()
        self._timer = None


def _nothing() -> None:
    """Stands where something was called that must not be kept alive."""
