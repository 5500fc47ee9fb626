from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest

from aiolake._aio import Tasks, map_concurrently
from aiolake.errors import ClosedError, InvalidInputError
from tests.unit._aio.helpers import cancel_at_each_step, others


async def fail(after: float = 0.0, failure: Exception | None = None) -> None:
    await asyncio.sleep(after)
    raise failure or KeyError("first")


async def for_ever(ended: list[str], n_turns: int = 3) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        for _ in range(n_turns):
            await asyncio.sleep(0)
        ended.append("cleaned up")


async def with_tasks(body: Callable[[Tasks], Awaitable[None]]) -> None:
    async with Tasks() as tasks:
        await body(tasks)


async def test_a_failure_does_not_cancel_the_body() -> None:
    reached: list[str] = []

    async def body(tasks: Tasks) -> None:
        tasks.start(fail(), name="failing")
        await asyncio.sleep(0.02)
        reached.append("end")

    with pytest.raises(KeyError):
        await with_tasks(body)
    assert reached == ["end"]


async def test_check_raises_the_first_failure_as_it_was() -> None:
    first = KeyError("first")

    async def body(tasks: Tasks) -> None:
        tasks.check()
        tasks.start(fail(0, first), name="a")
        tasks.start(fail(0.005, ValueError("second")), name="b")
        await asyncio.sleep(0.02)
        with pytest.raises(KeyError) as checked:
            tasks.check()
        assert checked.value is first

    with pytest.raises(KeyError) as left:
        await with_tasks(body)
    assert left.value is first


async def test_join_waits_for_what_was_started_and_gives_results() -> None:
    async with Tasks() as tasks:
        task = tasks.start(asyncio.sleep(0.01, "slept"), name="sleeper")
        assert tasks.n_active == 1
        await tasks.join()
        assert task.result() == "slept"
        assert tasks.n_active == 0
        await tasks.join()


async def test_join_raises_a_failure_without_waiting_for_the_rest() -> None:
    ended: list[str] = []

    async def body(tasks: Tasks) -> None:
        tasks.start(for_ever(ended), name="slow")
        tasks.start(fail(), name="failing")
        await tasks.join()

    with pytest.raises(KeyError):
        await with_tasks(body)
    assert ended == ["cleaned up"]
    assert not others()


async def test_join_does_not_wait_for_tasks_started_later() -> None:
    ended: list[str] = []

    async def body(tasks: Tasks) -> None:
        tasks.start(asyncio.sleep(0.02), name="early")
        asyncio.get_running_loop().call_soon(lambda: tasks.start(for_ever(ended), name="late"))
        await tasks.join()
        assert tasks.n_active == 1
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await with_tasks(body)
    assert ended == ["cleaned up"]


async def test_a_clean_exit_joins_and_also_tasks_started_by_tasks() -> None:
    done: list[str] = []

    async def child() -> None:
        await asyncio.sleep(0.01)
        done.append("child")

    async def parent() -> None:
        await asyncio.sleep(0)
        tasks.start(child(), name="child")

    async with Tasks() as tasks:
        tasks.start(parent(), name="parent")
    assert done == ["child"]


async def test_an_exception_in_the_body_cancels_and_awaits_all() -> None:
    ended: list[str] = []

    async def body(tasks: Tasks) -> None:
        for _ in range(3):
            tasks.start(for_ever(ended), name="slow")
        await asyncio.sleep(0)
        raise RuntimeError("body")

    with pytest.raises(RuntimeError, match="body"):
        await with_tasks(body)
    assert ended == ["cleaned up"] * 3
    assert not others()


async def test_a_failure_beside_the_bodys_is_a_note() -> None:
    async def body(tasks: Tasks) -> None:
        tasks.start(fail(), name="failing")
        await asyncio.sleep(0.01)
        raise RuntimeError("body")

    with pytest.raises(RuntimeError) as caught:
        await with_tasks(body)
    assert "first" in "".join(caught.value.__notes__)


