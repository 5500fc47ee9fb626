"""Owners of tasks that end within a function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from aiolake._aio.waiting import cancel_and_wait
from aiolake.errors import ClosedError, InvalidInputError

__all__ = ["Tasks", "map_concurrently"]

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")


class Tasks:
    """Owns background tasks; a failure waits until the body asks, and does not cancel it.

    ``async with Tasks() as tasks:`` -- on a clean exit the tasks are joined; when the body raises
    or is cancelled they are cancelled and awaited. No task outlives the block.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._open = False

    @property
    def n_active(self) -> int:
        """Tasks started that have not ended."""
        return sum(not task.done() for task in self._tasks)

    def start(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run ``coro`` in a task that ends before this block does.

        Raises:
            ClosedError: The block was not entered, or is being left.
        """
        if not self._open:
            coro.close()
            raise ClosedError(f"task {name!r} was not started: its owner's block is not open")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def check(self) -> None:
        """Raise the first failure there was, if any."""
        if self._failure is not None:
            raise self._failure

    async def join(self) -> None:
        """Wait for the tasks started so far; a failure is raised at once, as it was.

        Cancellation: the tasks go on.
        """
        waiting = set(self._tasks)
        while waiting and self._failure is None:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        self.check()

    async def aclose(self) -> None:
        """Cancel what runs and wait for its end, failures unheard; nothing can start any more.

        Cancellation: goes on once all tasks have ended.
        """
        self._open = False
        await cancel_and_wait(self._tasks)

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            while exc is None and (self._tasks or self._failure):
                await self.join()
        finally:
            self._open = False
            await cancel_and_wait(self._tasks)
            self._note_failure(exc)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None and self._failure is None:
            self._failure = failure

    def _note_failure(self, exc: BaseException | None) -> None:
        if exc is not None and self._failure not in (None, exc):
            exc.add_note(f"a background task had failed too: {self._failure!r}")


async def map_concurrently(
    fn: Callable[[A], Awaitable[B]], items: Iterable[A], *, limit: int | None = None
) -> list[B]:
    """Call ``fn`` with every item, at most ``limit`` at once; results in the order of items.

    The first failure cancels and awaits the rest and is raised as it was. A single item, or a
    limit of 1, needs no task.

    Raises:
        InvalidInputError: ``limit`` is below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidInputError(f"limit must be at least 1, got {limit}")
    todo = list(items)
    n_workers = len(todo) if limit is None else min(limit, len(todo))
    if n_workers <= 1:
        return [await fn(item) for item in todo]
    results: dict[int, B] = {}
    queue = iter(enumerate(todo))
    async with Tasks() as tasks:
        for _ in range(n_workers):
            tasks.start(_work(fn, queue, results), name="aiolake map")
    return [results[i] for i in range(len(todo))]


async def _work(
    fn: Callable[[A], Awaitable[B]], queue: Iterator[tuple[int, A]], results: dict[int, B]
) -> None:
    for i, item in queue:
        results[i] = await fn(item)
