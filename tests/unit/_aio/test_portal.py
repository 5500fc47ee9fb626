from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import NoReturn, Self

import pytest

from aiolake._aio import Portal
from aiolake.errors import AiolakeError, ClosedError, ForkedError, InvalidInputError, WrongLoopError
from tests.unit._aio.helpers import in_child


class Numbers:
    """A stream as ``view.batches()`` gives: entered and left, with a task group inside."""

    def __init__(self, n: int = 3, *, fail_at: str = "", wait_at: int = -1) -> None:
        self.n, self.fail_at, self.wait_at = n, fail_at, wait_at
        self.events: list[str] = []
        self.group = asyncio.TaskGroup()
        self.i = 0

    async def __aenter__(self) -> Self:
        self.events.append("enter")
        self.maybe_fail("enter")
        await self.group.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.events.append(f"exit {exc_type.__name__ if exc_type else 'clean'}")
        await self.group.__aexit__(None, None, None)  # refuses a task that did not enter it
        self.maybe_fail("exit")

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        self.maybe_fail(f"item {self.i}")
        await asyncio.sleep(30 if self.i == self.wait_at else 0)
        if self.i == self.n:
            raise StopAsyncIteration
        self.i += 1
        return self.i - 1

    def maybe_fail(self, where: str) -> None:
        if self.fail_at == where:
            raise KeyError(where)


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as portal:
        yield portal
    assert not any(t.name == "aiolake-portal" for t in threading.enumerate())


def refusal(fn: Callable[[], object]) -> str:
    try:
        fn()
    except AiolakeError as error:
        return f"{type(error).__name__}: {error}"
    return "passed"


async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


async def fail() -> NoReturn:
    raise KeyError("there")


async def n_tasks() -> int:
    await asyncio.sleep(0.01)
    return sum("_Stream" in repr(task.get_coro()) for task in asyncio.all_tasks())


def test_calls_run_on_a_loop_in_another_thread(portal: Portal) -> None:
    async def where() -> tuple[int, bool]:
        return threading.get_ident(), asyncio.get_running_loop().is_running()

    assert portal.call(add, 1, 2) == 3
    ident, running = portal.call(where)
    assert running
    assert ident != threading.get_ident()
    assert portal.call(where)[0] == ident


def test_a_failure_is_raised_here(portal: Portal) -> None:
    with pytest.raises(KeyError, match="there"):
        portal.call(fail)
    assert portal.call(add, 1, 1) == 2


def test_a_stream_is_iterated_to_its_end_and_left(portal: Portal) -> None:
    numbers = Numbers()
    assert list(portal.iterate(lambda: numbers)) == [0, 1, 2]
    assert numbers.events == ["enter", "exit clean"]
    assert portal.call(n_tasks) == 0


def test_nothing_happens_before_the_first_item(portal: Portal) -> None:
    numbers = Numbers()
    iterator = portal.iterate(lambda: numbers)
    portal.call(add, 1, 1)
    assert numbers.events == []
    assert next(iterator) == 0
    assert numbers.events == ["enter"]


def test_a_loop_left_early_leaves_the_stream(portal: Portal) -> None:
    numbers = Numbers(1000)
    for number in portal.iterate(lambda: numbers):
        if number == 2:
            break
    gc.collect()
    assert numbers.events == ["enter", "exit clean"]
    assert portal.call(n_tasks) == 0


def test_a_loop_left_by_an_exception_leaves_the_stream(portal: Portal) -> None:
    numbers = Numbers(1000)

    def loop() -> None:
        for _ in portal.iterate(lambda: numbers):
            raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        loop()
    assert numbers.events == ["enter", "exit clean"]


@pytest.mark.parametrize(
    ("where", "events", "n_items"),
    [
        ("enter", ["enter"], 0),
        ("item 0", ["enter", "exit KeyError"], 0),
        ("item 2", ["enter", "exit KeyError"], 2),
        ("exit", ["enter", "exit clean"], 3),
    ],
)
def test_a_failure_of_the_stream_is_raised_in_the_loop(
    portal: Portal, where: str, events: list[str], n_items: int
) -> None:
    numbers, got = Numbers(fail_at=where), list[int]()
    with pytest.raises(KeyError, match=where):
        got.extend(collect(portal, numbers, got))
    assert len(got) == n_items
    assert numbers.events == events


