from __future__ import annotations

import asyncio
import threading
import timeit
from collections.abc import Callable

import pytest

from aiolake._aio import Guard
from aiolake.errors import AiolakeError, ClosedError, ForkedError, WrongLoopError
from tests.unit._aio.helpers import in_child


async def check(guard: Guard) -> None:
    guard.check()


def refusal(fn: Callable[[], object]) -> str:
    """What ``fn`` is refused with."""
    try:
        fn()
    except AiolakeError as error:
        return f"{type(error).__name__}: {error}"
    return "passed"


def in_thread(fn: Callable[[], object]) -> str:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(refusal(fn)))
    thread.start()
    thread.join()
    return answers[0]


async def test_passes_on_its_own_loop() -> None:
    guard = Guard("dataset x")
    guard.check()
    guard.check()
    assert not guard.closed


def test_made_without_a_loop_it_binds_to_that_of_the_first_check() -> None:
    guard = Guard("dataset x")
    asyncio.run(check(guard))
    with pytest.raises(WrongLoopError, match=r"dataset x .*another event loop.*open it again"):
        asyncio.run(check(guard))


def test_on_another_loop_it_is_refused() -> None:
    async def make() -> Guard:
        return Guard("dataset x")

    guard = asyncio.run(make())
    with pytest.raises(WrongLoopError, match="another event loop"):
        asyncio.run(check(guard))


async def test_in_another_thread_it_is_refused() -> None:
    guard = Guard("dataset x")
    answer = in_thread(lambda: asyncio.run(check(guard)))
    assert answer.startswith("WrongLoopError: dataset x belongs to an event loop in another thread")


async def test_in_another_thread_without_a_loop_it_is_refused() -> None:
    guard = Guard("dataset x")
    assert "WrongLoopError" in in_thread(guard.check)


def test_without_a_running_loop_it_is_refused() -> None:
    guard = Guard("dataset x")
    with pytest.raises(WrongLoopError, match=r"none runs here.*Portal"):
        guard.check()
    asyncio.run(check(guard))
    with pytest.raises(WrongLoopError, match="none runs here"):
        guard.check()


async def test_closed_it_is_refused() -> None:
    guard = Guard("dataset x")
    guard.close()
    guard.close()
    assert guard.closed
    with pytest.raises(ClosedError, match="dataset x is closed; open it again"):
        guard.check()


def test_closed_before_it_was_bound_it_is_refused() -> None:
    guard = Guard("dataset x")
    guard.close()
    with pytest.raises(ClosedError):
        asyncio.run(check(guard))


async def test_after_a_fork_it_is_refused() -> None:
    guard = Guard("dataset x")
    guard.check()
    answer = in_child(lambda: refusal(guard.check))
    assert answer.startswith("ForkedError: dataset x was made before fork()")
    assert "open it again in the child" in answer
    assert in_child(lambda: refusal(lambda: asyncio.run(check(guard)))) == answer
    guard.check()


def test_unbound_it_is_refused_after_a_fork_and_closed_too() -> None:
    guard = Guard("dataset x")
    assert "ForkedError" in in_child(lambda: refusal(lambda: asyncio.run(check(guard))))
    guard.close()
    assert "ForkedError" in in_child(lambda: refusal(guard.check))


def test_one_made_in_the_child_works_there() -> None:
    assert in_child(lambda: refusal(lambda: asyncio.run(check(Guard("dataset x"))))) == "passed"


async def test_a_check_is_cheap() -> None:
    guard = Guard("dataset x")
    n = 20_000
    seconds = min(timeit.repeat(guard.check, number=n, repeat=5)) / n
    assert seconds < 2e-6  # about 150 ns; the margin is for slow and busy machines


def test_the_errors_are_what_handlers_look_for() -> None:
    assert {e.code for e in (ForkedError, WrongLoopError, ClosedError)} == {
        "forked",
        "wrong_loop",
        "closed",
    }
