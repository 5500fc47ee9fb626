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
    which waits, connects, retries, and says what is wrong.

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
        self._begun: dict[int, tuple[Fetch, Begun]] = {}  # by their first unit
        self._left: list[Fetch] = []
        self._all_ended: asyncio.Future[None] | None = None

    async def fetch(self, fetches: Sequence[Fetch], ordinary: Ordinary) -> None:
        """Get all of them.

        Args:
            fetches: What to get.
            ordinary: Gets those that are left.

        Cancellation: what was begun is given up.
        """
        for fetch in fetches:
            is_short = fetch.stop - fetch.start <= _SHORT_NBYTES
            (self._todo if is_short else self._left).append(fetch)
        try:
            while self._send():  # noqa: ASYNC110 it waits for nobody, but lets others run
                await asyncio.sleep(0)
            if not self._begun or not self._store.scheduler.crowded:
                self._leave_the_rest()  # nobody's end would send it, or it needs new connections
            await ordinary(self._taken_left())
            if self._begun:
                self._all_ended = asyncio.get_running_loop().create_future()
                await self._all_ended
        finally:
            self._give_up()
        await ordinary(self._taken_left())

    def _send(self) -> bool:
        """Send what can be sent; whether there is more to send, after a turn for others."""
        todo, scheduler = self._todo, self._store.scheduler
        for _ in range(_SENT_IN_A_TURN):
            if not todo or scheduler.crowded:
                return False
            if not self._depart(todo[0]):
                self._left.append(todo.popleft())
            elif self._begin(todo[0]):
                todo.popleft()
            else:
                self._arrive(todo[0], None)
                return False
        return True

    def _begin(self, fetch: Fetch) -> bool:
        answered = partial(self._answered, fetch)
        try:
            begun = self._store.begin_range(fetch.key, fetch.start, fetch.stop, answered)
        except AiolakeError:  # the ordinary way raises it where somebody waits
            return False
        if begun is None:
            return False
        self._begun[fetch.units[0]] = fetch, begun
        return True

    def _answered(self, fetch: Fetch, data: Buffer | None) -> None:
        del self._begun[fetch.units[0]]
        if not self._arrive(fetch, data):
            self._left.append(fetch)
        if data is None:  # the store had better be asked slowly
            self._leave_the_rest()
        self._send()
        if not self._begun:
            self._leave_the_rest()
            if self._all_ended is not None and not self._all_ended.done():
                self._all_ended.set_result(None)

    def _leave_the_rest(self) -> None:
        self._left.extend(self._todo)
        self._todo.clear()

    def _taken_left(self) -> list[Fetch]:
        left, self._left = self._left, []
        return left

    def _give_up(self) -> None:
        self._todo.clear()
        for fetch, begun in self._begun.values():
            begun()
            self._arrive(fetch, None)
        self._begun.clear()