def collect(portal: Portal, numbers: Numbers, got: list[int]) -> list[int]:
    for number in portal.iterate(lambda: numbers):
        got.append(number)
    return []


def test_a_failure_to_leave_early_is_raised_by_close(portal: Portal) -> None:
    numbers = Numbers(fail_at="exit")
    iterator = portal.iterate(lambda: numbers)
    next(iterator)
    with pytest.raises(KeyError, match="exit"):
        iterator.close()  # type: ignore[attr-defined]


def test_several_streams_at_once(portal: Portal) -> None:
    pairs = zip(portal.iterate(lambda: Numbers(4)), portal.iterate(lambda: Numbers(4)), strict=True)
    assert list(pairs) == [(i, i) for i in range(4)]


def test_streams_still_open_are_left_with_the_portal() -> None:
    numbers = Numbers()
    with Portal() as portal:
        iterator = portal.iterate(lambda: numbers)
        next(iterator)
    assert numbers.events == ["enter", "exit clean"]
    with pytest.raises(ClosedError, match="portal was closed"):
        next(iterator)


def test_an_exception_in_the_block_comes_out_and_ends_the_thread() -> None:
    def block() -> None:
        with Portal() as portal:
            portal.call(add, 1, 1)
            raise ValueError("block")

    with pytest.raises(ValueError, match="block"):
        block()
    assert not any(t.name == "aiolake-portal" for t in threading.enumerate())


def test_outside_its_block_it_is_refused() -> None:
    portal = Portal()
    with pytest.raises(ClosedError, match="with Portal"):
        portal.call(add, 1, 1)
    with portal:
        pass
    with pytest.raises(ClosedError, match="with Portal"):
        portal.iterate(Numbers)


def test_entering_twice_is_refused_and_again_is_fine(portal: Portal) -> None:
    with pytest.raises(InvalidInputError, match="open already"):
        portal.__enter__()
    with Portal() as other:
        pass
    with other:
        assert other.call(add, 1, 1) == 2


def test_its_own_loop_may_not_wait_for_itself(portal: Portal) -> None:
    async def call() -> str:
        return refusal(lambda: portal.call(add, 1, 1))

    async def iterate() -> str:
        return refusal(lambda: portal.iterate(Numbers))

    assert portal.call(call).startswith("WrongLoopError")
    assert portal.call(iterate).startswith("WrongLoopError")
    assert WrongLoopError.code == "wrong_loop"


