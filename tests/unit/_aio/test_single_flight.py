from __future__ import annotations

import asyncio
import gc

import pytest

from aiolake._aio import SingleFlight, Tasks
from tests.unit._aio.helpers import cancel_at_each_step, others


class Source:
    """Something slow to fetch, that counts."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.n_begun = 0
        self.n_ended = 0
        self.n_cancelled = 0
        self.failure = failure

    async def fetch(self) -> int:
        self.n_begun += 1
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            for _ in range(5):
                await asyncio.sleep(0)
            self.n_cancelled += 1
            raise
        self.n_ended += 1
        if self.failure is not None:
            raise self.failure
        return self.n_ended


async def test_concurrent_callers_of_a_key_share_one_flight() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(flights.do("k", source.fetch)) for _ in range(5)]
    assert [caller.result() for caller in callers] == [1] * 5
    assert source.n_begun == 1


async def test_keys_fly_apart_and_nothing_is_remembered() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with asyncio.TaskGroup() as group:
        group.create_task(flights.do("a", source.fetch))
        group.create_task(flights.do("b", source.fetch))
    assert source.n_begun == 2
    await flights.do("a", source.fetch)
    assert source.n_begun == 3


async def test_all_callers_get_the_failure_and_the_next_one_tries_again() -> None:
    source, flights = Source(KeyError("gone")), SingleFlight[str, int]()

    async def caller() -> str:
        with pytest.raises(KeyError, match="gone"):
            await flights.do("k", source.fetch)
        return "told"

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(caller()) for _ in range(3)]
    assert [c.result() for c in callers] == ["told"] * 3
    source.failure = None
    assert await flights.do("k", source.fetch) == 2


async def test_a_cancelled_follower_leaves_the_flight_as_it_is() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(flights.do("k", source.fetch), name="first")
        second = tasks.start(flights.do("k", source.fetch), name="second")
        await asyncio.sleep(0.001)
        second.cancel()
        assert await first == 1
    assert second.cancelled()
    assert (source.n_begun, source.n_cancelled) == (1, 0)


async def test_when_who_flies_is_cancelled_one_of_the_others_flies_anew() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(flights.do("k", source.fetch), name="first")
        await asyncio.sleep(0.001)
        rest = [tasks.start(flights.do("k", source.fetch), name=str(i)) for i in range(5)]
        await asyncio.sleep(0.001)
        first.cancel()
        assert [await other for other in rest] == [1] * 5
    assert first.cancelled()
    assert (source.n_begun, source.n_cancelled) == (2, 1)


async def test_all_cancelled_leave_no_task_and_no_flight() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        callers = [tasks.start(flights.do("k", source.fetch), name=str(i)) for i in range(3)]
        await asyncio.sleep(0.001)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert all(caller.cancelled() for caller in callers)
        assert source.n_begun == source.n_cancelled
        assert not others()
    assert await flights.do("k", source.fetch) == 1


async def test_a_caller_that_comes_while_a_flight_dies_gets_a_new_one() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(flights.do("k", source.fetch), name="first")
        await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.sleep(0)
        assert await flights.do("k", source.fetch) == 1
    assert source.n_begun == 2


async def test_a_failure_whose_followers_were_cancelled_is_not_reported_as_forgotten() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    source, flights = Source(KeyError("gone")), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(_told(flights, source), name="first")
        second = tasks.start(_told(flights, source), name="second")
        await first
        second.cancel()  # in the turn in which its answer is there
    del first, second, tasks
    gc.collect()
    assert reports == []


async def _told(flights: SingleFlight[str, int], source: Source) -> None:
    with pytest.raises(KeyError):
        await flights.do("k", source.fetch)


@pytest.mark.parametrize("times", [1, 100])
async def test_do_cancelled_at_each_step_leaves_nothing(times: int) -> None:
    source, flights = Source(), SingleFlight[str, int]()

    async def run() -> None:
        await flights.do("k", source.fetch)

    def check() -> None:
        assert not flights._flights
        assert times > 1 or source.n_begun == source.n_ended + source.n_cancelled

    assert await cancel_at_each_step(run, check, times=times) >= 1
