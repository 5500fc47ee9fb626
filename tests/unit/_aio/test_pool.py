from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from aiolake._aio import Tasks, WorkPool
from aiolake.errors import ClosedError, ForkedError, InvalidInputError
from tests.unit._aio.helpers import cancel_at_each_step, in_child


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("aiolake-work")]


def wait_for_the_end_of_workers() -> None:
    while workers():
        time.sleep(0.001)


class Gate:
    """Work that lasts until it is opened."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.opened = threading.Event()

    def work(self) -> str:
        self.begun.set()
        assert self.opened.wait(20)
        return "worked"

    async def wait_until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 20)


@pytest.fixture
async def pool() -> AsyncIterator[WorkPool]:
    pool = WorkPool(1)
    yield pool
    await pool.aclose()
    assert workers() == []


async def test_work_runs_in_a_thread_of_the_pool(pool: WorkPool) -> None:
    def where(prefix: str, n: int) -> tuple[str, int]:
        return prefix + threading.current_thread().name, n

    name, n = await pool.run(where, "in ", 3)
    assert name.startswith("in aiolake-work")
    assert n == 3
    assert pool.n_threads == 1


async def test_a_failure_is_raised_as_it_is(pool: WorkPool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)


async def test_threads_start_with_the_first_work(pool: WorkPool) -> None:
    assert workers() == []
    await pool.run(int)
    assert len(workers()) == 1


async def test_work_runs_side_by_side_up_to_n_threads() -> None:
    pool = WorkPool(2)
    barrier = threading.Barrier(2, timeout=20)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(pool.run(barrier.wait))
    await pool.aclose()


def test_a_pool_without_threads_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="1 thread"):
        WorkPool(0)


async def test_the_result_for_a_cancelled_caller_is_dropped(pool: WorkPool) -> None:
    gate = Gate()
    async with Tasks() as tasks:
        task = tasks.start(pool.run(gate.work), name="caller")
        await gate.wait_until_begun()
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
    gate.opened.set()
    assert await pool.run(int) == 0


async def test_cancelled_work_that_waits_for_a_thread_never_begins(pool: WorkPool) -> None:
    gate, begun = Gate(), threading.Event()
    async with Tasks() as tasks:
        running = tasks.start(pool.run(gate.work), name="running")
        await gate.wait_until_begun()
        waiting = tasks.start(pool.run(begun.set), name="waiting")
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        gate.opened.set()
        assert await running == "worked"
    await pool.run(int)
    assert not begun.is_set()


async def test_aclose_waits_for_running_work_without_blocking_the_loop() -> None:
    pool, gate = WorkPool(1), Gate()
    async with Tasks() as tasks:
        running = tasks.start(pool.run(gate.work), name="running")
        await gate.wait_until_begun()
        closing = tasks.start(pool.aclose(), name="closing")
        await asyncio.sleep(0.01)
        assert not closing.done()
        gate.opened.set()  # said by the loop: had aclose blocked it, this would never come
        await closing
        assert workers() == []
        assert await running == "worked"


async def test_aclose_refuses_work_that_waits_for_a_thread() -> None:
    pool, gate = WorkPool(1), Gate()

    async def refused() -> None:
        with pytest.raises(ClosedError, match="before this work began"):
            await pool.run(int)

    async with Tasks() as tasks:
        tasks.start(pool.run(gate.work), name="running")
        await gate.wait_until_begun()
        waiting = tasks.start(refused(), name="waiting")
        await asyncio.sleep(0)
        closing = tasks.start(pool.aclose(), name="closing")
        await waiting
        gate.opened.set()
        await closing


async def test_closed_it_takes_no_work_and_may_be_closed_again(pool: WorkPool) -> None:
    await pool.run(int)
    await pool.aclose()
    await pool.aclose()
    with pytest.raises(ClosedError, match="open the session again"):
        await pool.run(int)


async def test_closing_one_that_never_started_starts_nothing() -> None:
    await WorkPool(1).aclose()
    assert workers() == []


async def test_a_cancelled_aclose_goes_on_at_once_and_the_threads_end() -> None:
    pool, gate = WorkPool(1), Gate()
    async with Tasks() as tasks:
        running = tasks.start(pool.run(gate.work), name="running")
        await gate.wait_until_begun()
        closing = tasks.start(pool.aclose(), name="closing")
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait((closing,))
        assert closing.cancelled()
        gate.opened.set()
        await running
        await pool.aclose()
        assert workers() == []


async def test_cancelled_at_each_step_leaves_no_thread() -> None:
    async def run() -> None:
        pool = WorkPool(1)
        try:
            await pool.run(time.sleep, 0.001)
        finally:
            await pool.aclose()

    assert await cancel_at_each_step(run) == 2
    await asyncio.to_thread(wait_for_the_end_of_workers)


def test_a_loop_closed_before_the_threads_end_is_no_failure() -> None:
    pool, gate = WorkPool(1), Gate()

    async def leave() -> None:
        async with Tasks() as tasks:
            running = tasks.start(pool.run(gate.work), name="running")
            await gate.wait_until_begun()
            closing = tasks.start(pool.aclose(), name="closing")
            await asyncio.sleep(0)
            closing.cancel()
            running.cancel()

    asyncio.run(leave())
    gate.opened.set()
    wait_for_the_end_of_workers()


async def test_a_child_does_not_touch_locks_other_threads_may_have_held(pool: WorkPool) -> None:
    await pool.run(int)
    executor = pool._executor
    assert executor is not None
    with executor._shutdown_lock:  # as a thread of the parent may at the moment of the fork
        assert in_child(lambda: asyncio.run(pool.aclose())) is None


async def test_a_child_never_waits_for_the_parents_threads(pool: WorkPool) -> None:
    gate = Gate()

    async def use() -> str:
        with pytest.raises(ForkedError, match="open a session here"):
            await pool.run(int)
        await pool.aclose()
        own = WorkPool(1)
        result = await own.run(str, 7)
        await own.aclose()
        return result

    async with Tasks() as tasks:
        running = tasks.start(pool.run(gate.work), name="running")
        await gate.wait_until_begun()
        assert in_child(lambda: asyncio.run(use())) == "7"
        gate.opened.set()
        assert await running == "worked"


class TestInterruptible:
    async def test_it_gives_results_and_failures(self, pool: WorkPool) -> None:
        def never() -> None:
            raise AssertionError("nobody cancelled")

        assert await pool.run_interruptibly(never, divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run_interruptibly(never, divmod, 1, 0)

    async def test_cancelled_it_is_interrupted_and_has_ended(self, pool: WorkPool) -> None:
        gate = Gate()
        async with Tasks() as tasks:
            task = tasks.start(pool.run_interruptibly(gate.opened.set, gate.work), name="work")
            await gate.wait_until_begun()
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()
        assert gate.opened.is_set()
        assert await pool.run(threading.active_count) > 1

    async def test_a_failure_after_the_cancellation_is_nobodys(self, pool: WorkPool) -> None:
        gate = Gate()

        def fail() -> None:
            gate.work()
            raise OSError("the socket was shut down")

        async with Tasks() as tasks:
            task = tasks.start(pool.run_interruptibly(gate.opened.set, fail), name="work")
            await gate.wait_until_begun()
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()

    async def test_cancelled_before_it_began_it_never_does(self, pool: WorkPool) -> None:
        first, second = Gate(), Gate()
        async with Tasks() as tasks:
            busy = tasks.start(pool.run(first.work), name="busy")
            await first.wait_until_begun()
            task = tasks.start(pool.run_interruptibly(second.opened.set, second.work), name="late")
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()
            assert not second.opened.is_set()
            first.opened.set()
            assert await busy == "worked"
        assert not second.begun.is_set()

    async def test_a_pool_that_is_closed_says_so(self) -> None:
        pool, gate = WorkPool(1), Gate()

        async def wait() -> None:
            with pytest.raises(ClosedError):
                await pool.run_interruptibly(print, print, "never")

        async with Tasks() as tasks:
            busy = tasks.start(pool.run(gate.work), name="busy")
            await gate.wait_until_begun()
            waits = tasks.start(wait(), name="waits")
            await asyncio.sleep(0)
            closing = tasks.start(pool.aclose(), name="closing")
            await waits
            gate.opened.set()
            await closing
            assert await busy == "worked"
        with pytest.raises(ClosedError):
            await pool.run_interruptibly(print, print)
