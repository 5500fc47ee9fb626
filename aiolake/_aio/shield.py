"""The only shield: work that must end once begun."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from aiolake._aio.waiting import settle
from aiolake.errors import DeadlineError

__all__ = ["finish"]

T = TypeVar("T")


async def finish(coro: Coroutine[Any, Any, T], deadline: timedelta) -> T:
    """Run ``coro`` to its end, or to the deadline, although the caller is cancelled meanwhile.

    Args:
        coro: The work; it runs in a task of its own.
        deadline: How long it may take. Then it is cancelled, and waited for until it has ended.

    Raises:
        DeadlineError: The deadline passed.

    Cancellation: goes on after ``coro`` has ended, and wins over a failure of ``coro``, which is
    then a note and the cause of the ``CancelledError``.
    """
    loop = asyncio.get_running_loop()
    name = getattr(coro, "__qualname__", "work")
    task = loop.create_task(_bounded(coro, deadline, name), name=f"aiolake finish {name}")
    cancelled = await settle((task,))
    try:
        if cancelled is not None:
            _raise_with_failure(cancelled, task, name)
        return task.result()
    finally:
        del cancelled, task  # their tracebacks hold this frame


async def _bounded(coro: Coroutine[Any, Any, T], deadline: timedelta, name: str) -> T:
    scope = asyncio.timeout(deadline.total_seconds())
    try:
        async with scope:
            return await coro
    except TimeoutError as error:
        if not scope.expired():
            raise
        seconds = deadline.total_seconds()
        raise DeadlineError(
            f"{name} did not end within {seconds:g} s and was stopped; its outcome is unknown. "
            "Look at what it was to do, then try again or allow more time",
            deadline=deadline,
        ) from error


def _raise_with_failure(
    cancelled: asyncio.CancelledError, task: asyncio.Task[Any], name: str
) -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is None:
        raise cancelled
    cancelled.add_note(f"{name} failed while the cancellation waited for it: {failure!r}")
    raise cancelled from failure
