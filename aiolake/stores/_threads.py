"""Blocking calls of local stores, in threads that all of them share."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

__all__ = ["FileThreads"]

T = TypeVar("T")

_MAX_THREADS = 16  # they wait for the disk, which wants several requests at once


class _Shared:
    """One pool per process, kept: an opening that starts threads anew pays for each."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def pool(self) -> ThreadPoolExecutor:
        # After a fork the threads are not there, though the pool believes they are.
        if self._pool is None or self._pid != os.getpid():
            self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="aiolake-files")
            self._pid = os.getpid()
        return self._pool


_shared = _Shared()


class FileThreads:
    """Runs blocking calls in the process's threads for files."""

    async def read(self, call: Callable[[], T]) -> T:
        """Run a call that changes nothing.

        Cancellation: returns at once; the call ends by itself and its result is dropped.
        """
        return await asyncio.wrap_future(self._submit(call))

    async def write(self, call: Callable[[threading.Event], T]) -> T:
        """Run a call that changes files and can be asked to stop.

        Cancellation: waits until the call has stopped, so that nothing of it is left behind and
        its buffers are the caller's again.
        """
        stop = threading.Event()
        running = self._submit(lambda: call(stop))
        cancelled = await _ended(asyncio.wrap_future(running), running, stop)
        if cancelled is None:
            return running.result()
        with suppress(BaseException):
            running.result()
        raise cancelled

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        return _shared.pool().submit(call)


async def _ended(
    waiting: asyncio.Future[T], running: Future[T], stop: threading.Event
) -> asyncio.CancelledError | None:
    """Wait for the end of a call, however often the waiter is cancelled meanwhile."""
    cancelled = None
    while not waiting.done():
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError as error:
            cancelled = error
            stop.set()
            running.cancel()
    if not waiting.cancelled():
        waiting.exception()
    return cancelled
