"""Bursts over a scripted store: what is sent, what is left to the ordinary way, given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from aiolake.chunks.burst import Burst
from aiolake.chunks.plan import Fetch
from aiolake.errors import ClosedError
from aiolake.stores.base import Buffer, Range, Told


class Scripted:
    """Takes ``room`` requests at a time; the test answers them."""

    def __init__(self, room: int, connections: int = 1000) -> None:
        self.room = room
        self.connections = connections
        self.sent: dict[int, tuple[Told, int]] = {}
        self.given_up: list[int] = []
        self.groups: list[int] = []
        self.most = 0
        self.error: Exception | None = None

    @property
    def scheduler(self) -> Scripted:
        return self

    @property
    def n_free(self) -> int:
        return max(0, self.room - len(self.sent))

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Sent | None:
        if self.error is not None:
            raise self.error
        n = min(len(ranges), self.n_free, max(0, self.connections))
        if not n:
            return None
        self.groups.append(n)
        self.connections -= n
        starts = [start for _, start, _ in ranges[:n]]
        self.sent |= {start: (done, i) for i, start in enumerate(starts)}
        self.most = max(self.most, len(self.sent))
        return Sent(self, starts)

    def answer(self, start: int, data: Buffer | None) -> None:
        self.connections += 1
        done, i = self.sent.pop(start)
        done(i, data)


class Sent:
    """As ``Begun``."""

    def __init__(self, store: Scripted, starts: list[int]) -> None:
        self.store = store
        self.starts = starts
        self.n = len(starts)

    def give_up(self) -> None:
        for start in self.starts:
            if self.store.sent.pop(start, None) is not None:
                self.store.given_up.append(start)


def fetches(n: int, nbytes: int = 10) -> list[Fetch]:
    return [Fetch("k", 1000 * i, 1000 * i + nbytes, (i,)) for i in range(n)]


class Case:
    """A burst, and what became of its fetches."""

    def __init__(self, store: Scripted, flying: Sequence[int] = ()) -> None:
        self.flying = set(flying)
        self.got: dict[int, Buffer] = {}
        self.departed: list[int] = []
        self.landed: list[int] = []
        self.ordinary: list[list[int]] = []
        self.burst = Burst(store, self._depart, self._arrive)  # type: ignore[arg-type]

    def _depart(self, fetch: Fetch) -> bool:
        if fetch.start in self.flying:
            return False
        self.departed.append(fetch.start)
        return True

    def _arrive(self, fetch: Fetch, data: Buffer | None) -> bool:
        self.landed.append(fetch.start)
        if data is None or data == b"wrong":
            return False
        self.got[fetch.start] = data
        return True

    async def _ordinary(self, left: Sequence[Fetch]) -> None:
        self.ordinary.append([fetch.start for fetch in left])
        for fetch in left:
            self.got[fetch.start] = b"slowly"

    def start(self, some: Sequence[Fetch]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self.burst.fetch(some, self._ordinary))

    def check_landed(self) -> None:
        assert sorted(self.departed) == sorted(self.landed)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_all_are_sent_before_any_is_answered() -> None:
    store = Scripted(64)
    case = Case(store)
    task = case.start(fetches(40))
    await turn()
    assert len(store.sent) == 40
    for start in list(store.sent):
        store.answer(start, b"x")
    await task
    assert store.groups == [40]
    assert case.got == dict.fromkeys(range(0, 40_000, 1000), b"x")
    assert case.ordinary == []
    case.check_landed()


async def test_more_than_there_is_room_for_go_as_others_end() -> None:
    store = Scripted(8)
    case = Case(store)
    task = case.start(fetches(100))
    await turn()
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    await task
    assert store.most == 8
    assert len(case.got) == 100
    assert case.ordinary == []
    case.check_landed()


async def test_what_no_connection_is_at_hand_for_goes_the_ordinary_way_at_once() -> None:
    store = Scripted(64, connections=3)
    case = Case(store)
    task = case.start(fetches(10))
    await turn()
    assert case.ordinary == [list(range(3000, 10_000, 1000))]
    for start in list(store.sent):
        store.answer(start, b"x")
    await task
    assert len(case.got) == 10
    case.check_landed()


async def test_the_rest_does_not_wait_for_the_few_connections_there_are() -> None:
    """Who has ten and wants a hundred opens others, at once."""
    store = Scripted(64, connections=10)
    case = Case(store)
    task = case.start(fetches(100))
    await turn()
    assert len(store.sent) == 10
    assert case.ordinary == [list(range(10_000, 100_000, 1000))]
    for start in list(store.sent):
        store.answer(start, b"x")
    await task
    assert len(case.ordinary) == 1
    case.check_landed()


async def test_many_are_sent_in_turns() -> None:
    store = Scripted(1000)
    case = Case(store)
    task = case.start(fetches(200))
    await asyncio.sleep(0)
    assert len(store.sent) == 64
    await turn()
    assert len(store.sent) == 200
    for start in list(store.sent):
        store.answer(start, b"x")
    await task
    assert case.ordinary == []
    case.check_landed()


async def test_a_connection_that_is_lost_keeps_the_rest_waiting_for_those_in_use() -> None:
    """What frees a slot and leaves no connection is no reason to leave the rest for the end."""
    store = Scripted(4)
    case = Case(store)
    task = case.start(fetches(12))
    await turn()
    store.connections = -1  # the answered one's is not kept
    store.answer(0, b"x")
    assert len(store.sent) == 3
    store.connections = 0
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    await task
    assert len(case.got) == 12
    assert case.ordinary == []
    case.check_landed()


async def test_without_room_all_go_the_ordinary_way() -> None:
    case = Case(Scripted(0))
    await case.start(fetches(5))
    assert case.ordinary[0] == [0, 1000, 2000, 3000, 4000]


async def test_long_ones_and_those_somebody_asked_for_go_the_ordinary_way() -> None:
    store = Scripted(64)
    case = Case(store, flying=[1000])
    long = Fetch("k", 10**9, 10**9 + (1 << 20) + 1, (9,))
    task = case.start([*fetches(3), long])
    await turn()
    assert case.ordinary == [[10**9, 1000]]
    for start in list(store.sent):
        store.answer(start, b"x")
    await task
    case.check_landed()


@pytest.mark.parametrize("answer", [None, b"wrong"])
async def test_what_did_not_come_or_is_wrong_is_asked_for_again(answer: bytes | None) -> None:
    store = Scripted(4)
    case = Case(store)
    task = case.start(fetches(8))
    await turn()
    store.answer(0, answer)
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    await task
    # A store that does not answer is not asked for more at once; wrong bytes say nothing of it.
    assert case.ordinary[0] == ([0, 4000, 5000, 6000, 7000] if answer is None else [0])
    assert case.got[0] == b"slowly"
    assert len(case.got) == 8
    case.check_landed()


async def test_others_that_wait_go_first() -> None:
    store = Scripted(4)
    case = Case(store)
    task = case.start(fetches(8))
    await turn()
    store.room = 0  # as where other requests wait for a slot
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    await task
    assert case.ordinary[0] == [4000, 5000, 6000, 7000]
    case.check_landed()


async def test_what_cannot_be_begun_any_more_is_said_by_the_ordinary_way() -> None:
    store = Scripted(2)
    case = Case(store)
    task = case.start(fetches(4))
    await turn()
    store.error = ClosedError("closed")
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    await task
    assert sorted(case.ordinary[0]) == [2000, 3000]
    case.check_landed()


async def test_cancelled_it_gives_up_what_was_begun() -> None:
    store = Scripted(4)
    case = Case(store)
    task = case.start(fetches(8))
    await turn()
    store.answer(1000, b"x")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(store.given_up) == [0, 2000, 3000, 4000]
    assert not store.sent
    case.check_landed()


async def test_whatever_goes_wrong_in_sending_is_left_to_the_ordinary_way() -> None:
    store = Scripted(2)
    case = Case(store)
    task = case.start(fetches(4))
    await turn()
    store.error = MemoryError()
    while store.sent:
        store.answer(next(iter(store.sent)), b"x")
    async with asyncio.timeout(5):
        await task
    assert sorted(case.ordinary[0]) == [2000, 3000]
    case.check_landed()


async def test_what_cannot_be_taken_is_asked_for_again() -> None:
    """Nobody would ever be told of an error of a callback."""
    store = Scripted(4)
    case = Case(store)
    arrive = case._arrive

    def full(fetch: Fetch, data: Buffer | None) -> bool:
        arrive(fetch, data)
        raise MemoryError

    case.burst._arrive = full
    task = case.start(fetches(2))
    await turn()
    for start in list(store.sent):
        store.answer(start, b"x")
    async with asyncio.timeout(5):
        await task
    assert case.ordinary == [[0, 1000]]
    case.check_landed()
