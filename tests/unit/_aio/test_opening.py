from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import pytest

from aiolake._aio import Opening
from aiolake.errors import InvalidInputError
from tests.unit._aio.helpers import cancel_at_each_step


class Resource:
    def __init__(self) -> None:
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Door:
    def __init__(self) -> None:
        self.opened: list[Resource] = []

    async def open(self) -> Resource:
        await asyncio.sleep(0)
        self.opened.append(Resource())
        return self.opened[-1]


async def test_awaited_it_gives_the_resource_open() -> None:
    resource = await Opening(Door().open)
    assert not resource.closed


async def test_entered_it_gives_the_resource_and_closes_it() -> None:
    async with Opening(Door().open) as resource:
        assert not resource.closed
    assert resource.closed


async def test_a_failing_body_closes_it_too() -> None:
    door = Door()
    with pytest.raises(KeyError):
        async with Opening(door.open):
            raise KeyError
    assert door.opened[0].closed


def test_dropped_it_has_done_nothing() -> None:
    door = Door()
    Opening(door.open)
    gc.collect()  # a coroutine that was never awaited would warn here
    assert door.opened == []


def test_it_may_be_given_to_asyncio_run() -> None:
    assert isinstance(asyncio.run(Opening(Door().open)), Resource)


async def test_it_may_be_given_to_a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(Opening(Door().open)) for _ in range(2)]
    assert all(isinstance(task.result(), Resource) for task in tasks)


async def test_a_task_cancelled_before_it_begins_opens_nothing() -> None:
    door, knocks = Door(), list[str]()

    def knock() -> Coroutine[Any, Any, Resource]:
        knocks.append("knock")
        return door.open()

    task = asyncio.get_running_loop().create_task(Opening(knock))
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert knocks == []


async def test_a_task_cancelled_while_it_opens_is_cancelled() -> None:
    door = Door()
    task = asyncio.get_running_loop().create_task(Opening(door.open))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert door.opened == []


async def test_closed_before_it_begins_it_opens_nothing() -> None:
    door = Door()
    opening = Opening(door.open)
    opening.close()
    with pytest.raises(InvalidInputError):
        await opening
    assert door.opened == []


async def test_it_opens_once() -> None:
    door = Door()
    opening = Opening(door.open)
    await opening
    with pytest.raises(InvalidInputError, match="again"):
        await opening
    with pytest.raises(InvalidInputError, match="again"):
        async with opening:
            pass
    assert len(door.opened) == 1


async def test_cancelled_at_each_step_leaves_nothing_open() -> None:
    door = Door()

    async def run() -> None:
        async with Opening(door.open):
            await asyncio.sleep(0)

    def check() -> None:
        assert all(resource.closed for resource in door.opened)

    assert await cancel_at_each_step(run, check) == 2
