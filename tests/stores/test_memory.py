from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from aiolake.errors import ClosedError
from aiolake.stores.base import CreateOutcome, Store
from aiolake.stores.memory import MemoryObjects, MemoryStore
from aiolake.testing import StoreContract


class TestMemoryStore(StoreContract):
    async def make_store(self) -> Store:
        return MemoryStore("mem://private", MemoryObjects())


async def test_a_named_root_is_one_for_the_process() -> None:
    first, second = MemoryStore.named("shared"), MemoryStore.named("shared")
    await first.put("a", [b"x"])
    await first.aclose()
    assert bytes(await second.get("a")) == b"x"
    assert second.url == "mem://shared"


async def test_other_names_and_private_stores_are_apart() -> None:
    await MemoryStore.named("one").put("a", [b"x"])
    for store in (MemoryStore.named("two"), MemoryStore()):
        assert (await store.list("")).objects == ()


async def test_a_closed_store_refuses() -> None:
    store = MemoryStore()
    await store.put("a", [b"x"])
    await store.aclose()
    with pytest.raises(ClosedError):
        await store.get("a")
    with pytest.raises(ClosedError):
        await store.list("")
    assert store.get_range_now("a", 0, 1) is None


def test_of_racing_threads_one_creates_each_object() -> None:
    objects = MemoryObjects()
    wins: list[int] = []

    def create_all() -> None:
        wins.append(sum(objects.create(str(n), memoryview(b"")) for n in range(2000)))

    _run_threads([create_all] * 4)
    assert sum(wins) == 2000
    assert len(objects.page("", 1000, None).objects) == 1000


def _run_threads(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_after_a_fork_the_child_has_its_own_copy() -> None:
    store = MemoryStore()
    await store.put("a", [b"parent"])
    pid = os.fork()
    if pid == 0:
        coroutine = store.create("b", [b"child"])
        try:
            coroutine.send(None)
        except StopIteration as end:
            os._exit(0 if end.value is CreateOutcome.CREATED else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert [meta.key for meta in (await store.list("")).objects] == ["a"]
