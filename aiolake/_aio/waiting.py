"""Waiting for tasks to end although the waiter is cancelled: the core of every owner here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

__all__ = ["cancel_and_wait", "settle", "wait_out"]

F = TypeVar("F", bound=asyncio.Future[Any])


async def settle(tasks: Iterable[asyncio.Future[Any]]) -> asyncio.CancelledError | None:
    """Wait until every task has ended; failures stay in the tasks.

    Cancellation: does not interrupt. The first one that came meanwhile is returned and the caller
    must raise it. ``Task.uncancel`` is not called: whoever cancelled does that.
    """
    pending = _unfinished(tasks)
    cancelled: asyncio.CancelledError | None = None
    while pending:
        try:
            with nullcontext() if cancelled is None else _quiet():
                await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
        pending = _unfinished(pending)
    try:
        return cancelled
    finally:
        del cancelled  # its traceback holds this frame


async def wait_out(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait until every task has ended; failures stay in the tasks.

    Cancellation: goes on once all tasks have ended.
    """
    cancelled = await settle(tasks)
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # its traceback holds this frame


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; failures stay in the tasks.

    Cancellation: goes on once all tasks have ended.
    """
    unfinished = _unfinished(tasks)
    for task in unfinished:
        task.cancel()
    await wait_out(unfinished)


def _unfinished(tasks: Iterable[F]) -> set[F]:
    return {task for task in tasks if not task.done()}


def _quiet() -> AbstractContextManager[object]:
    # A cancelled anyio scope cancels its task again in every turn of the loop: without its own
    # shield the wait would spin. Only callers that loaded anyio can be inside such a scope.
    if "anyio" not in sys.modules:
        return nullcontext()
    import anyio

    return anyio.CancelScope(shield=True)
