from __future__ import annotations

import asyncio
import gc

import pytest

from aiolake._aio import SingleFlight, Tasks
from aiolake.errors import ClosedError
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


async def test_concurrent_callers_of_a_key_share_one_task() -> None:
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


async def test_a_cancelled_caller_does_not_cancel_the_others() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(flights.do("k", source.fetch), name="first")
        second = tasks.start(flights.do("k", source.fetch), name="second")
        await asyncio.sleep(0.001)
        first.cancel()
        assert await second == 1
    assert first.cancelled()
    assert source.n_cancelled == 0


async def test_the_last_caller_cancels_the_flight_and_leaves_no_task() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        callers = [tasks.start(flights.do("k", source.fetch), name=str(i)) for i in range(2)]
        await asyncio.sleep(0.001)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert source.n_cancelled == 1
        assert not others()


async def test_a_caller_that_comes_while_a_flight_dies_gets_a_new_one() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        first = tasks.start(flights.do("k", source.fetch), name="first")
        await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.sleep(0)
        assert await flights.do("k", source.fetch) == 1
    assert source.n_begun == 2


async def test_aclose_ends_flights_tells_their_callers_and_refuses_new_ones() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    told: list[str] = []

    async def caller() -> None:
        with pytest.raises(ClosedError, match="'k'"):
            await flights.do("k", source.fetch)
        told.append("closed")

    async with asyncio.TaskGroup() as group:
        group.create_task(caller())
        await asyncio.sleep(0.001)
        await flights.aclose()
        assert source.n_cancelled == 1
    assert told == ["closed"]
    await flights.aclose()
    with pytest.raises(ClosedError):
        await flights.do("k", source.fetch)
    assert source.n_begun == 1


async def test_concurrent_closers_all_wait_and_cancel_once() -> None:
    source, flights = Source(), SingleFlight[str, int]()

    async def caller() -> None:
        with pytest.raises(ClosedError):
            await flights.do("k", source.fetch)

    async with Tasks() as tasks:
        tasks.start(caller(), name="caller")
        await asyncio.sleep(0.001)
        tasks.start(flights.aclose(), name="closer")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert source.n_cancelled == 0
        await flights.aclose()
        assert source.n_cancelled == 1


async def test_aclose_awaits_a_flight_that_its_last_caller_cancels() -> None:
    source, flights = Source(), SingleFlight[str, int]()
    async with Tasks() as tasks:
        caller = tasks.start(flights.do("k", source.fetch), name="caller")
        await asyncio.sleep(0.001)
        caller.cancel()
        await asyncio.sleep(0)
        await flights.aclose()
        assert source.n_cancelled == 1


async def test_a_failure_nobody_waited_for_is_not_reported_as_forgotten() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    async def fail_when_cancelled() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyError("on the way out")

    flights = SingleFlight[str, int]()
    async with Tasks() as tasks:
        caller = tasks.start(flights.do("k", fail_when_cancelled), name="caller")
        await asyncio.sleep(0.001)
        caller.cancel()
    assert caller.cancelled()
    del caller, tasks
    gc.collect()
    assert reports == []


@pytest.mark.parametrize("times", [1, 100])
async def test_do_cancelled_at_each_step_leaves_nothing(times: int) -> None:
    source, flights = Source(), SingleFlight[str, int]()

    async def run() -> None:
        await flights.do("k", source.fetch)

    def check() -> None:
        assert source.n_begun == source.n_ended + source.n_cancelled

    assert await cancel_at_each_step(run, check, times=times) >= 1


@pytest.mark.parametrize("times", [1, 100])
async def test_aclose_cancelled_at_each_step_leaves_nothing(times: int) -> None:
    async def run() -> None:
        source, flights = Source(), SingleFlight[str, int]()

        async def caller() -> None:
            with pytest.raises(ClosedError):
                await flights.do("k", source.fetch)

        waiting = asyncio.get_running_loop().create_task(caller())
        asyncio.get_running_loop().call_later(0.005, waiting.cancel)
        try:
            await asyncio.sleep(0)
        finally:
            try:
                await flights.aclose()
            finally:
                assert not any("flight" in name for name in others())
                while not waiting.done():
                    asyncio.current_task().uncancel()  # type: ignore[union-attr]
                    await asyncio.wait((waiting,))

    assert await cancel_at_each_step(run, times=1) >= 2
