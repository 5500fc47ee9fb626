"""What these tests share: cancelling at every suspension, forking, and looking for leavings."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import types
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def others() -> set[str]:
    """Names of the tasks that run beside the current one."""
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@types.coroutine
def _stepped(
    coro: Coroutine[Any, Any, T], at: int, times: int, reached: list[int]
) -> Generator[Any, Any, T]:
    """Run ``coro``; at its suspensions ``at``, ``at + 1``, ... cancel the task it runs in."""
    task = asyncio.current_task()
    assert task is not None
    step: Callable[[], Any] = lambda: coro.send(None)  # noqa: E731
    n = 0
    while True:
        try:
            waiting_for = step()
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        n += 1
        if at <= n < at + times:
            reached.append(n)
            task.cancel()
        try:
            yield waiting_for
            step = lambda: coro.send(None)  # noqa: E731
        except BaseException as error:
            step = lambda error=error: coro.throw(error)  # type: ignore[misc]  # noqa: E731


async def cancel_at_each_step(
    make: Callable[[], Coroutine[Any, Any, object]],
    check: Callable[[], None] = lambda: None,
    *,
    times: int = 1,
) -> int:
    """Run ``make()`` again and again, cancelled at its 1st, 2nd, ... suspension until it ends.

    Each time the cancellation must come out, no task may be left, and ``check`` must pass.
    Returns how many suspensions were cancelled.
    """
    before = others()
    for at in range(1, 1000):
        reached: list[int] = []
        task = asyncio.get_running_loop().create_task(_run(make(), at, times, reached))
        await asyncio.wait((task,))
        assert others() == before, f"left behind when cancelled at suspension {at}"
        check()
        if not reached:
            task.result()
            return at - 1
        assert task.cancelled(), f"cancelled at suspension {at}, but it ended as {task!r}"
    raise AssertionError("it never ends")


async def _run(
    coro: Coroutine[Any, Any, object], at: int, times: int, reached: list[int]
) -> object:
    return await _stepped(coro, at, times, reached)


def in_child(fn: Callable[[], T]) -> T:
    """The result of ``fn()`` in a forked child; its failure is raised here, as its text."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads is the point
        pid = os.fork()
    if pid == 0:
        _report(fn, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        payload = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert payload, f"the child died: {os.waitstatus_to_exitcode(status)}"
    ok, value = pickle.loads(payload)
    assert ok, f"in the child: {value}"
    return value  # type: ignore[no-any-return]


def _report(fn: Callable[[], object], write: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20)
    try:
        answer = True, fn()
    except BaseException as error:
        answer = False, repr(error)
    try:
        os.write(write, pickle.dumps(answer))
    finally:
        os._exit(0)
