from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from aiolake.errors import PermissionDeniedError, StoreError, ThrottledError, TransientStoreError
from aiolake.stores.base import CreateOutcome, Listing
from aiolake.stores.memory import MemoryStore
from aiolake.testing import (
    Crash,
    FakeClock,
    FaultStore,
    FlipBit,
    IgnoreCreateOnly,
    LandsLater,
    Latency,
    LostAnswer,
    NoListing,
    Refuse,
    Rule,
    SimulatedCrashError,
    StaleListing,
    Throttle,
    Transient,
    Truncate,
    Unordered,
)


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore()


async def keys(store: FaultStore | MemoryStore, limit: int = 1000) -> list[str]:
    found: list[str] = []
    token: str | None = None
    while True:
        page = await store.list("", limit=limit, token=token)
        found += [meta.key for meta in page.objects]
        token = page.token
        if token is None:
            return found


class TestRules:
    async def test_only_matching_requests_are_struck_so_many_times(
        self, inner: MemoryStore
    ) -> None:
        rule = Rule(Transient(), "get", key="log/*", after=1, times=2)
        store = FaultStore(inner, [rule])
        await store.put("log/1", [b"x"])
        await store.put("chunks/1", [b"x"])
        struck = []
        for _ in range(5):
            await store.get("chunks/1")
            await store.get_range("log/1", 0, 1)
            try:
                await store.get("log/1")
                struck.append(False)
            except TransientStoreError:
                struck.append(True)
        assert struck == [False, True, True, False, False]
        assert store.script.n_struck(rule) == 2

    async def test_chance_is_repeatable(self, inner: MemoryStore) -> None:
        async def run(seed: int) -> list[bool]:
            store = FaultStore(
                inner, [Rule(Transient(), "get", times=None, probability=0.5)], seed=seed
            )
            await store.put("a", [b"x"])
            return [await fails(store) for _ in range(40)]

        async def fails(store: FaultStore) -> bool:
            try:
                await store.get("a")
            except TransientStoreError:
                return True
            return False

        first = await run(7)
        assert first == await run(7) != await run(8)
        assert 8 < sum(first) < 32

    async def test_rules_can_be_added_and_cleared(self, inner: MemoryStore) -> None:
        store = FaultStore(inner)
        await store.put("a", [b"x"])
        store.script.add(Rule(Transient(), times=None))
        with pytest.raises(TransientStoreError):
            await store.get("a")
        store.script.clear()
        assert bytes(await store.get("a")) == b"x"


class TestAnswers:
    async def test_throttling_and_transient_errors_do_nothing(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(Throttle(2.5), "put"), Rule(Transient(), "create")])
        with pytest.raises(ThrottledError) as caught:
            await store.put("a", [b"x"])
        assert caught.value.retry_after_s == 2.5
        assert await store.create("a", [b"x"]) is CreateOutcome.UNKNOWN
        assert await keys(inner) == []

    async def test_a_lost_answer_is_of_something_done(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(LostAnswer(), times=3)])
        assert await store.create("a", [b"x"]) is CreateOutcome.UNKNOWN
        with pytest.raises(TransientStoreError):
            await store.put("b", [b"x"])
        assert await keys(inner) == ["a", "b"]
        with pytest.raises(TransientStoreError):
            await store.delete(["a"])
        assert await keys(inner) == ["b"]

    async def test_refusals_do_nothing(self, inner: MemoryStore) -> None:
        store = FaultStore(
            inner, [Rule(Refuse(lambda: StoreError("full")), "create"), Rule(Refuse(), "put")]
        )
        with pytest.raises(StoreError, match="full"):
            await store.create("a", [b"x"])
        with pytest.raises(PermissionDeniedError, match="test's rule"):
            await store.put("a", [b"x"])
        assert await keys(inner) == []

    async def test_latency_goes_by_the_clock(self, inner: MemoryStore) -> None:
        clock = FakeClock()
        store = FaultStore(inner, [Rule(Latency(timedelta(seconds=3)), "get")], clock=clock)
        await store.put("a", [b"x"])
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(store.get("a"))
            await clock.advance(2.9)
            assert not reading.done()
            await clock.advance(0.2)
            assert reading.done()

    async def test_a_store_that_ignores_create_only_overwrites(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(IgnoreCreateOnly(), times=None)])
        for text in (b"one", b"two"):
            assert await store.create("a", [text]) is CreateOutcome.CREATED
            assert bytes(await store.get("a")) == text


