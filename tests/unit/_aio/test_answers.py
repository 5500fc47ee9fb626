from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from aiolake._aio import Tasks, WorkPool, run_asking
from aiolake._aio.answers import _Line
from aiolake.errors import ClosedError, DeadlineError
from tests.unit._aio.helpers import cancel_at_each_step
from tests.unit._aio.test_pool import workers

Ask = Callable[[int], int]


@pytest.fixture
async def pool() -> AsyncIterator[WorkPool]:
    pool = WorkPool(1)
    yield pool
    async with asyncio.timeout(20):
        await pool.aclose()
    assert workers() == []


async def doubled(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


async def never(_: int) -> int:
    answer: int = await asyncio.get_running_loop().create_future()
    return answer


def sum_of_answers(ask: Ask) -> int:
    return sum(map(ask, range(10)))


async def test_a_thread_asks_and_the_loop_answers(pool: WorkPool) -> None:
    def where(ask: Ask) -> tuple[str, int]:
        return threading.current_thread().name, ask(3)

    name, answer = await run_asking(pool, where, doubled)
    assert name.startswith("aiolake-work")
    assert answer == 6
    assert await run_asking(pool, sum_of_answers, doubled) == 90
    assert await run_asking(pool, lambda ask: "asked nothing", doubled) == "asked nothing"


async def test_failures_of_both_sides_are_raised_as_they_are(pool: WorkPool) -> None:
    async def refuse(n: int) -> int:
        raise DeadlineError(f"no {n}")  # a TimeoutError: not to be taken for one of waiting

    def told(ask: Ask) -> str:
        with pytest.raises(DeadlineError, match="no 5"):
            ask(5)
        return "told"

    assert await run_asking(pool, told, refuse) == "told"
    with pytest.raises(DeadlineError, match="no 0"):
        await run_asking(pool, sum_of_answers, refuse)
    with pytest.raises(ZeroDivisionError):
        await run_asking(pool, lambda ask: ask(1) // 0, doubled)


async def test_cancelled_anywhere_the_thread_is_refused_and_ends(pool: WorkPool) -> None:
    async def go() -> None:
        assert await run_asking(pool, sum_of_answers, doubled) == 90

    assert await cancel_at_each_step(go) > 2
    await go()


async def test_a_thread_that_waits_for_an_answer_is_let_go(pool: WorkPool) -> None:
    seen: list[BaseException] = []
    ended = threading.Event()

    def work(ask: Ask) -> None:
        for _ in range(2):  # the one it waits for, and one it asks for later
            try:
                ask(1)
            except ClosedError as error:
                seen.append(error)
        ended.set()

    async with asyncio.timeout(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await run_asking(pool, work, never)
        assert await asyncio.to_thread(ended.wait, 20)
    assert len(seen) == 2


async def test_closing_the_pool_meanwhile_waits_for_the_answers(pool: WorkPool) -> None:
    asked = asyncio.Event()

    async def slow(n: int) -> int:
        asked.set()
        await asyncio.sleep(0.01)
        return n

    async with asyncio.timeout(20), Tasks() as tasks:
        work = tasks.start(run_asking(pool, sum_of_answers, slow), name="asking")
        await asked.wait()
        await pool.aclose()
        assert await work == 45


@pytest.mark.parametrize("waits", [True, False])
def test_a_loop_that_was_closed_under_the_thread_lets_it_go(waits: bool) -> None:
    loop = asyncio.new_event_loop()
    line: _Line[int, int] = loop.run_until_complete(made())
    with ThreadPoolExecutor(1) as thread:
        if not waits:
            loop.close()
        asked = thread.submit(line.ask, 1)
        if waits:
            assert loop.run_until_complete(line.next_call()) is not None
            loop.close()
        with pytest.raises(ClosedError):
            asked.result(20)


async def made() -> _Line[int, int]:
    return _Line()
