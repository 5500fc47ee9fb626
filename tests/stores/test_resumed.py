"""A range whose answer is cut short goes on where it ended."""

from __future__ import annotations

import random

import pytest

from aiolake.errors import TransientStoreError
from aiolake.options import Options
from aiolake.stores.base import Buffer
from aiolake.stores.memory import MemoryStore
from aiolake.stores.resumed import usable_part
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler
from aiolake.stores.transport.values import CutShortError, Response
from aiolake.testing import FakeClock

DATA = bytes(range(256)) * 4


def cut(received: bytes, status: int = 206, etag: str | None = "e") -> CutShortError:
    error = CutShortError("cut")
    error.received = received
    error.response = Response(status, {} if etag is None else {"etag": f'"{etag}"'}, b"")
    return error


class Cutting:
    """A store whose answers end after so many bytes; ``None`` answers whole.

    It has no immediate reads, as no remote store has.
    """

    def __init__(self, lengths: list[int | None], *, status: int = 206) -> None:
        self.inner = MemoryStore()
        self.lengths = lengths
        self.status = status
        self.asked: list[tuple[int, int]] = []
        self.etags = iter(["e"] * 99)
        self.url, self.listing, self.cost = "x://y", self.inner.listing, self.inner.cost

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        self.asked.append((start, stop))
        length = self.lengths.pop(0)
        if length is None:
            return DATA[start:stop]
        raise cut(DATA[start : start + length], self.status, next(self.etags))


class Matching(Cutting):
    """One that can say whether the object is still the same."""

    same = True

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        assert stop is not None
        assert etag == "e"
        if self.same:
            return await self.get_range(key, start, stop)
        self.asked.append((-1, -1))
        return None


async def read(store: Cutting, start: int = 10, stop: int = 910) -> bytes:
    scheduler = Scheduler(Options(max_attempts=6), clock=FakeClock(runs=True))
    scheduled = ScheduledStore(store, scheduler)  # type: ignore[arg-type]
    return bytes(await scheduled.get_range("k", start, stop))


@pytest.mark.parametrize("kind", [Cutting, Matching])
async def test_it_goes_on_from_the_byte_where_it_ended(kind: type[Cutting]) -> None:
    store = kind([100, 0, 250, None])
    assert await read(store) == DATA[10:910]
    assert store.asked == [(10, 910), (110, 910), (110, 910), (360, 910)]


async def test_an_object_that_was_replaced_is_read_anew() -> None:
    store = Matching([100, None])
    store.same = False
    assert await read(store) == DATA[10:910]
    assert store.asked == [(10, 910), (-1, -1), (10, 910)]


async def test_cut_answers_of_two_objects_are_not_joined() -> None:
    store = Cutting([100, 100, None])
    store.etags = iter(["e", "other"])
    assert await read(store) == DATA[10:910]
    assert store.asked == [(10, 910), (110, 910), (10, 910)]


async def test_an_answer_of_the_whole_object_is_not_used() -> None:
    store = Cutting([100, None], status=200)
    assert await read(store) == DATA[10:910]
    assert store.asked == [(10, 910), (10, 910)]


async def test_attempts_are_counted_as_ever() -> None:
    store = Cutting([10] * 50)
    with pytest.raises(TransientStoreError):
        await read(store)
    assert len(store.asked) == 6


async def test_any_cuts_give_the_same_bytes() -> None:
    rng = random.Random(1)
    for _ in range(300):
        start = rng.randrange(500)
        stop = rng.randrange(start + 1, 1000)
        lengths = [rng.randrange(40) for _ in range(rng.randrange(5))]
        lengths = [n for n in lengths if sum(lengths) < stop - start]
        assert await read(Cutting([*lengths, None]), start, stop) == DATA[start:stop]


def test_what_came_is_no_part_of_an_answer_that_is_unknown() -> None:
    error = CutShortError("cut")
    error.received = b"abc"
    assert usable_part(error) == (b"", None)
