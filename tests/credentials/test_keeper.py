"""Who renews credentials: in time, once for everybody, and what happens when it fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Hashable
from datetime import timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path

import pytest

from aiolake._aio import Tasks, map_concurrently
from aiolake.credentials.cell import Cell
from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.provider import StaticProvider
from aiolake.credentials.timing import Held
from aiolake.credentials.values import BearerCredential, Credential
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores.leased import send_leased
from aiolake.testing import FakeClock

_numbers = count()


class Source:
    """A provider that counts, whose tokens are ``t1``, ``t2`` ..."""

    source = "the test's source"

    def __init__(
        self,
        clock: FakeClock,
        life: timedelta | None = timedelta(hours=1),
        *,
        identity: Hashable = None,
        fails: Callable[[int], Exception | None] = lambda _: None,
    ) -> None:
        self.identity = ("test", next(_numbers)) if identity is None else identity
        self.clock = clock
        self.life = life
        self.fails = fails
        self.n_fetches = 0
        self.n_tokens = 0
        self.gate: asyncio.Event | None = None

    async def fetch(self) -> Credential:
        self.n_fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        failure = self.fails(self.n_fetches)
        if failure is not None:
            raise failure
        self.n_tokens += 1
        expires = None if self.life is None else self.clock.now() + self.life
        return BearerCredential(f"t{self.n_tokens}", expires)


def token(credential: Credential | None) -> str | None:
    if credential is None:
        return None
    assert isinstance(credential, BearerCredential)
    return credential.token


async def test_nothing_is_fetched_before_it_is_needed_and_then_once() -> None:
    clock = FakeClock()
    source = Source(clock)
    async with Keeper(clock) as keeper:
        lease = keeper.lease(source)
        assert lease.current() is None
        assert source.n_fetches == 0
        tokens = await map_concurrently(lambda _: lease.get(), range(16))
        assert {token(each) for each in tokens} == {"t1"}
        assert source.n_fetches == 1
        assert token(lease.current()) == "t1"


async def test_it_is_renewed_in_the_background_at_two_thirds_of_its_life() -> None:
    clock = FakeClock()
    source = Source(clock, timedelta(minutes=30))
    async with Keeper(clock) as keeper:
        lease = keeper.lease(source)
        await lease.get()
        for _ in range(300):  # five hours: nobody asks for it, and it never is too old
            await clock.advance(60)
            assert lease.current() is not None
        assert 12 <= source.n_fetches <= 20
        assert lease.state().n_renewals == source.n_fetches


async def test_every_lease_says_which_place_of_a_chain_it_was_found_in() -> None:
    clock = FakeClock()
    one, other = (Source(clock, identity="a chain") for _ in range(2))
    async with Keeper(clock) as keeper:
        leases = [keeper.lease(one), keeper.lease(other)]
        one.source = "the chain (env)"
        await leases[0].get()
        assert other.n_fetches == 0
        assert {lease.state().source for lease in leases} == {"the chain (env)"}


async def test_what_was_given_is_named_by_who_gave_it() -> None:
    async with Keeper(FakeClock()) as one, Keeper(FakeClock()) as other:
        lease = one.lease(StaticProvider(BearerCredential("t"), "the key"))
        same = other.lease(StaticProvider(BearerCredential("t"), "the connection string"))
        await lease.get()
        assert (lease.source, same.source) == ("the key", "the connection string")


async def test_a_renewal_that_fails_lets_the_old_one_serve_to_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    source = Source(
        clock, fails=lambda n: TransientStoreError("token endpoint is down") if n > 1 else None
    )
    async with Keeper(clock) as keeper:
        lease = keeper.lease(source)
        await lease.get()
        with caplog.at_level(logging.WARNING, "aiolake.credentials"):
            await clock.advance(timedelta(minutes=59, seconds=59))
        assert token(lease.current()) == "t1"
        assert 5 < source.n_fetches < 80  # it backs off
        assert lease.state().n_failures == source.n_fetches - 1
        assert "token endpoint is down" in (lease.state().last_error or "")
        assert "the old one serves until" in caplog.text
        await clock.advance(1)
        assert lease.current() is None
        source.fails = lambda _: None
        await clock.advance(60)
        assert token(lease.current()) == "t2"


async def test_who_needs_one_waits_while_its_source_fails_for_a_while() -> None:
    clock = FakeClock(runs=True)
    source = Source(clock, None, fails=lambda n: OSError("refused") if n < 4 else None)
    async with Keeper(clock) as keeper:
        assert token(await keeper.lease(source).get()) == "t1"
    assert source.n_fetches == 4


async def test_a_source_that_stays_down_is_given_up() -> None:
    clock = FakeClock(runs=True)
    source = Source(clock, None, fails=lambda _: ConnectionRefusedError(111, "refused"))
    async with Keeper(clock) as keeper:
        with pytest.raises(UnauthenticatedError, match=r"the test's source.*refused"):
            await keeper.lease(source).get()
    assert 2 < source.n_fetches < 20
    assert sum(clock.slept) < 60


async def test_a_source_that_refuses_is_asked_once() -> None:
    clock = FakeClock(runs=True)
    source = Source(clock, None, fails=lambda _: UnauthenticatedError("log in: az login"))
    async with Keeper(clock) as keeper:
        with pytest.raises(UnauthenticatedError, match="log in: az login"):
            await keeper.lease(source).get()
    assert source.n_fetches == 1


async def test_a_function_with_a_defect_says_so() -> None:
    clock = FakeClock(runs=True)
    source = Source(clock, None, fails=lambda _: KeyError("access_key"))
    async with Keeper(clock) as keeper:
        with pytest.raises(UnauthenticatedError, match=r"the test's source.*KeyError") as caught:
            await keeper.lease(source).get()
        assert caught.value.__cause__ is not None
        assert isinstance(caught.value.__cause__.__cause__, KeyError)
        bad = Source(clock, None, fails=lambda _: InvalidInputError("must return a credential"))
        with pytest.raises(InvalidInputError, match="must return a credential"):
            await keeper.lease(bad).get()


class TestServers:
    async def test_what_a_server_calls_expired_is_replaced_and_the_request_sent_again(self) -> None:
        clock = FakeClock()
        source = Source(clock)
        sent: list[str | None] = []

        async def send(credential: Credential) -> str:
            sent.append(token(credential))
            if token(credential) == "t1":
                raise CredentialExpiredError("ExpiredToken")
            return "answer"

        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            assert await send_leased(lease, send) == "answer"
            assert sent == ["t1", "t2"]
            assert token(lease.current()) == "t2"

    async def test_many_refusals_at_once_cause_one_renewal(self) -> None:
        clock = FakeClock()
        source = Source(clock)

        async def send(credential: Credential) -> None:
            await asyncio.sleep(0)
            if token(credential) == "t1":
                raise CredentialExpiredError("ExpiredToken")

        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            await lease.get()
            await map_concurrently(lambda _: send_leased(lease, send), range(64))
        assert source.n_fetches == 2

    async def test_a_credential_that_is_refused_and_comes_again_ends_in_an_error(self) -> None:
        clock = FakeClock(runs=True)
        source = Source(clock, None)

        async def fetch() -> Credential:
            source.n_fetches += 1
            return BearerCredential("always-the-same")

        source.fetch = fetch  # type: ignore[method-assign]
        n_sent = 0

        async def send(_: Credential) -> None:
            nonlocal n_sent
            n_sent += 1
            raise CredentialExpiredError("ExpiredToken")

        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            for _ in range(3):
                with pytest.raises(CredentialExpiredError, match="gives no newer one"):
                    await send_leased(lease, send)
        assert n_sent == 1
        assert source.n_fetches < 10

    async def test_a_late_refusal_of_an_old_one_renews_nothing(self) -> None:
        clock = FakeClock()
        source = Source(clock)
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            old = await lease.get()
            await lease.renewed(old)
            assert token(await lease.renewed(old)) == "t2"
        assert source.n_fetches == 2

    async def test_the_servers_clock_decides_when_ours_is_wrong(self) -> None:
        clock = FakeClock()
        source = Source(clock)
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            await lease.get()
            there = clock.now() + timedelta(hours=2)
            lease.saw_date(format_datetime(there, usegmt=True))
            assert lease.now() == there
            assert lease.current() is None
            lease.saw_date("no date")
            lease.saw_date(None)
            assert lease.now() == there


class TestWhatNobodyRenews:
    async def test_it_is_sent_although_it_seems_over_and_the_server_decides(self) -> None:
        clock = FakeClock()
        here = clock.now()
        given = BearerCredential(f"static-{next(_numbers)}", here - timedelta(hours=1))
        async with Keeper(clock) as keeper:
            lease = keeper.lease(StaticProvider(given, "the test's dict"))
            assert await lease.get() == given
            assert lease.current() == given
            assert lease.state().expires_at == given.expires_at

            async def send(_: Credential) -> None:
                lease.saw_refusal(format_datetime(here + timedelta(hours=3), usegmt=True))
                raise CredentialExpiredError("said the server")

            for _ in range(2):
                with pytest.raises(CredentialExpiredError) as caught:
                    await send_leased(lease, send)
                assert "the test's dict expired at 2023-12-31 23:00:00Z" in str(caught.value)
                assert "clock is 180 min behind the server's" in str(caught.value)
            assert lease.current() is None

    async def test_a_server_that_takes_it_sets_the_clock_right(self) -> None:
        clock = FakeClock()
        there = clock.now() - timedelta(hours=3)
        given = BearerCredential(f"static-{next(_numbers)}", clock.now() - timedelta(hours=1))
        async with Keeper(clock) as keeper:
            lease = keeper.lease(StaticProvider(given, "the test's dict"))
            lease.saw_answer(await lease.get(), format_datetime(there, usegmt=True))
            assert lease.now() == there
            source = Source(clock)
            other = keeper.lease(source)
            await other.get()
            other.saw_refusal(format_datetime(there, usegmt=True))
            assert other.now() == clock.now()  # its life may be counted on that clock

    async def test_one_that_is_refused_before_its_end_is_told_so(self) -> None:
        clock = FakeClock()
        given = BearerCredential(f"static-{next(_numbers)}", clock.now() + timedelta(hours=1))
        async with Keeper(clock) as keeper:
            lease = keeper.lease(StaticProvider(given, "the test's dict"))
            words = r"refused as expired, although .* until 2024-01-01 01:00:00Z"
            with pytest.raises(CredentialExpiredError, match=words) as caught:
                await lease.renewed(await lease.get())
            assert "clock" not in str(caught.value)

    async def test_it_is_not_renewed_nor_kept_for_other_processes(self, tmp_path: Path) -> None:
        clock = FakeClock()
        given = BearerCredential(f"static-{next(_numbers)}", clock.now() + timedelta(hours=1))
        async with Keeper(clock, HostCache(tmp_path / "cache")) as keeper:
            lease = keeper.lease(StaticProvider(given, "the test's dict"))
            await lease.get()
            await clock.advance(timedelta(hours=2))
            assert lease.current() == given
            assert lease.state().n_renewals == 1
        assert not (tmp_path / "cache").exists()


class TestCancellation:
    async def test_a_cancelled_caller_does_not_end_the_renewal_of_others(self) -> None:
        clock = FakeClock()
        source = Source(clock)
        source.gate = asyncio.Event()
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            async with asyncio.TaskGroup() as group:
                first = group.create_task(lease.get())
                second = group.create_task(lease.get())
                await asyncio.sleep(0.01)
                first.cancel()
                await asyncio.sleep(0.01)
                source.gate.set()
            assert first.cancelled()
            assert token(second.result()) == "t1"
            assert source.n_fetches == 1

    async def test_closing_a_keeper_ends_a_fetch_and_who_waits(self) -> None:
        clock = FakeClock(runs=True)
        source = Source(clock)
        source.gate = asyncio.Event()
        async with asyncio.TaskGroup() as group, Keeper(clock) as keeper:
            waiting = group.create_task(_error(keeper.lease(source).get))
            await asyncio.sleep(0.01)
        assert isinstance(waiting.result(), AiolakeError)

    async def test_closing_before_a_fetch_has_begun_lets_others_fetch(self) -> None:
        """Its task is cancelled before its first step, and so cannot say that it gave up."""
        clock = FakeClock()
        source = Source(clock)
        async with asyncio.timeout(2):
            async with Tasks() as tasks, Keeper(clock) as first, Keeper(clock) as second:
                waiting = tasks.start(first.lease(source).get(), name="get")
                await asyncio.sleep(0)  # it has started the renewal, which has not begun
                await first.aclose()
                assert source.n_fetches == 0
                assert token(await second.lease(source).get()) == "t1"
                waiting.cancel()

    async def test_a_lease_that_nobody_holds_is_renewed_no_more(self) -> None:
        clock = FakeClock()
        source = Source(clock, timedelta(minutes=3))
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            await lease.get()
            await clock.advance(600)
            n_fetches = source.n_fetches
            del lease
            gc.collect()
            await clock.advance(6000)
            assert source.n_fetches <= n_fetches + 1
            assert not keeper._leases


async def _error(call: Callable[[], object]) -> BaseException | None:
    try:
        await call()  # type: ignore[misc]
    except AiolakeError as error:
        return error
    return None


def test_loops_in_several_threads_renew_once() -> None:
    clock = FakeClock()
    sources = [Source(clock, identity="shared by threads") for _ in range(8)]
    barrier = threading.Barrier(8)
    tokens: list[str | None] = []
    held = []

    async def use(source: Source) -> None:
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            held.append(lease._cell)
            barrier.wait()
            tokens.append(token(await lease.get()))
            while len(tokens) < 8:  # noqa: ASYNC110 others are in other loops
                await asyncio.sleep(0.001)

    threads = [threading.Thread(target=lambda s=s: asyncio.run(use(s))) for s in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tokens) == {"t1"}
    assert sum(source.n_fetches for source in sources) == 1


def test_a_renewal_whose_loop_ended_is_taken_over() -> None:
    clock = FakeClock()
    source = Source(clock, identity="taken over")
    cells = []

    async def give_up() -> None:
        source.gate = asyncio.Event()
        async with Keeper(clock) as keeper:
            lease = keeper.lease(source)
            cells.append(lease._cell)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await lease.get()

    async def use() -> str | None:
        source.gate = None
        async with Keeper(clock) as keeper:
            return token(await keeper.lease(source).get())

    asyncio.run(give_up())
    assert asyncio.run(use()) == "t1"


def test_a_renewal_that_was_given_up_may_still_land() -> None:
    cell = Cell()
    flight, mine = cell.take_off(None)
    assert mine
    assert flight is not None
    cell.abandon(flight)
    late = Held(BearerCredential("late"), FakeClock().now(), None)
    cell.land(flight, late, None)
    assert cell.held is late
    assert cell.take_off(late)[1]
