"""One task for all who want the same thing at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from aiolake._aio.waiting import cancel_and_wait, wait_out
from aiolake.errors import ClosedError

__all__ = ["SingleFlight"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    n_waiters: int = 0


class SingleFlight(Generic[K, T]):
    """Concurrent callers of one key share one task and its result or failure.

    Nothing is remembered after a flight has ended: this is no cache.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()
        self._closed = False

    async def do(self, key: K, factory: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the flight of ``key``; ``factory`` starts one where there is none.

        Raises:
            ClosedError: ``aclose`` was called, before or meanwhile.

        Cancellation: the flight goes on while another caller waits for it; the last one cancels
        it, waits for its end, and is then cancelled.
        """
        if self._closed:
            raise ClosedError(f"{key!r} cannot be fetched: its owner is closed; open it again")
        flight = self._flights.get(key) or self._launch(key, factory)
        flight.n_waiters += 1
        try:
            await asyncio.wait((flight.task,))
        except asyncio.CancelledError:
            await self._leave(key, flight)
            raise
        return self._result(key, flight.task)

    async def aclose(self) -> None:
        """Cancel every flight and wait for its end; who waited for one gets ``ClosedError``.

        Cancellation: goes on once all flights have ended.
        """
        first, self._closed = not self._closed, True
        if first:
            await cancel_and_wait(self._tasks)
        else:
            await wait_out(self._tasks)

    def _launch(self, key: K, factory: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        task = asyncio.get_running_loop().create_task(factory(), name=f"aiolake flight {key!r}")
        flight = self._flights[key] = _Flight(task)
        self._tasks.add(task)
        task.add_done_callback(partial(self._landed, key, flight))
        return flight

    def _landed(self, key: K, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the callers may all be gone

    def _forget(self, key: K, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _leave(self, key: K, flight: _Flight[T]) -> None:
        flight.n_waiters -= 1
        if flight.n_waiters == 0 and not flight.task.done():
            self._forget(key, flight)
            await cancel_and_wait((flight.task,))

    def _result(self, key: K, task: asyncio.Task[T]) -> T:
        if task.cancelled() and self._closed:
            raise ClosedError(f"fetching {key!r} was stopped: its owner was closed meanwhile")
        return task.result()
