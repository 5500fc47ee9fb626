from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from aiolake._aio import Tasks, map_concurrently
from aiolake.errors import (
    DeadlineError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    ThrottledError,
    TransientStoreError,
)
from aiolake.options import Options
from aiolake.stores.admission import Ticket
from aiolake.stores.base import Answer, Begun, Buffer, CreateOutcome, Range, Refused, Told
from aiolake.stores.memory import MemoryStore
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler
from aiolake.testing import (
    FakeClock,
    FaultStore,
    Latency,
    LostAnswer,
    Refuse,
    Rule,
    Throttle,
    Transient,
    cancel_at_each_step,
)


def scheduler(**options: object) -> Scheduler:
    return Scheduler(
        Options(**options),  # type: ignore[arg-type]
        clock=FakeClock(runs=True),
        rng=random.Random(1),
    )


def at_rest(scheduler: Scheduler) -> None:
    now = scheduler.statistics()
    assert (now.in_flight, now.inflight_bytes, now.held_bytes, now.waiting) == (0, 0, 0, 0)


class Gate:
    """Requests that wait until they are let through, and the most that ever waited at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.n_inside = 0
        self.most = 0

    async def pass_through(self) -> str:
        self.n_inside += 1
        self.most = max(self.most, self.n_inside)
        try:
            await self.open.wait()
        finally:
            self.n_inside -= 1
        return "answer"


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


class TestLimits:
    async def test_no_more_requests_than_the_limit_are_in_flight(self) -> None:
        gate, limited = Gate(), scheduler(max_inflight=3)
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(limited.run("get", 1, gate.pass_through))
            await turns()
            now = limited.statistics()
            assert (now.in_flight, now.inflight_bytes, now.waiting) == (3, 3, 7)
            gate.open.set()
        assert gate.most == 3
        assert limited.statistics().requests == {"get": 10}
        at_rest(limited)

    async def test_a_request_larger_than_the_budget_goes_alone(self) -> None:
        gate, limited = Gate(), scheduler(max_inflight_bytes=100)
        async with asyncio.TaskGroup() as group:
            for nbytes in (500, 10, 10):
                group.create_task(limited.run("get", nbytes, gate.pass_through))
            await turns()
            assert limited.statistics().inflight_bytes == 500
            gate.open.set()
        at_rest(limited)

    async def test_holds_wait_for_each_other_and_requests_do_not_wait_for_holds(self) -> None:
        limited = scheduler(max_inflight_bytes=100)
        gate = Gate()
        gate.open.set()
        async with limited.hold(50):
            second = limited.hold(10)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(second.acquire())
                await turns()
                assert not waiting.done()
                assert await limited.run("get", 1000, gate.pass_through) == "answer"
                waiting.cancel()
        async with second:
            assert limited.statistics().held_bytes == 10
        second.release()
        second.release()
        at_rest(limited)

    async def test_a_covered_request_takes_a_slot_and_no_bytes(self) -> None:
        gate, limited = Gate(), scheduler(max_inflight_bytes=100)
        store = ScheduledStore(MemoryStore(), limited)
        await store.put("a", [bytes(1000)])
        async with limited.hold(1000) as hold, asyncio.TaskGroup() as group:
            covered = store.covered_by(hold)
            group.create_task(limited.run("get", 90, gate.pass_through))
            assert len(await covered.get_range("a", 0, 1000)) == 1000
            await turns()
            gate.open.set()
        with pytest.raises(InvalidInputError):
            store.covered_by(scheduler().hold(1))
        at_rest(limited)


class TestRetries:
    async def test_transient_failures_are_retried_with_backoff(self) -> None:
        clock = FakeClock(runs=True)
        limited = Scheduler(Options(), clock=clock, rng=random.Random(1))
        inner = FaultStore(MemoryStore(), [Rule(Transient(), "get", times=3)])
        store = ScheduledStore(inner, limited)
        await store.put("a", [b"x"])
        assert bytes(await store.get("a")) == b"x"
        assert len(clock.slept) == limited.statistics().retries == 3
        assert all(0 <= slept <= 0.1 * 2**n for n, slept in enumerate(clock.slept))
        assert limited.statistics().requests == {"put": 1, "get": 4}

    async def test_attempts_end_and_the_error_says_how_many_there_were(self) -> None:
        limited = scheduler(max_attempts=3)
        store = ScheduledStore(FaultStore(MemoryStore(), [Rule(Transient(), times=None)]), limited)
        with pytest.raises(TransientStoreError) as caught:
            await store.get("a")
        assert caught.value.__notes__ == ["given up after 3 attempts (Options.max_attempts)"]
        assert limited.statistics().requests == {"get": 3}
        at_rest(limited)

    async def test_a_store_that_is_down_uses_up_the_retry_budget(self) -> None:
        limited = scheduler(max_attempts=6)
        store = ScheduledStore(FaultStore(MemoryStore(), [Rule(Transient(), times=None)]), limited)
        for _ in range(100):
            with pytest.raises(TransientStoreError):
                await store.head("a")
        assert limited.statistics().requests["head"] == 200

    async def test_definite_failures_are_not_retried(self) -> None:
        limited = scheduler()
        store = ScheduledStore(FaultStore(MemoryStore(), [Rule(Refuse(), "put")]), limited)
        with pytest.raises(NotFoundError):
            await store.get("missing")
        assert limited.statistics().retries == 0

    async def test_every_verb_is_retried_but_create(self) -> None:
        rules = [
            Rule(Transient(), verb)
            for verb in ("get", "get_range", "head", "put", "list", "delete")
        ]
        limited = scheduler()
        store = ScheduledStore(FaultStore(MemoryStore(), rules), limited)
        await store.put("a", [b"xy"])
        assert bytes(await store.get("a")) == b"xy"
        assert bytes(await store.get_range("a", 1, 2)) == b"y"
        assert (await store.head("a")).size == 2
        assert len((await store.list("")).objects) == 1
        await store.delete(["a"])
        assert limited.statistics().retries == 6

    @pytest.mark.parametrize("fault", [Transient(), Throttle(), LostAnswer()])
    async def test_create_is_sent_once_and_unknown_when_unanswered(
        self, fault: Transient | Throttle | LostAnswer
    ) -> None:
        class Raising(MemoryStore):
            n_creates = 0

            async def create(self, key: str, data: object) -> CreateOutcome:
                self.n_creates += 1
                if isinstance(fault, Throttle):
                    raise ThrottledError("slow down")
                raise TransientStoreError("lost")

        inner = Raising()
        store = ScheduledStore(inner, scheduler())
        assert await store.create("log/1", [b"x"]) is CreateOutcome.UNKNOWN
        assert inner.n_creates == 1

    async def test_refusals_of_create_are_raised(self) -> None:
        rules = [Rule(Refuse(lambda: StoreError("full")), "create")]
        store = ScheduledStore(FaultStore(MemoryStore(), rules), scheduler())
        with pytest.raises(StoreError, match="full"):
            await store.create("log/1", [b"x"])
        assert await store.create("log/1", [b"x"]) is CreateOutcome.CREATED
        assert await store.create("log/1", [b"x"]) is CreateOutcome.EXISTS


class TestThrottling:
    async def test_the_limit_halves_and_grows_back(self) -> None:
        limited = scheduler(max_inflight=16)
        inner = FaultStore(MemoryStore(), [Rule(Throttle(), "get", times=2)])
        store = ScheduledStore(inner, limited)
        await store.put("a", [b"x"])
        await store.get("a")
        assert limited.statistics().throttles == 2
        assert limited.statistics().limit == 4
        for _ in range(300):
            await store.get("a")
        assert limited.statistics().limit == 16

    async def test_the_store_s_own_delay_is_kept(self) -> None:
        clock = FakeClock(runs=True)
        rules = [Rule(Throttle(retry_after_s=7), "head")]
        store = ScheduledStore(FaultStore(MemoryStore(), rules), Scheduler(Options(), clock=clock))
        await store.put("a", [b"x"])
        await store.head("a")
        assert clock.slept == [7]


class TestDeadlines:
    async def test_an_unanswered_request_is_tried_again(self) -> None:
        rules = [Rule(Latency(timedelta(hours=1)), "get")]
        limited = scheduler(request_timeout=timedelta(seconds=0.02))
        store = ScheduledStore(FaultStore(MemoryStore(), rules), limited)
        await store.put("a", [b"x"])
        assert bytes(await store.get("a")) == b"x"
        now = limited.statistics()
        assert (now.timeouts, now.retries) == (1, 1)

    async def test_an_unanswered_create_is_unknown(self) -> None:
        rules = [Rule(Latency(timedelta(hours=1)), "create")]
        limited = scheduler(request_timeout=timedelta(seconds=0.02))
        store = ScheduledStore(FaultStore(MemoryStore(), rules), limited)
        assert await store.create("a", [b"x"]) is CreateOutcome.UNKNOWN
        at_rest(limited)

    async def test_a_deadline_of_the_caller_is_its_own(self) -> None:
        rules = [Rule(Latency(timedelta(hours=1)), "get", times=None)]
        limited = scheduler()
        store = ScheduledStore(FaultStore(MemoryStore(), rules), limited)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await store.get("a")
        assert limited.statistics().requests == {"get": 1}
        at_rest(limited)

    async def test_a_deadline_error_from_below_is_no_request_timeout(self) -> None:
        async def send() -> None:
            raise DeadlineError("something else's")

        limited = scheduler()
        with pytest.raises(DeadlineError):
            await limited.run("get", 1, send)
        assert limited.statistics().timeouts == 0


class TestCancellation:
    async def test_at_each_step_of_a_request_no_slot_is_lost(self) -> None:
        limited = scheduler(max_inflight=1)

        async def busy() -> None:
            async with asyncio.TaskGroup() as group:
                inner = FaultStore(MemoryStore(), [Rule(Transient(), "get", times=1)])
                store = ScheduledStore(inner, limited)
                await store.put("a", [b"x"])
                for _ in range(3):
                    group.create_task(store.get("a"))
                await store.get("a")

        steps = await cancel_at_each_step(busy, lambda: at_rest(limited))
        assert steps > 1

    async def test_while_waiting_for_a_slot_no_slot_is_lost(self) -> None:
        limited = scheduler(max_inflight=1)

        async def quick() -> None:
            await asyncio.sleep(0)

        async def contended() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(limited.run("get", 1, quick))
                group.create_task(limited.run("get", 1, quick))
                await asyncio.sleep(0)
                await limited.run("get", 1, quick)

        async def alone() -> None:
            await limited.run("get", 1, quick)

        async def behind() -> None:
            """Cancelled while it waits, also in the turn in which it was admitted."""
            async with asyncio.TaskGroup() as group:
                group.create_task(alone())
                waiting = group.create_task(limited.run("get", 1, quick))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                waiting.cancel()

        assert await cancel_at_each_step(contended, lambda: at_rest(limited)) >= 3
        assert await cancel_at_each_step(behind, lambda: at_rest(limited)) >= 2
        at_rest(limited)

    async def test_admitted_and_cancelled_in_one_turn_gives_the_slot_on(self) -> None:
        limited = scheduler(max_inflight=1)
        gate = Gate()
        async with asyncio.TaskGroup() as group:
            group.create_task(limited.run("get", 1, gate.pass_through))
            await turns()
            first = group.create_task(limited.run("get", 1, gate.pass_through))
            second = group.create_task(limited.run("get", 1, gate.pass_through))
            await turns()
            gate.open.set()
            while limited.statistics().waiting == 2:
                await turns(1)
            first.cancel()
        assert first.cancelled()
        assert second.result() == "answer"
        at_rest(limited)

    async def test_of_a_hold(self) -> None:
        limited = scheduler(max_inflight_bytes=10)

        async def hold() -> None:
            async with limited.hold(5):
                await asyncio.sleep(0)

        async def two() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(hold())
                await asyncio.sleep(0)
                await hold()

        assert await cancel_at_each_step(two, lambda: at_rest(limited)) >= 2


class TestScheduledStore:
    async def test_immediate_reads_pass_through_and_are_counted(self) -> None:
        limited = scheduler()
        store = ScheduledStore(MemoryStore(), limited)
        await store.put("a", [b"0123456789"])
        assert store.get_range_now("a", 2, 5) == b"234"
        assert store.get_range_now("missing", 2, 5) is None
        now = limited.statistics()
        assert (now.immediate_reads, now.bytes_read, now.bytes_written) == (1, 3, 10)
        assert now.requests == {"put": 1}

    async def test_a_store_without_them_has_none(self) -> None:
        class Slow:
            """Only what a Store must have."""

            def __init__(self) -> None:
                inner = MemoryStore()
                for name in ("get", "get_range", "head", "put", "create", "list", "delete"):
                    setattr(self, name, getattr(inner, name))

            url, listing, cost = "mem://slow", MemoryStore().listing, MemoryStore().cost

            async def aclose(self) -> None:
                pass

        store = ScheduledStore(Slow(), scheduler())  # type: ignore[arg-type]
        await store.put("a", [b"x"])
        assert store.get_range_now("a", 0, 1) is None
        assert bytes(await store.get_range("a", 0, 1)) == b"x"

    async def test_many_keys_are_deleted_in_batches(self) -> None:
        limited = scheduler()
        store = ScheduledStore(MemoryStore(), limited)
        keys = [f"{n}" for n in range(2500)]
        await map_concurrently(lambda key: store.put(key, [b""]), keys)
        await store.delete(keys)
        assert limited.statistics().requests["delete"] == 3
        assert (await store.list("")).objects == ()

    async def test_bytes_are_counted(self) -> None:
        limited = scheduler()
        store = ScheduledStore(MemoryStore(), limited)
        parts: list[Buffer] = [b"12", b"345"]
        await store.put("a", parts)
        await store.create("b", parts)
        await store.create("b", parts)
        await store.get("a")
        await store.get_range("a", 1, 99)
        now = limited.statistics()
        assert (now.bytes_written, now.bytes_read) == (10, 9)


class Sent:
    """Requests that ``Scheduler.begin`` sends, ``most`` of them at most; the test answers them."""

    def __init__(self, scheduler: Scheduler, *sizes: int, most: int = 1000) -> None:
        self.told: dict[int, Buffer | None] = {}
        self.dropped = False
        self.answer: Told | None = None
        self.n = 0
        self._most = most
        self.begun = scheduler.begin("get_range", sizes or (10,), self._send, self.told.__setitem__)

    def _send(self, n: int, done: Told) -> Sent | None:
        self.answer = done
        self.n = min(n, self._most)
        return self if self.n else None

    def give_up(self) -> None:
        self.dropped = True

    def say(self, i: int, data: bytes | None) -> None:
        assert self.answer is not None
        self.answer(i, data)


class TestBegin:
    async def test_each_holds_a_slot_until_it_is_answered(self) -> None:
        scheduler = Scheduler(Options(max_inflight=3, max_inflight_bytes=100))
        first, both = Sent(scheduler), Sent(scheduler, 20, 30)
        assert scheduler.n_free == 0
        assert Sent(scheduler).begun is None
        assert (scheduler.statistics().in_flight, scheduler.statistics().inflight_bytes) == (3, 60)
        first.say(0, b"x")
        assert first.told == {0: b"x"}
        assert scheduler.n_free == 1
        both.say(1, None)
        assert both.told == {1: None}
        assert (scheduler.statistics().in_flight, scheduler.statistics().inflight_bytes) == (1, 20)
        both.say(0, b"yy")
        assert both.told == {0: b"yy", 1: None}
        assert scheduler.statistics().in_flight == scheduler.statistics().inflight_bytes == 0
        assert scheduler.statistics().requests == {"get_range": 3}
        assert scheduler.statistics().bytes_read == 3

    async def test_as_many_go_as_fit(self) -> None:
        for options, n in [
            (Options(max_inflight=2), 2),
            (Options(max_inflight_bytes=35), 3),
            (Options(), 4),
        ]:
            scheduler = Scheduler(options)
            sent = Sent(scheduler, 10, 10, 10, 10)
            assert sent.begun is not None
            assert sent.begun.n == sent.n == scheduler.statistics().in_flight == n

    async def test_what_found_no_connection_holds_nothing(self) -> None:
        scheduler = Scheduler(Options())
        sent = Sent(scheduler, 10, 20, 40, most=1)
        assert sent.begun is not None
        assert sent.begun.n == 1
        assert (scheduler.statistics().in_flight, scheduler.statistics().inflight_bytes) == (1, 10)
        assert scheduler.statistics().requests == {"get_range": 1}
        sent.say(0, b"x")
        assert scheduler.statistics().in_flight == scheduler.statistics().inflight_bytes == 0

    async def test_nothing_goes_that_does_not_fit_or_before_who_waits(self) -> None:
        scheduler = Scheduler(Options(max_inflight=2, max_inflight_bytes=100))
        big = Sent(scheduler, 90)
        assert Sent(scheduler, 20).begun is None
        waiting = asyncio.get_running_loop().create_task(
            scheduler.run("get", 50, lambda: asyncio.sleep(0, 7))
        )
        await asyncio.sleep(0)
        assert scheduler.n_free == 0
        assert Sent(scheduler, 1).begun is None  # it would fit
        big.say(0, b"")
        assert await waiting == 7
        assert Sent(scheduler, 1).begun is not None

    async def test_what_was_not_sent_holds_nothing(self) -> None:
        scheduler = Scheduler(Options())
        assert Sent(scheduler, most=0).begun is None
        assert scheduler.statistics().in_flight == 0
        assert scheduler.statistics().requests == {}

    async def test_what_cannot_be_sent_holds_nothing(self) -> None:
        def refuse(n: int, done: Told) -> Begun | None:
            raise InvalidInputError("no key")

        scheduler = Scheduler(Options())
        with pytest.raises(InvalidInputError):
            scheduler.begin("get_range", [10, 20], refuse, lambda *_: pytest.fail("told"))
        assert scheduler.statistics().in_flight == scheduler.statistics().inflight_bytes == 0

    async def test_given_up_it_is_dropped_and_nobody_is_told(self) -> None:
        scheduler = Scheduler(Options())
        sent = Sent(scheduler, 10, 10)
        assert sent.begun is not None
        sent.say(1, b"x")
        sent.begun.give_up()
        assert (sent.dropped, sent.told) == (True, {1: b"x"})
        assert scheduler.statistics().in_flight == scheduler.statistics().inflight_bytes == 0

    async def test_a_store_that_asks_for_fewer_requests_is_heard_once_for_all(self) -> None:
        scheduler = Scheduler(Options(max_inflight=8))
        sent = Sent(scheduler, 10, 10, 10)
        assert sent.answer is not None
        sent.answer(2, Refused.SLOW_DOWN)
        sent.answer(0, Refused.SLOW_DOWN)
        sent.say(1, b"x")
        assert sent.told == {0: None, 1: b"x", 2: None}
        found = scheduler.statistics()
        assert (found.in_flight, found.throttles, found.limit) == (0, 2, 4)
        assert Sent(scheduler).begun is None

    async def test_what_is_not_answered_in_time_is_dropped_and_told(self) -> None:
        scheduler = Scheduler(Options(request_timeout=timedelta(seconds=0.02)))
        late, answered = Sent(scheduler, 10, 10, 10), Sent(scheduler)
        answered.say(0, b"x")
        late.say(1, b"y")
        await asyncio.sleep(0.1)
        assert (late.dropped, late.told) == (True, {0: None, 1: b"y", 2: None})
        assert (answered.dropped, answered.told) == (False, {0: b"x"})
        assert scheduler.statistics().timeouts == 2
        assert scheduler.statistics().in_flight == 0


class One:
    """A read that ``Scheduler.try_begun`` begins; the test answers it."""

    def __init__(self, scheduler: Scheduler, *, refuse: bool = False) -> None:
        self.scheduler = scheduler
        self.n = 1
        self.n_given_up = 0
        self.tell: Told | None = None
        self._refuse = refuse

    def send(self, tell: Told) -> One | None:
        self.tell = tell
        return None if self._refuse else self

    def give_up(self) -> None:
        self.n_given_up += 1

    def say(self, data: bytes | None) -> None:
        assert self.tell is not None
        self.tell(0, data)

    async def read(self) -> tuple[Ticket | None, Answer]:
        return await self.scheduler.try_begun("get_range", 10, self.send)


class TestTryBegun:
    async def test_it_brings_what_comes_and_counts_it(self) -> None:
        scheduler = Scheduler(Options(max_inflight=1))
        one = One(scheduler)
        async with Tasks() as tasks:
            task = tasks.start(one.read(), name="read")
            await asyncio.sleep(0)
            assert scheduler.statistics().in_flight == 1
            one.say(b"0123456789")
            assert await task == (None, b"0123456789")
        found = scheduler.statistics()
        assert (found.in_flight, found.inflight_bytes, found.bytes_read) == (0, 0, 10)
        assert found.requests == {"get_range": 1}

    async def test_it_waits_for_a_slot_in_its_turn(self) -> None:
        scheduler = Scheduler(Options(max_inflight=1))
        first, second = One(scheduler), One(scheduler)
        async with Tasks() as tasks:
            tasks.start(first.read(), name="first")
            task = tasks.start(second.read(), name="second")
            await asyncio.sleep(0)
            assert second.tell is None
            first.say(b"x")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            second.say(b"y")
            assert await task == (None, b"y")

    async def test_what_was_not_sent_keeps_its_slot_for_the_ordinary_way(self) -> None:
        scheduler = Scheduler(Options(max_inflight=1))
        ticket, data = await One(scheduler, refuse=True).read()
        assert ticket is not None
        assert data is None
        assert (scheduler.statistics().in_flight, scheduler.statistics().requests) == (1, {})
        answer = await scheduler.run("get_range", 10, lambda: asyncio.sleep(0, 7), ticket=ticket)
        assert answer == 7
        assert scheduler.statistics().in_flight == 0

    async def test_who_waited_begins_nothing_where_the_store_throttled_meanwhile(self) -> None:
        limited = scheduler(max_inflight=2, max_attempts=1)
        one = One(limited)

        async def throttled() -> None:
            await asyncio.sleep(0)
            raise ThrottledError("slow down")

        async def refused(_: int) -> None:
            with pytest.raises(ThrottledError):
                await limited.run("get", 10, throttled)

        async with Tasks() as tasks:
            tasks.start(map_concurrently(refused, range(2)), name="others")
            await turns(2)
            assert limited.statistics().in_flight == 2
            task = tasks.start(one.read(), name="read")
            await turns(10)
            assert not limited.is_calm
            assert one.tell is None
            ticket, data = await task
            assert data is None
            await limited.run("get_range", 10, lambda: asyncio.sleep(0), ticket=ticket)
        at_rest(limited)

    async def test_a_retry_asks_for_a_slot_of_its_own(self) -> None:
        limited = scheduler(max_inflight=1)
        ticket, _ = await One(limited, refuse=True).read()
        n_tries = 0

        async def second_time() -> int:
            nonlocal n_tries
            n_tries += 1
            assert limited.statistics().in_flight == 1
            if n_tries == 1:
                raise TransientStoreError("cut")
            return n_tries

        assert await limited.run("get_range", 10, second_time, ticket=ticket) == 2
        assert limited.statistics().in_flight == 0

    async def test_what_did_not_come_is_told_and_leaves_its_slot(self) -> None:
        scheduler = Scheduler(Options())
        one = One(scheduler)
        async with Tasks() as tasks:
            task = tasks.start(one.read(), name="read")
            await asyncio.sleep(0)
            one.say(None)
            assert await task == (None, None)
        assert scheduler.statistics().in_flight == 0

    async def test_a_store_that_asks_for_fewer_requests_is_heard(self) -> None:
        scheduler = Scheduler(Options(max_inflight=8))
        one = One(scheduler)
        async with Tasks() as tasks:
            task = tasks.start(one.read(), name="read")
            await asyncio.sleep(0)
            assert one.tell is not None
            one.tell(0, Refused.SLOW_DOWN)
            assert await task == (None, Refused.SLOW_DOWN)
        found = scheduler.statistics()
        assert (found.in_flight, found.throttles, found.limit) == (0, 1, 4)
        assert not scheduler.is_calm

    async def test_what_is_late_is_given_up(self) -> None:
        scheduler = Scheduler(Options(request_timeout=timedelta(seconds=0.02)))
        one = One(scheduler)
        assert await one.read() == (None, None)
        assert one.n_given_up == 1
        assert (scheduler.statistics().timeouts, scheduler.statistics().in_flight) == (1, 0)
        one.say(b"too late")

    async def test_cancelled_it_is_given_up(self) -> None:
        scheduler = Scheduler(Options())
        one = One(scheduler)
        async with Tasks() as tasks:
            task = tasks.start(one.read(), name="read")
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
        assert one.n_given_up == 1
        assert scheduler.statistics().in_flight == 0

    async def test_what_cannot_be_sent_holds_nothing(self) -> None:
        def refuse(tell: Told) -> Begun | None:
            raise InvalidInputError("no key")

        scheduler = Scheduler(Options())
        with pytest.raises(InvalidInputError):
            await scheduler.try_begun("get_range", 10, refuse)
        assert scheduler.statistics().in_flight == 0


class Beginning(MemoryStore):
    """Answers reads that are begun, as the test says; others as usual."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self.n_begun = 0

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        self.n_begun += 1
        if not self.answers:
            return None
        asyncio.get_running_loop().call_soon(done, 0, self.answers.pop(0))
        return One(Scheduler(Options()))