class TestLateWrites:
    async def test_they_land_when_told(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(LandsLater(), times=2)])
        assert await store.create("log/1", [b"late"]) is CreateOutcome.UNKNOWN
        with pytest.raises(TransientStoreError):
            await store.put("hint", [b"late"])
        assert await keys(store) == []
        assert store.n_pending == 2
        assert await store.land() == 2
        assert await keys(store) == ["hint", "log/1"]
        assert await store.create("log/1", [b"next"]) is CreateOutcome.EXISTS

    async def test_they_land_before_the_given_request(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(LandsLater(after_requests=2), "create")])
        await store.create("log/1", [b"late"])
        assert await keys(store) == []
        assert await keys(store) == ["log/1"]

    async def test_one_that_lands_after_another_took_the_name_changes_nothing(
        self, inner: MemoryStore
    ) -> None:
        store = FaultStore(inner, [Rule(LandsLater(), "create")])
        await store.create("log/1", [b"late"])
        assert await store.create("log/1", [b"first"]) is CreateOutcome.CREATED
        await store.land()
        assert bytes(await store.get("log/1")) == b"first"


class TestDamage:
    async def test_truncated_and_flipped_bytes(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(Truncate(3), "get"), Rule(FlipBit(4), "get_range")])
        await store.put("a", [b"0123456789"])
        assert bytes(await store.get("a")) == b"0123456"
        damaged = bytes(await store.get_range("a", 0, 10))
        assert [a == b for a, b in zip(damaged, b"0123456789", strict=True)].index(False) == 4
        assert bin(damaged[4] ^ b"4"[0]).count("1") == 1
        assert bytes(await store.get("a")) == b"0123456789"

    async def test_immediate_reads_step_back_where_a_rule_applies(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(FlipBit(), "get_range", key="chunks/*")])
        await store.put("chunks/1", [b"xyz"])
        await store.put("lists/1", [b"xyz"])
        assert store.get_range_now("chunks/1", 0, 3) is None
        assert bytes(store.get_range_now("lists/1", 0, 3) or b"") == b"xyz"
        assert bytes(await store.get_range("chunks/1", 0, 3)) != b"xyz"
        assert bytes(store.get_range_now("chunks/1", 0, 3) or b"") == b"xyz"


class TestListings:
    async def test_a_stale_one_lacks_the_last_creates(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(StaleListing(2), "list", times=1)])
        for n in (5, 3, 4, 1, 2):
            await store.create(f"{n}", [b""])
        assert await keys(store, limit=2) == ["3", "4", "5"]
        assert await keys(store) == ["1", "2", "3", "4", "5"]

    async def test_an_unordered_one_has_every_key_once(self, inner: MemoryStore) -> None:
        store = FaultStore(
            inner, [Rule(Unordered(), times=None)], listing=Listing.UNORDERED, seed=3
        )
        names = [f"{n:02d}" for n in range(30)]
        for name in names:
            await store.create(name, [b""])
        found = await keys(store, limit=7)
        assert found != names
        assert sorted(found) == names
        assert store.listing is Listing.UNORDERED

    async def test_a_refused_one(self, inner: MemoryStore) -> None:
        store = FaultStore(inner, [Rule(NoListing(), times=None)], listing=Listing.NONE)
        with pytest.raises(PermissionDeniedError):
            await store.list("")
        await store.put("a", [b"x"])


class TestCrashes:
    async def test_after_so_many_requests_every_call_raises(self, inner: MemoryStore) -> None:
        store = FaultStore(inner)
        store.crash_after(2)
        await store.put("a", [b"x"])
        await store.put("b", [b"x"])
        for _ in range(2):
            with pytest.raises(SimulatedCrashError):
                await store.put("c", [b"x"])
        with pytest.raises(SimulatedCrashError):
            store.get_range_now("a", 0, 1)
        assert store.crashed
        assert await keys(inner) == ["a", "b"]

    @pytest.mark.parametrize("acts", [True, False])
    async def test_at_a_request_that_is_or_is_not_done(
        self, inner: MemoryStore, acts: bool
    ) -> None:
        store = FaultStore(inner, [Rule(Crash(acts=acts), "create")])
        with pytest.raises(SimulatedCrashError):
            await store.create("a", [b"x"])
        assert await keys(inner) == (["a"] if acts else [])
        with pytest.raises(SimulatedCrashError):
            await store.get("a")

    async def test_no_handler_of_errors_takes_it_for_an_answer(self) -> None:
        assert not issubclass(SimulatedCrashError, Exception)


async def test_an_unreliable_store_fails_now_and_then_and_loses_nothing(
    inner: MemoryStore,
) -> None:
    store = FaultStore.unreliable(inner, seed=1, probability=0.3)
    outcomes = {key: await store.create(key, [b"x"]) for key in map(str, range(200))}
    await store.land()
    there = set(await keys(inner))
    created = {key for key, outcome in outcomes.items() if outcome is CreateOutcome.CREATED}
    assert created <= there
    assert 20 < sum(outcome is CreateOutcome.UNKNOWN for outcome in outcomes.values()) < 100
    assert len(there - created) > 5
