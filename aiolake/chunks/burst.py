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
from aiolake.stores.base import Begun, Buffer
from aiolake.stores.scheduled import SHORT_NBYTES, ScheduledStore

__all__ = ["Burst"]

Ordinary: TypeAlias = Callable[[Sequence[Fetch]], Awaitable[object]]

_SENT_IN_A_TURN = 64


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
        self._groups: set[_Group] = set()
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
            is_short = fetch.stop - fetch.start <= SHORT_NBYTES
            (self._todo if is_short else self._left).append(fetch)
        try:
            while self._send():  # noqa: ASYNC110 it waits for nobody, but lets others run
                await asyncio.sleep(0)
            if not self._groups or self._store.scheduler.n_free:
                self._leave_the_rest()  # nobody's end would send it, or it needs new connections
            await self._by(ordinary)
            if self._groups:
                self._all_ended = asyncio.get_running_loop().create_future()
                await self._all_ended
        finally:
            self._give_up()
        await self._by(ordinary)

    def _send(self) -> bool:
        """Send what can be sent; whether there is more to send, after a turn for others."""
        fetches = self._departing(min(_SENT_IN_A_TURN, self._store.scheduler.n_free))
        if not fetches:
            return False
        n_sent = self._begin(fetches)
        for fetch in reversed(fetches[n_sent:]):
            self._arrive(fetch, None)
            self._todo.appendleft(fetch)
        return n_sent == len(fetches) and bool(self._todo)

    def _departing(self, n: int) -> list[Fetch]:
        """The next fetches that nobody else has asked for, so many at most."""
        found: list[Fetch] = []
        while self._todo and len(found) < n:
            fetch = self._todo.popleft()
            (found if self._depart(fetch) else self._left).append(fetch)
        return found

    def _begin(self, fetches: list[Fetch]) -> int:
        """Send the first of them; how many."""
        group = _Group()
        ranges = [(fetch.key, fetch.start, fetch.stop) for fetch in fetches]
        try:
            begun = self._store.begin_ranges(ranges, partial(self._answered, group))
        except Exception:  # the ordinary way raises it where somebody waits
            return 0
        if begun is None:
            return 0
        group.begun = begun
        group.waiting = dict(enumerate(fetches[: begun.n]))
        self._groups.add(group)
        return begun.n

    def _answered(self, group: _Group, i: int, data: Buffer | None) -> None:
        fetch = group.waiting.pop(i)
        if not group.waiting:
            self._groups.remove(group)
        try:
            right = self._arrive(fetch, data)
        except Exception:  # as above
            right = False
        if not right:
            self._left.append(fetch)
        if data is None:  # the store had better be asked slowly
            self._leave_the_rest()
        if self._todo:
            self._send()
        if not self._groups:
            self._leave_the_rest()
            if self._all_ended is not None and not self._all_ended.done():
                self._all_ended.set_result(None)

    def _leave_the_rest(self) -> None:
        self._left.extend(self._todo)
        self._todo.clear()

    async def _by(self, ordinary: Ordinary) -> None:
        """Get what is left."""
        left, self._left = self._left, []
        if left:
            await ordinary(left)

    def _give_up(self) -> None:
        self._todo.clear()
        for group in self._groups:
            group.begun.give_up()
            for fetch in group.waiting.values():
                self._arrive(fetch, None)
        self._groups.clear()


class _Group:
    """Fetches that were sent together, and wait for their answers."""

    __slots__ = ("begun", "waiting")

    begun: Begun
    waiting: dict[int, Fetch]
