from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from aiolake._aio import LoopRegistry
from aiolake.errors import WrongLoopError
from tests.unit._aio.helpers import cancel_at_each_step, in_child


class Resource:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()  # as sessions do: what would keep a loop alive
        self.n_closed = 0

    async def aclose(self) -> None:
        self.n_closed += 1
        await asyncio.sleep(0)


async def test_users_of_a_loop_share_one_and_the_last_closes_it() -> None:
    registry = LoopRegistry[Resource]()
    first, second = registry.acquire(Resource), registry.acquire(Resource)
    assert first is second
    await registry.release(first)
    assert first.n_closed == 0
    await registry.release(second)
    assert first.n_closed == 1


async def test_after_the_last_release_a_new_one_is_made() -> None:
    registry = LoopRegistry[Resource]()
    first = registry.acquire(Resource)
    await registry.release(first)
    second = registry.acquire(Resource)
    assert second is not first
    assert second.n_closed == 0
    await registry.release(second)


async def test_one_acquired_while_the_old_one_closes_is_new() -> None:
    registry = LoopRegistry[Resource]()
    first = registry.acquire(Resource)
    async with asyncio.TaskGroup() as group:
        group.create_task(registry.release(first))
        await asyncio.sleep(0)
        second = registry.acquire(Resource)
    assert second is not first
    await registry.release(second)
    assert (first.n_closed, second.n_closed) == (1, 1)


def test_each_loop_has_its_own() -> None:
    registry = LoopRegistry[Resource]()

    async def get() -> Resource:
        return registry.acquire(Resource)

    assert asyncio.run(get()) is not asyncio.run(get())


def test_neither_loops_nor_resources_are_kept_alive() -> None:
    registry = LoopRegistry[Resource]()

    async def leave_open() -> tuple[weakref.ref[object], weakref.ref[object]]:
        return weakref.ref(asyncio.get_running_loop()), weakref.ref(registry.acquire(Resource))

    loop, resource = asyncio.run(leave_open())
    gc.collect()
    assert resource() is None
    assert loop() is None


async def test_a_resource_its_user_dropped_is_made_anew() -> None:
    registry = LoopRegistry[Resource]()
    registry.acquire(Resource)
    gc.collect()
    resource = registry.acquire(Resource)
    await registry.release(resource)
    assert resource.n_closed == 1


async def test_a_factory_that_fails_leaves_nothing() -> None:
    registry = LoopRegistry[Resource]()

    def fail() -> Resource:
        raise KeyError("no credentials")

    with pytest.raises(KeyError):
        registry.acquire(fail)
    resource = registry.acquire(Resource)
    await registry.release(resource)
    assert resource.n_closed == 1


async def test_releasing_too_often_is_refused() -> None:
    registry = LoopRegistry[Resource]()
    resource = registry.acquire(Resource)
    await registry.release(resource)
    with pytest.raises(WrongLoopError, match="once for each acquire"):
        await registry.release(resource)
    assert resource.n_closed == 1


async def test_releasing_on_another_loop_is_refused() -> None:
    registry = LoopRegistry[Resource]()
    resource = registry.acquire(Resource)
    with pytest.raises(WrongLoopError):
        await asyncio.to_thread(asyncio.run, registry.release(resource))
    await registry.release(resource)


async def test_release_cancelled_at_each_step_lets_go() -> None:
    registry = LoopRegistry[Resource]()
    made: list[Resource] = []

    async def run() -> None:
        made.append(registry.acquire(Resource))
        await registry.release(made[-1])

    def check() -> None:
        assert [resource.n_closed for resource in made] == [1] * len(made)

    assert await cancel_at_each_step(run, check) == 1


async def test_a_child_sees_an_empty_registry_and_keeps_what_it_inherited() -> None:
    registry = LoopRegistry[Resource]()
    held = [registry.acquire(Resource)]
    inherited = weakref.ref(held[0])

    async def open_anew() -> bool:
        resource = registry.acquire(Resource)
        new = resource is not inherited()
        await registry.release(resource)
        return new and resource.n_closed == 1

    def child() -> tuple[bool, bool]:
        held.clear()
        gc.collect()
        return inherited() is not None, asyncio.run(open_anew())

    assert in_child(child) == (True, True)
    await registry.release(held[0])


def test_a_child_sees_it_empty_even_on_an_inherited_loop() -> None:
    registry = LoopRegistry[Resource]()
    loop = asyncio.new_event_loop()

    async def acquire() -> Resource:
        return registry.acquire(Resource)

    resource = loop.run_until_complete(acquire())
    assert in_child(lambda: loop.run_until_complete(acquire()) is not resource)
    assert loop.run_until_complete(acquire()) is resource
    loop.close()


async def test_a_child_may_release_what_it_inherited_without_effect() -> None:
    registry = LoopRegistry[Resource]()
    resource = registry.acquire(Resource)

    def child() -> int:
        asyncio.run(registry.release(resource))
        return resource.n_closed

    assert in_child(child) == 0
    await registry.release(resource)
    assert resource.n_closed == 1