async def test_a_short_read_is_begun_and_what_does_not_come_is_read() -> None:
    inner = Beginning()
    # Else memory answers at once.
    inner.get_range_now = None  # type: ignore[method-assign, assignment]
    clock = FakeClock(runs=True)
    limited = Scheduler(Options(max_inflight=8), clock=clock)
    store = ScheduledStore(inner, limited)
    await store.put("a", [bytes(3 << 20)])
    inner.answers = [b"begun", None]
    assert await store.get_range("a", 0, 5) == b"begun"
    assert await store.get_range("a", 0, 5) == bytes(5)  # nothing came
    assert await store.get_range("a", 0, 5) == bytes(5)  # nothing was sent
    assert inner.n_begun == 3
    assert limited.statistics().requests["get_range"] == 4
    await store.get_range("a", 0, 2 << 20)  # a long one
    await store.get_range("a", 7, 7)  # an empty one
    assert inner.n_begun == 3
    inner.answers = [Refused.SLOW_DOWN]
    assert await store.get_range("a", 0, 5) == bytes(5)
    assert clock.slept != []  # before it was asked again
    assert limited.statistics().retries == limited.statistics().throttles == 1
    assert await store.get_range("a", 0, 5) == bytes(5)  # the store is to be asked less
    assert inner.n_begun == 4
    while not limited.is_calm:
        await store.get_range("a", 0, 5)
    await store.get_range("a", 0, 5)
    assert inner.n_begun == 5
    assert limited.statistics().in_flight == 0
