"""The threads that decode and encode."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from aiolake._aio import fork
from aiolake._aio.waiting import settle
from aiolake.errors import ClosedError, ForkedError, InvalidInputError

__all__ = ["WorkPool"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WorkPool:
    """A session's threads for CPU work; the first ``run`` starts them.

    Args:
        n_threads: At most so many, at least 1.
    """

    def __init__(self, n_threads: int) -> None:
        if n_threads < 1:
            raise InvalidInputError(f"a pool needs at least 1 thread, got {n_threads}")
        self._n_threads = n_threads
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False
        self._generation = fork.current.generation

    @property
    def n_threads(self) -> int:
        """The most threads it uses."""
        return self._n_threads

    async def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """The result of ``fn(*args)``, computed in a thread.

        Raises:
            ForkedError: The pool belongs to the parent process.
            ClosedError: The pool was closed, before or while the work waited for a thread.

        Cancellation: work that has not begun never does; of work that has, the result is dropped.
        """
        executor = self._running()
        task = asyncio.current_task()
        n_cancels = task.cancelling() if task else 0
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, fn, *args)
        except asyncio.CancelledError:
            if self._closed and task is not None and task.cancelling() == n_cancels:
                raise ClosedError("the pool was closed before this work began") from None
            raise

    async def run_interruptibly(
        self, interrupt: Callable[[], object], fn: Callable[[*Ts], T], *args: *Ts
    ) -> T:
        """As ``run``, of work that can be made to end soon.

        Args:
            interrupt: Makes it end soon; called in this thread, while it runs in its own.
            fn, args: As ``run``.

        Cancellation: work that has not begun never does; that which has is interrupted, and waited
        for.
        """
        future = self._running().submit(fn, *args)
        ended = asyncio.wrap_future(future)
        try:
            await asyncio.wait((ended,))
        except asyncio.CancelledError:
            if not future.cancel():
                interrupt()
            await settle((ended,))
            if not ended.cancelled():
                ended.exception()  # nobody is to be told
            raise
        if ended.cancelled():
            raise ClosedError("the pool was closed before this work began")
        return ended.result()

    async def aclose(self) -> None:
        """End the threads: running work is waited for, waiting work is refused; idempotent.

        Cancellation: goes on at once; the threads end on their own.
        """
        self._closed = True
        executor = self._executor
        if executor is None or self._generation != fork.current.generation:
            return
        executor.shutdown(wait=False, cancel_futures=True)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        threading.Thread(target=_join, args=(executor, loop, ended), daemon=True).start()
        await ended.wait()

    def _running(self) -> ThreadPoolExecutor:
        if self._generation != fork.current.generation:
            raise ForkedError("the pool's threads stayed in the parent; open a session here")
        if self._closed:
            raise ClosedError("the pool is closed; open the session again")
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._n_threads, "aiolake-work")
            fork.keep_in_child(self._executor)
        return self._executor


def _join(executor: Executor, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    executor.shutdown(wait=True)
    with contextlib.suppress(RuntimeError):  # the loop was closed by a caller who did not wait
        loop.call_soon_threadsafe(ended.set)
