"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

__all__ = ["FakeClock"]

_TURNS = 20


class FakeClock:
    """Time as a test wants it; an ``aiolake._aio.Clock``.

    Args:
        start: What ``now`` says first.
        runs: Whether a sleep moves the clock by itself and returns, instead of waiting for
            ``advance``.
    """

    def __init__(
        self, start: datetime = datetime(2024, 1, 1, tzinfo=UTC), *, runs: bool = False
    ) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._runs = runs
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self.slept: list[float] = []

    @property
    def n_sleepers(self) -> int:
        """How many sleep."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved by that much."""
        self.slept.append(seconds)
        if self._runs:
            self._elapsed_s += max(0.0, seconds)
        if self._runs or seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter = asyncio.get_running_loop().create_future()
        until = self._elapsed_s + seconds
        heapq.heappush(self._sleepers, (until, next(self._numbers), waiter))
        await waiter

    async def advance(self, by: timedelta | float) -> None:
        """Move the clock, waking each sleeper at its time and letting it run on."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        target = self._elapsed_s + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._elapsed_s, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)
                await _settle()
        self._elapsed_s = target


async def _settle() -> None:
    """Let what can run now run, a few awaits deep."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
