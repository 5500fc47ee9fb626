from __future__ import annotations

import asyncio
from datetime import timedelta

import anyio
import pytest

from aiolake._aio import finish
from aiolake.errors import DeadlineError
from tests.unit._aio.helpers import cancel_at_each_step, others

LONG = timedelta(seconds=20)


class Work:
    """Takes three turns of the loop and some time; records what became of it."""

    def __init__(self, *, failure: Exception | None = None, seconds: float = 0.01) -> None:
        self.ended: list[str] = []
        self.failure = failure
        self.seconds = seconds

    async def __call__(self) -> str:
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(self.seconds)
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("ended")
        if self.failure is not None:
            raise self.failure
        return "result"


async def test_gives_the_result() -> None:
    assert await finish(Work()(), LONG) == "result"
    assert not others()


async def test_a_failure_is_raised_as_it_is() -> None:
    failure = KeyError("k")
    with pytest.raises(KeyError) as caught:
        await finish(Work(failure=failure)(), LONG)
    assert caught.value is failure


async def test_ends_however_often_the_caller_is_cancelled_and_then_the_cancellation_goes_on() -> (
    None
):
    work = Work(seconds=0.05)
    task = asyncio.get_running_loop().create_task(finish(work(), LONG))
    for _ in range(5):
        await asyncio.sleep(0.003)
        task.cancel()
    assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended == ["ended"]
    assert task.cancelling() == 5
    assert not others()


async def test_a_cancellation_before_it_begins_does_not_stop_it() -> None:
    work = Work()

    async def cancelled_already() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await finish(work(), LONG)

    await asyncio.wait((task := asyncio.get_running_loop().create_task(cancelled_already()),))
    assert task.cancelled()
    assert work.ended == ["ended"]


@pytest.mark.parametrize("times", [1, 2, 100])
async def test_cancelled_at_each_step(times: int) -> None:
    works: list[Work] = []

    async def run() -> None:
        works.append(Work(seconds=0))
        await finish(works[-1](), LONG)

    def check() -> None:
        assert works[-1].ended == ["ended"]

    assert await cancel_at_each_step(run, check, times=times) >= 1


async def test_a_cancelled_caller_learns_of_the_failure_too() -> None:
    failure = KeyError("the slot")
    task = asyncio.get_running_loop().create_task(finish(Work(failure=failure)(), LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.__cause__ is failure
    assert "the slot" in "".join(caught.value.__notes__)


async def test_at_the_deadline_the_work_is_cancelled_and_waited_for() -> None:
    work = Work(seconds=20)
    with pytest.raises(DeadlineError, match=r"0\.02 s") as caught:
        await finish(work(), timedelta(seconds=0.02))
    assert work.ended == ["cancelled"]
    assert caught.value.deadline == timedelta(seconds=0.02)
    assert not others()


async def test_the_deadline_holds_for_a_cancelled_caller_too() -> None:
    work = Work(seconds=20)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await finish(work(), timedelta(seconds=0.05))
    assert not isinstance(caught.value, DeadlineError)
    assert work.ended == ["cancelled"]


async def test_a_timeout_of_the_work_itself_is_no_deadline() -> None:
    with pytest.raises(TimeoutError) as caught:
        await finish(Work(failure=TimeoutError("mine"))(), LONG)
    assert not isinstance(caught.value, DeadlineError)


async def test_an_enclosing_timeout_fires_after_the_work_and_is_balanced() -> None:
    work = Work(seconds=0.05)
    current = asyncio.current_task()
    assert current is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await finish(work(), LONG)
    assert work.ended == ["ended"]
    assert current.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_task_group_is_left_by_its_own_failure() -> None:
    work = Work(seconds=0.03)

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise KeyError("sibling")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(finish(work(), LONG))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert caught.group_contains(KeyError)
    assert work.ended == ["ended"]


async def test_work_that_cancels_itself_is_a_cancellation() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError("own")

    with pytest.raises(asyncio.CancelledError):
        await finish(give_up(), LONG)


def test_under_a_cancelled_anyio_scope_it_ends_and_the_scope_goes_on() -> None:
    work = Work(seconds=0.1)
    n_cancels: list[int] = []

    async def main() -> None:
        host = asyncio.current_task()
        assert host is not None

        async def counted() -> None:
            await work()
            n_cancels.append(host.cancelling())

        with anyio.move_on_after(0.01) as scope:
            await finish(counted(), LONG)
            pytest.fail("the cancellation was swallowed")
        assert scope.cancelled_caught
        assert host.cancelling() == 0
        await asyncio.sleep(0)
        assert not others()

    anyio.run(main)
    assert work.ended == ["ended"]
    # A cancelled scope cancels in every turn of the loop unless it is kept quiet.
    assert n_cancels[0] <= 3


def test_under_a_cancelled_anyio_task_group_it_ends() -> None:
    works = [Work(seconds=0.03) for _ in range(3)]

    async def main() -> None:
        async with anyio.create_task_group() as group:  # noqa: TID251
            for work in works:
                group.start_soon(finish, work(), LONG)
            await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    anyio.run(main)
    assert [work.ended for work in works] == [["ended"]] * 3


def test_a_native_cancellation_is_not_taken_for_the_scopes() -> None:
    work = Work(seconds=0.05)

    async def scoped() -> None:
        with anyio.CancelScope() as scope:  # noqa: TID251
            asyncio.get_running_loop().call_later(0.02, scope.cancel)
            await finish(work(), LONG)
        pytest.fail("the native cancellation was swallowed")

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(scoped())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()

    anyio.run(main)
    assert work.ended == ["ended"]