async def test_a_cancelled_task_is_no_failure() -> None:
    async with Tasks() as tasks:
        task = tasks.start(asyncio.sleep(60), name="slow")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_start_is_refused_outside_the_block() -> None:
    tasks = Tasks()
    with pytest.raises(ClosedError, match="early"):
        tasks.start(asyncio.sleep(0), name="early")
    async with tasks:
        pass
    with pytest.raises(ClosedError, match="late"):
        tasks.start(asyncio.sleep(0), name="late")


@pytest.mark.parametrize("times", [1, 2, 100])
async def test_tasks_cancelled_at_each_step_leave_nothing(times: int) -> None:
    async def run() -> None:
        ended: list[str] = []
        try:
            async with Tasks() as tasks:
                tasks.start(asyncio.sleep(0), name="short")
                slow = tasks.start(for_ever(ended), name="slow")
                await tasks.start(asyncio.sleep(0), name="awaited")
                asyncio.get_running_loop().call_soon(slow.cancel)
                await tasks.join()
        finally:
            assert tasks.n_active == 0

    assert await cancel_at_each_step(run, times=times) >= 2


async def test_results_come_in_the_order_of_the_items() -> None:
    async def slower_first(i: int) -> int:
        await asyncio.sleep(0.002 * (5 - i))
        return i * i

    assert await map_concurrently(slower_first, range(5)) == [0, 1, 4, 9, 16]
    assert await map_concurrently(slower_first, range(5), limit=2) == [0, 1, 4, 9, 16]
    assert await map_concurrently(slower_first, []) == []


@pytest.mark.parametrize(("limit", "expected"), [(None, 10), (3, 3), (1, 1), (50, 10)])
async def test_at_most_limit_run_at_once(limit: int | None, expected: int) -> None:
    running, most = 0, 0

    async def count(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    await map_concurrently(count, range(10), limit=limit)
    assert most == expected


async def test_a_single_item_runs_in_the_callers_task() -> None:
    async def whose(_: int) -> asyncio.Task[object] | None:
        return asyncio.current_task()

    assert await map_concurrently(whose, [1]) == [asyncio.current_task()]
    assert asyncio.current_task() not in await map_concurrently(whose, [1, 2])


async def test_the_first_failure_ends_the_rest_and_is_raised_as_it_was() -> None:
    ended: list[str] = []
    failure = KeyError("third")

    async def third_fails(i: int) -> None:
        await (fail(0, failure) if i == 2 else for_ever(ended))

    with pytest.raises(KeyError) as caught:
        await map_concurrently(third_fails, range(4))
    assert caught.value is failure
    assert ended == ["cleaned up"] * 3
    assert not others()


async def test_no_further_item_begins_after_a_failure() -> None:
    begun: list[int] = []

    async def run(i: int) -> None:
        begun.append(i)
        await asyncio.sleep(0)
        if i == 1:
            raise KeyError(i)

    with pytest.raises(KeyError):
        await map_concurrently(run, range(100), limit=2)
    assert len(begun) < 10


async def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="limit"):
        await map_concurrently(asyncio.sleep, [], limit=0)


async def test_items_that_fail_to_iterate_start_nothing() -> None:
    def items() -> Iterator[float]:
        yield 60.0
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await map_concurrently(asyncio.sleep, items())
    assert not others()


@pytest.mark.parametrize("limit", [None, 1, 2])
async def test_map_cancelled_at_each_step_leaves_nothing(limit: int | None) -> None:
    async def turn(i: int) -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return i

    async def run() -> None:
        await map_concurrently(turn, range(4), limit=limit)

    assert await cancel_at_each_step(run, times=2) >= 1


def test_an_anyio_scope_cancels_tasks_and_waits_for_them() -> None:
    ended: list[str] = []

    async def main() -> None:
        with anyio.move_on_after(0.01) as scope:
            async with Tasks() as tasks:
                tasks.start(for_ever(ended, n_turns=20), name="slow")
                await tasks.join()
        assert scope.cancelled_caught
        assert not others()

    anyio.run(main)
    assert ended == ["cleaned up"]
