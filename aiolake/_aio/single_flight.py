"""One flight for all who want the same thing at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("followers", "landed")

    def __init__(self) -> None:
        self.followers: list[asyncio.Future[T | None]] = []
        self.landed = False


class SingleFlight(Generic[K, T]):
    """Concurrent callers of one key share one flight and its result or failure.

    The first caller flies, in its own task: one who is alone, as most are, pays for no task.
    Nothing is remembered after a flight has ended: this is no cache.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}

    async def do(self, key: K, factory: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the flight of ``key``; ``factory`` starts one where there is none.

        Cancellation: of who flies, ends the flight, and the next in line begins it anew; of
        others, leaves it as it is.
        """
        while (flight := self._flights.get(key)) is not None:
            result = await _followed(flight)
            if flight.landed:
                return result  # type: ignore[return-value]
        return await self._fly(key, factory)

    def take_off(self, key: K) -> bool:
        """Fly without a coroutine; ``land`` must follow. False where the key is in the air."""
        if key in self._flights:
            return False
        self._flights[key] = _Flight()  # not _Flight[T](), which takes ten times as long
        return True

    def land(self, key: K, result: T | None) -> None:
        """End a flight that took off; with ``None`` those who wait fly anew."""
        flight = self._flights.pop(key)
        flight.landed = result is not None
        if flight.followers:
            _tell(flight, result)

    async def _fly(self, key: K, factory: Callable[[], Coroutine[Any, Any, T]]) -> T:
        flight: _Flight[T] = _Flight()
        self._flights[key] = flight
        try:
            result = await factory()
        except asyncio.CancelledError:
            _tell(flight, None)  # not landed: they look again, and one of them flies
            raise
        except BaseException as error:
            _fail(flight, error)
            raise
        else:
            flight.landed = True
            _tell(flight, result)
            return result
        finally:
            del self._flights[key]


async def _followed(flight: _Flight[T]) -> T | None:
    waiter: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
    flight.followers.append(waiter)
    return await waiter


def _tell(flight: _Flight[T], result: T | None) -> None:
    for waiter in flight.followers:
        if not waiter.done():
            waiter.set_result(result)


def _fail(flight: _Flight[T], error: BaseException) -> None:
    flight.landed = True
    for waiter in flight.followers:
        if not waiter.done():
            waiter.set_exception(error)
