"""Blocking calls of a local store, in threads of its own."""

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


class FileThreads:
    """Threads started when first needed; they end when this object goes or is closed."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

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

    def close(self) -> None:
        """Let the threads end."""
        if self._pool is not None and self._pid == os.getpid():
            self._pool.shutdown(wait=False)
        self._pool = None

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        # After a fork the threads are not there, though the pool believes they are.
        if self._pool is None or self._pid != os.getpid():
            self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="aiolake-files")
            self._pid = os.getpid()
        return self._pool.submit(call)


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
