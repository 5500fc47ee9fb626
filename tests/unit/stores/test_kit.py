"""The test kit itself: what it reports is so."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from aiolake.stores.memory import MemoryStore
from aiolake.testing import CountingStore, FakeClock, cancel_at_each_step, kind_of


class TestCancelAtEachStep:
    async def test_it_counts_suspensions_and_runs_each_twice_then_to_the_end(self) -> None:
        reached: list[int] = []

        async def three() -> None:
            n = 0
            reached.append(n)
            for _ in range(3):
                await asyncio.sleep(0)
                n += 1
                reached.append(n)

        n_checks = 0

        def check() -> None:
            nonlocal n_checks
            n_checks += 1

        assert await cancel_at_each_step(three, check) == 3
        assert reached == [0, 0, 0, 1, 0, 1, 0, 1, 2, 0, 1, 2, 0, 1, 2, 3]
        assert n_checks == 7

    async def test_a_coroutine_that_never_waits_has_no_steps(self) -> None:
        async def none() -> None:
            pass

        assert await cancel_at_each_step(none) == 0

    async def test_a_late_cancellation_comes_with_the_result_at_hand(self) -> None:
        lost: list[str] = []

        def answer(future: asyncio.Future[str]) -> None:
            if not future.done():
                future.set_result("slot")

        async def acquire() -> None:
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(answer, future)
            try:
                await future
            except asyncio.CancelledError:
                lost.append("with" if not future.cancelled() else "without")
                raise

        await cancel_at_each_step(acquire)
        assert lost == ["without", "with"]

    async def test_a_task_left_over_is_reported(self) -> None:
        left: list[asyncio.Task[None]] = []

        async def leaky() -> None:
            left.append(asyncio.get_running_loop().create_task(asyncio.sleep(100)))
            await asyncio.sleep(0)
            left[-1].cancel()
            await asyncio.wait(left)

        with pytest.raises(AssertionError, match="left over"):
            await cancel_at_each_step(leaky)
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    async def test_a_swallowed_cancellation_is_reported(self) -> None:
        async def deaf() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

        with pytest.raises(AssertionError, match="swallowed"):
            await cancel_at_each_step(deaf)

    async def test_failures_come_out_as_they_are(self) -> None:
        async def broken() -> None:
            await asyncio.sleep(0)
            raise KeyError("a")

        with pytest.raises(KeyError):
            await cancel_at_each_step(broken)

    async def test_one_that_does_not_end_is_reported(self) -> None:
        async def endless() -> None:
            for _ in range(100):
                await asyncio.sleep(0)

        with pytest.raises(AssertionError, match="not ended after 5"):
            await cancel_at_each_step(endless, max_steps=5)


class TestFakeClock:
    async def test_sleepers_wake_in_order_when_the_clock_is_moved(self) -> None:
        clock = FakeClock()
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, *naps: float) -> None:
            for nap in naps:
                await clock.sleep(nap)
                woken.append((name, clock.monotonic()))

        async with asyncio.TaskGroup() as group:
            group.create_task(sleeper("a", 3, 1))
            group.create_task(sleeper("b", 2, 2))
            await clock.advance(1.5)
            assert (woken, clock.n_sleepers) == ([], 2)
            await clock.advance(timedelta(seconds=2))
            assert woken == [("b", 2), ("a", 3)]
            await clock.advance(10)
        assert woken[2:] == [("b", 4), ("a", 4)] or woken[2:] == [("a", 4), ("b", 4)]
        assert clock.monotonic() == 13.5

    async def test_the_time_of_day_moves_with_it(self) -> None:
        clock = FakeClock()
        before = clock.now()
        await clock.advance(90)
        assert clock.now() - before == timedelta(seconds=90)
        assert clock.now().tzinfo is not None

    async def test_one_that_runs_moves_itself(self) -> None:
        clock = FakeClock(runs=True)
        await clock.sleep(5)
        await clock.sleep(0)
        assert (clock.monotonic(), clock.slept) == (5, [5, 0])

    async def test_a_cancelled_sleeper_is_gone(self) -> None:
        clock = FakeClock()
        await cancel_at_each_step(lambda: _nap(clock))
        assert clock.n_sleepers == 0


async def _nap(clock: FakeClock) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        await clock.advance(5)


class TestCountingStore:
    async def test_requests_are_counted_by_verb_and_kind_with_their_bytes(self) -> None:
        store = CountingStore(MemoryStore())
        await store.create("log/1", [b"abc"])
        await store.put("chunks/1", [b"0123456789"])
        await store.get("log/1")
        await store.get_range("chunks/1", 0, 4)
        assert store.get_range_now("chunks/1", 5, 99) is not None
        assert store.get_range_now("chunks/2", 5, 99) is None
        await store.list("log/")
        await store.list("")
        await store.head("log/1")
        await store.delete(["chunks/1", "lists/1"])
        counts = store.counts
        assert counts.n() == 10
        assert counts.n("get_range", kind="chunks") == 2
        assert counts.nbytes("get_range") == 9
        assert counts.nbytes("put", "create") == 13
        assert counts.keys("list") == ["log/", ""]
        assert counts.n("delete", kind="lists") == counts.n("list", kind="other") == 1
        assert "2 get_range chunks" in str(counts)

    async def test_a_reset_starts_anew_and_old_counts_stay(self) -> None:
        store = CountingStore(MemoryStore())
        await store.put("a", [b"x"])
        before = store.reset()
        assert (before.n(), store.counts.n()) == (1, 0)
        assert str(store.counts) == "no requests"

    async def test_failed_requests_count(self) -> None:
        store = CountingStore(MemoryStore())
        with pytest.raises(LookupError):
            await store.get("missing")
        assert store.counts.n("get") == 1


@pytest.mark.parametrize(
    ("key", "kind"),
    [("log/1/2", "log"), ("chunks/", "chunks"), ("manifests/x", "manifests"), ("x", "other")],
)
def test_kinds_are_first_parts(key: str, kind: str) -> None:
    assert kind_of(key) == kind
