"""Work that lives as long as an object."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from aiolake._aio import fork
from aiolake._aio.waiting import wait_out
from aiolake.errors import ClosedError, InvalidInputError

__all__ = ["Daemon"]

_log = logging.getLogger("aiolake")


class Daemon:
    """Runs one coroutine function from ``start`` to ``aclose``.

    It runs in an empty ``contextvars.Context``: it serves everybody, not the request that happened
    to start it. A crash is logged and kept.

    Args:
        fn: What to run; it may return early.
        name: For logs and the task.
    """

    def __init__(self, fn: Callable[[], Coroutine[Any, Any, object]], *, name: str) -> None:
        self._fn = fn
        self._name = name
        self._task: asyncio.Task[object] | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._generation = fork.current.generation

    @property
    def failed(self) -> bool:
        """Whether it crashed."""
        return self._failure is not None

    @property
    def failure(self) -> BaseException | None:
        """What it crashed with."""
        return self._failure

    def start(self) -> None:
        """Begin, on the running loop.

        Raises:
            InvalidInputError: It was started before.
            ClosedError: It was closed.
        """
        if self._closed:
            raise ClosedError(f"{self._name} is closed; make a new one")
        if self._task is not None:
            raise InvalidInputError(f"{self._name} was started already; start it once")
        loop = asyncio.get_running_loop()
        context = contextvars.Context()
        self._generation = fork.current.generation
        self._task = loop.create_task(self._fn(), name=self._name, context=context)
        self._task.add_done_callback(self._ended)
        fork.keep_in_child(self)

    async def aclose(self) -> None:
        """Cancel the work and wait for its end; again is fine, and so is after a fork.

        Cancellation: goes on once the work has ended.
        """
        task, first = self._task, not self._closed
        self._closed = True
        if task is None or self._generation != fork.current.generation:
            return
        if first:
            task.cancel()
        if task is asyncio.current_task():
            return
        await wait_out((task,))

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._failure = None if task.cancelled() else task.exception()
        if self._failure is not None:
            _log.error("%s crashed: %r", self._name, self._failure, exc_info=self._failure)
