"""What an ``open`` function returns: awaited or entered, as the caller likes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from aiolake.errors import InvalidInputError

__all__ = ["Closeable", "Opening"]


class Closeable(Protocol):
    """Something that ``aclose`` closes."""

    async def aclose(self) -> None:
        """Close it; idempotent."""
        ...


R = TypeVar("R", bound=Closeable)


class Opening(Coroutine[Any, Any, R], Generic[R]):
    """A resource about to be opened, once.

    ``await opening`` gives the resource, and the caller closes it; ``async with opening as r:``
    closes it at the end. It may also be handed to ``asyncio.run`` or ``TaskGroup.create_task``.
    Until one of these begins nothing has happened, and dropping it is fine.

    Args:
        factory: Called when opening begins.
    """

    def __init__(self, factory: Callable[[], Coroutine[Any, Any, R]]) -> None:
        self._factory = factory
        self._coro: Coroutine[Any, Any, R] | None = None
        self._used = False
        self._resource: R | None = None

    def _begin(self) -> Coroutine[Any, Any, R]:
        if self._used:
            raise InvalidInputError("this opening was used already; call the open function again")
        self._used = True
        return self._factory()

    def __await__(self) -> Generator[Any, None, R]:
        return self._begin().__await__()

    def send(self, value: Any) -> Any:
        """Run up to the next suspension, as a task does."""
        if self._coro is None:
            self._coro = self._begin()
        return self._coro.send(value)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> Any:
        """Raise an exception at the suspension, as a task does when it is cancelled."""
        error = typ if isinstance(typ, BaseException) else (val or typ())
        if self._coro is None:  # cancelled before it began: nothing happens
            self._used = True
            raise error
        return self._coro.throw(error)

    def close(self) -> None:
        """Give up; a no-op unless a task was running it."""
        self._used = True
        if self._coro is not None:
            self._coro.close()

    async def __aenter__(self) -> R:
        self._resource = await self._begin()
        return self._resource

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._resource is not None:
            await self._resource.aclose()
