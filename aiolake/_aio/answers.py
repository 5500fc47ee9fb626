"""Work in a thread that asks the loop for what it needs while it runs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from aiolake._aio.pool import WorkPool
from aiolake._aio.tasks import Tasks
from aiolake.errors import ClosedError

__all__ = ["run_asking"]

A = TypeVar("A")
Q = TypeVar("Q")
T = TypeVar("T")

_LOOK_S = 1.0
"""How often a thread that waits looks whether the loop, which should have told it, is closed."""


async def run_asking(
    pool: WorkPool,
    fn: Callable[[Callable[[Q], A]], T],
    answer: Callable[[Q], Awaitable[A]],
) -> T:
    """The result of ``fn(ask)``, computed in a thread, where ``ask`` waits for ``answer``.

    Args:
        pool: Whose thread; it is occupied while answers are waited for.
        fn: The work. ``ask(question)`` gives what ``answer`` gives or raises what it raises, and
            ``ClosedError`` once nobody waits for the work any more.
        answer: Called on this loop, in this task, for one question at a time.

    Cancellation: goes on at once. Work that has begun is refused an answer and ends on its own.
    """
    line: _Line[Q, A] = _Line()
    async with Tasks() as tasks:
        work = tasks.start(pool.run(fn, line.ask), name="aiolake asking work")
        work.add_done_callback(lambda _: line.hang_up())
        try:
            while (call := await line.next_call()) is not None:
                await _reply(call, answer)
        finally:
            line.close()
        return await work


_Call: TypeAlias = "tuple[Q, concurrent.futures.Future[A]]"


async def _reply(call: _Call[Q, A], answer: Callable[[Q], Awaitable[A]]) -> None:
    question, future = call
    try:
        future.set_result(await answer(question))
    except Exception as error:
        future.set_exception(error)


class _Line(Generic[Q, A]):
    """Between one thread, which asks, and the loop it was made on, which answers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: asyncio.Queue[_Call[Q, A] | None] = asyncio.Queue()
        self._lock = threading.Lock()
        self._waiting: concurrent.futures.Future[A] | None = None
        self._closed = False

    def ask(self, question: Q) -> A:
        """In the thread: ask and wait."""
        future: concurrent.futures.Future[A] = concurrent.futures.Future()
        with self._lock:
            if self._closed:
                raise _gone()
            self._waiting = future
        try:
            self._loop.call_soon_threadsafe(self._calls.put_nowait, (question, future))
        except RuntimeError:
            raise _gone() from None
        while not concurrent.futures.wait((future,), _LOOK_S).done:
            if self._loop.is_closed():
                raise _gone()
        return future.result()

    async def next_call(self) -> _Call[Q, A] | None:
        """The next question; ``None`` when there will be none."""
        return await self._calls.get()

    def hang_up(self) -> None:
        """Let ``next_call`` say that there will be no more."""
        self._calls.put_nowait(None)

    def close(self) -> None:
        """Refuse the thread's question, if it has one, and all later ones."""
        with self._lock:
            self._closed = True
            waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_exception(_gone())


def _gone() -> ClosedError:
    return ClosedError("nobody waits for this work any more: it was cancelled")