def test_threads_share_it(portal: Portal) -> None:
    sums: list[int] = []
    threads = [
        threading.Thread(target=lambda i=i: sums.append(portal.call(add, i, i))) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == [2 * i for i in range(8)]


def test_closing_it_tells_a_thread_that_waits_for_an_item() -> None:
    numbers, answers = Numbers(wait_at=1), list[str]()
    portal = Portal().__enter__()
    thread = threading.Thread(
        target=lambda: answers.append(refusal(lambda: list(portal.iterate(lambda: numbers))))
    )
    thread.start()
    while numbers.i < 1:
        time.sleep(0.001)
    time.sleep(0.01)
    portal.__exit__(None, None, None)
    thread.join(20)
    assert answers == [
        "ClosedError: the portal was closed while this stream was read; open it again"
    ]
    assert numbers.events == ["enter", "exit CancelledError"]


def loop_of(portal: Portal) -> asyncio.AbstractEventLoop:
    async def get() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    return portal.call(get)


def close_in_thread(portal: Portal) -> threading.Thread:
    thread = threading.Thread(target=portal.__exit__, args=(None, None, None))
    thread.start()
    return thread


def test_an_item_asked_for_while_it_closes_is_not_taken_for_the_end() -> None:
    portal = Portal().__enter__()
    iterator = portal.iterate(Numbers)
    next(iterator)
    loop_of(portal).call_soon_threadsafe(time.sleep, 0.1)  # both requests wait for this
    closing = close_in_thread(portal)
    time.sleep(0.03)
    with pytest.raises(ClosedError, match="portal was closed"):
        next(iterator)
    closing.join()


def test_an_item_asked_for_just_after_the_stream_was_left_is_refused() -> None:
    portal = Portal().__enter__()
    iterator = portal.iterate(Numbers)
    next(iterator)
    assert portal._running is not None
    (stream,) = portal._running.streams
    keeping_open = threading.Thread(target=portal.call, args=(asyncio.sleep, 0.1))
    keeping_open.start()
    time.sleep(0.03)
    closing = close_in_thread(portal)
    stream._ended.result(20)
    stream._ended = concurrent.futures.Future()  # as if asked a moment before
    closing_too = threading.Timer(0.3, stream._ended.set_result, (None,))
    closing_too.start()
    with pytest.raises(ClosedError, match="portal was closed"):
        next(iterator)
    for thread in (closing, keeping_open, closing_too):
        thread.join()


def test_an_item_asked_for_after_the_loop_was_closed_is_refused() -> None:
    with Portal() as portal:
        iterator = portal.iterate(Numbers)
        next(iterator)
        assert portal._running is not None
        (stream,) = portal._running.streams
    stream._ended = concurrent.futures.Future()  # as if asked a moment before
    with pytest.raises(ClosedError, match="portal was closed"):
        stream.next()
    stream._ended.set_result(None)
    iterator.close()  # type: ignore[attr-defined]


def test_a_failing_block_ends_the_calls_of_other_threads() -> None:
    answers: list[str] = []
    portal = Portal().__enter__()
    thread = threading.Thread(
        target=lambda: answers.append(refusal(lambda: portal.call(asyncio.sleep, 30)))
    )
    thread.start()
    time.sleep(0.02)
    portal.__exit__(ValueError, ValueError("block"), None)
    thread.join(20)
    assert answers == ["ClosedError: the portal was closed while this call ran"]


@pytest.fixture
def interrupt() -> Iterator[Callable[[float], None]]:
    """Raises KeyboardInterrupt in the main thread some seconds later, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)  # type: ignore[misc]
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupted_wait_for_an_item_cancels_the_stream(
    portal: Portal, interrupt: Callable[[float], None]
) -> None:
    numbers = Numbers(wait_at=1)
    interrupt(0.05)
    with pytest.raises(KeyboardInterrupt):
        list(portal.iterate(lambda: numbers))
    assert numbers.events == ["enter", "exit CancelledError"]
    assert portal.call(n_tasks) == 0


def test_an_interrupted_call_is_cancelled(
    portal: Portal, interrupt: Callable[[float], None]
) -> None:
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cancelled.set()

    interrupt(0.05)
    with pytest.raises(KeyboardInterrupt):
        portal.call(wait)
    assert cancelled.wait(20)


def test_after_a_fork_it_is_refused_and_leaving_it_does_not_hang(portal: Portal) -> None:
    iterator = portal.iterate(Numbers)
    next(iterator)

    def child() -> list[str]:
        uses = (
            lambda: portal.call(add, 1, 1),
            lambda: portal.iterate(Numbers),
            lambda: next(iterator),
            portal.__enter__,
        )
        answers = [refusal(use).split(":")[0] for use in uses]
        portal.__exit__(None, None, None)
        with Portal() as own:
            assert own.call(add, 1, 1) == 2
        return answers

    assert in_child(child) == ["ForkedError"] * 4
    assert ForkedError.code == "forked"
    assert next(iterator) == 1


def test_a_child_may_drop_an_iterator_it_inherited(portal: Portal) -> None:
    held = [portal.iterate(Numbers)]
    next(held[0])

    def child() -> str:
        held.clear()
        gc.collect()
        return "went on"

    assert in_child(child) == "went on"
    assert list(held[0]) == [1, 2]


def test_an_iterator_dropped_on_the_portals_own_loop_does_not_hang_it(portal: Portal) -> None:
    numbers = Numbers()
    held = [portal.iterate(lambda: numbers)]
    next(held[0])

    async def drop() -> None:
        held.clear()
        gc.collect()

    portal.call(drop)
    assert portal.call(n_tasks) == 0
    assert numbers.events == ["enter", "exit clean"]


def test_the_function_is_taken_and_not_what_it_gave(portal: Portal) -> None:
    async def work() -> int:
        return 1

    # A coroutine that is not closed warns, and a warning is a failure.
    with pytest.raises(InvalidInputError, match=r"coroutine.*portal\.call\(ds\.read, 3\)"):
        portal.call(work())  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"Numbers.*portal\.iterate\(lambda:"):
        portal.iterate(Numbers())  # type: ignore[arg-type]
