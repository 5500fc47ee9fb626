"""Many short ranges at once: sent from one coroutine, and taken as they come.

A task for each, with its turns of the loop, costs as much again as the request; and what is sent
late is answered late.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from aiolake.chunks.plan import Fetch
from aiolake.errors import AiolakeError
from aiolake.stores.base import Begun, Buffer
from aiolake.stores.scheduled import ScheduledStore

__all__ = ["Burst"]

Ordinary: TypeAlias = Callable[[Sequence[Fetch]], Awaitable[object]]

_SENT_IN_A_TURN = 64
_SHORT_NBYTES = 1 << 20
"""What is longer, and cut short on its way, is worth going on with; see ``ResumedRead``."""


class Burst:
    """One set of fetches; used once.

    What cannot be sent at once, or is not answered as it should be, is left to the ordinary way,
    which waits, retries, and says what is wrong.

    Args:
        store: Begins reads.
        depart: Whether a fetch is to be sent: not where somebody has asked for the same.
        arrive: Takes what came, or hears by ``None`` that nothing did; whether it was right.
    """

    def __init__(
        self,
        store: ScheduledStore,
        depart: Callable[[Fetch], bool],
        arrive: Callable[[Fetch, Buffer | None], bool],
    ) -> None:
        self._store = store
        self._depart = depart
        self._arrive = arrive
        self._todo: deque[Fetch] = deque()
        self._begun: dict[Fetch, Begun] = {}
        self._failed: list[Fetch] = []
        self._all_ended: asyncio.Future[None] | None = None

    async def fetch(self, fetches: Sequence[Fetch], ordinary: Ordinary) -> None:
        """Get all of them.

        Args:
            fetches: What to get.
            ordinary: Gets those that are left.

        Cancellation: what was begun is given up.
        """
        short = [fetch for fetch in fetches if fetch.stop - fetch.start <= _SHORT_NBYTES]
        long = [fetch for fetch in fetches if fetch.stop - fetch.start > _SHORT_NBYTES]
        try:
            await ordinary([*long, *self._start(short)])
            if self._begun:
                self._all_ended = asyncio.get_running_loop().create_future()
                await self._all_ended
        finally:
            self._give_up()
        await ordinary(self._failed)

    def _start(self, fetches: Sequence[Fetch]) -> list[Fetch]:
        """Send what can be sent; those for which no connection is at hand, or no slot."""
        self._todo.extend(fetches)
        left = self._send()
        if not self._begun:  # nobody's end would send the rest
            left.extend(self._todo)
            self._todo.clear()
        return left

    def _send(self) -> list[Fetch]:
        """Send some of what is to do; those that could not be sent."""
        todo, scheduler, refused = self._todo, self._store.scheduler, list[Fetch]()
        for _ in range(min(len(todo), _SENT_IN_A_TURN)):
            if scheduler.crowded:
                break
            fetch = todo.popleft()
            if not self._depart(fetch):
                refused.append(fetch)
                continue
            begun = self._begin(fetch)
            if begun is None:
                self._arrive(fetch, None)
                refused.append(fetch)
            else:
                self._begun[fetch] = begun
        return refused

    def _begin(self, fetch: Fetch) -> Begun | None:
        answered = partial(self._answered, fetch)
        try:
            return self._store.begin_range(fetch.key, fetch.start, fetch.stop, answered)
        except AiolakeError:  # the ordinary way raises it where somebody waits
            return None

    def _answered(self, fetch: Fetch, data: Buffer | None) -> None:
        del self._begun[fetch]
        if not self._arrive(fetch, data):
            self._failed.append(fetch)
        if data is None:  # the rest had better go slowly
            self._stop()
        elif self._todo:
            self._failed.extend(self._send())
        if not self._begun:
            self._stop()
            if self._all_ended is not None and not self._all_ended.done():
                self._all_ended.set_result(None)

    def _stop(self) -> None:
        self._failed.extend(self._todo)
        self._todo.clear()

    def _give_up(self) -> None:
        self._todo.clear()
        for fetch, begun in self._begun.items():
            begun()
            self._arrive(fetch, None)
        self._begun.clear()
