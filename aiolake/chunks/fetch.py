"""Reading verified ranges of one store: at once where it can answer at once, else in parallel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from aiolake._aio import SingleFlight, map_concurrently
from aiolake.chunks.burst import Burst
from aiolake.chunks.cache import MemoryCache
from aiolake.chunks.disk import DiskCache
from aiolake.chunks.now import ImmediateReads
from aiolake.chunks.plan import Fetch, Units, coalesce, fetch_of
from aiolake.errors import CorruptDataError
from aiolake.format.checksum import crc32c, crc32c_of_bytes, verify
from aiolake.stores.base import Buffer, CostModel
from aiolake.stores.scheduled import ScheduledStore

__all__ = ["Fetcher"]

_Out: TypeAlias = dict[int, Buffer] | list[Buffer]

_YIELD_BYTES = 8 << 20
_YIELD_READS = 256
_COPIED_BYTES = 64 << 10
_READ_TOGETHER = 32
"""Ranges that a thread reads of a disk at a time: less is little beside the hop to it."""
_USED_PART = 0.75
"""Of the memory a payload lies in, for it to be kept there: the rest is kept with it."""


class Fetcher:
    """Verified reads of one dataset's objects.

    Args:
        store: The dataset's scheduled store.
        cache: Where payloads of stores that cannot answer at once are kept.
        disk: Where their bytes are kept beyond that, and for other processes.
    """

    def __init__(
        self, store: ScheduledStore, cache: MemoryCache, disk: DiskCache | None = None
    ) -> None:
        self.store = store
        self.cache = cache
        self._disk = None if store.answers_now else disk
        self.url = store.url
        self._flights: SingleFlight[tuple[str, int, int, int], Buffer] = SingleFlight()
        self._immediate = ImmediateReads(store) if store.answers_now else None
        self._now: Callable[[str, int, int], Buffer | None] = store.get_range_now

    @property
    def cost(self) -> CostModel:
        """What requests cost."""
        return self.store.cost

    def unit_now(self, key: str, start: int, length: int, crc: int) -> Buffer | None:
        """A verified range if it can be had without waiting; ``None`` if not, or if it is bad."""
        if self._immediate is not None:
            data = self._now(key, start, start + length)
        else:
            data = self.cache.get((self.url, key, start))
        if data is None:
            return None
        if len(data) != length:
            return None
        found = crc32c_of_bytes(data) if type(data) is bytes else crc32c(data)
        return data if found == crc else None

    async def unit(
        self,
        key: str,
        start: int,
        length: int,
        crc: int,
        *,
        keep: bool = True,
        again: bool = False,
    ) -> Buffer:
        """A verified range.

        Args:
            key, start, length, crc: Which, and its checksum.
            keep: It may stay in the cache.
            again: It was asked for already, of the disk and by a burst, in vain.

        Raises:
            NotFoundError: There is no such object.
            CorruptDataError: The bytes are wrong, also when read a second time.
        """
        data = self.unit_now(key, start, length, crc) if length else b""
        if data is None:
            # Those who want it at once get it by one request, as many as they are.
            wanted = ((start, length, crc),)
            data = await self._flights.do(
                (key, start, length, crc),
                # Not a lambda, whose cells the collector of garbage would look through.
                partial(self._read, key, start, start + length, wanted, again),
            )
            if keep and self._immediate is None:
                self._keep(key, start, data)
        return data

    async def units(self, units: Units, *, keep: bool) -> list[Buffer]:
        """Every unit's bytes, verified, in the order of ``units``.

        Args:
            units: What to read; neighbours are read together.
            keep: Whether payloads may stay in the cache: not for passes over a whole dataset.
        """
        out: list[Buffer] = [b""] * len(units)
        if self._immediate is not None:
            missing, waiting = units, await self._take_now(self._immediate, units, out)
        else:
            missing = self._cached(units, out)
            waiting = coalesce(missing, self.store.cost)
        if waiting:
            await self._take(waiting, missing, out, keep)
        return out

    async def _take_now(
        self, immediate: ImmediateReads, units: Units, out: list[Buffer]
    ) -> Sequence[Fetch]:
        """Take what can be had at once; returns the rest. Lets others run now and then."""
        waiting: list[Fetch] = []
        n_bytes = n_reads = 0
        for nbytes in immediate.take(units, out, waiting):
            n_bytes, n_reads = n_bytes + nbytes, n_reads + 1
            if n_bytes > _YIELD_BYTES or n_reads >= _YIELD_READS:
                n_bytes = n_reads = 0
                await asyncio.sleep(0)
        return waiting

    async def fetch(self, fetch: Fetch, units: Units, *, again: bool = False) -> list[Buffer]:
        """The payloads of one fetch's units, verified, in order; ``again`` as of ``unit``."""
        out: dict[int, Buffer] = {}
        crcs: list[int] = units.crc.tolist()
        left: Sequence[Fetch] = (fetch,)
        if self._disk is not None and not again:
            left = await self._from_disk(self._disk, left, units, crcs, out)
        for rest in left:
            await self._fetch(rest, units, crcs, out, again=again)
        return [out[u] for u in fetch.units]

    async def _fetch(
        self,
        fetch: Fetch,
        units: Units,
        crcs: list[int],
        out: dict[int, Buffer],
        *,
        again: bool,
    ) -> None:
        for _ in range(2):  # wrong bytes are fetched once more
            data = await self.store.get_range(fetch.key, fetch.start, fetch.stop, begin=not again)
            if _distribute(data, fetch, units, crcs, out):
                if self._disk is not None:
                    self._disk.keep(self.url, fetch.key, fetch.start, data)
                return
        wanted = ((int(units.start[u]), int(units.length[u]), crcs[u]) for u in fetch.units)
        _require(data, fetch.key, fetch.start, fetch.stop, tuple(wanted))
        raise AssertionError("a fetch is right or refused")

    async def _from_disk(
        self,
        disk: DiskCache,
        fetches: Sequence[Fetch],
        units: Units,
        crcs: list[int],
        out: _Out,
    ) -> list[Fetch]:
        """Take what the disk has; fetches of the rest."""
        left: list[Fetch] = []
        n_hits = n_misses = nbytes = 0
        found = await disk.read(self.url, [(each.key, each.start, each.stop) for each in fetches])
        for fetch, data in zip(fetches, found, strict=True):
            missing = _missing_of(data, fetch, units, crcs, out)
            n_hits += len(fetch.units) - len(missing)
            n_misses += len(missing)
            if missing:
                left.append(fetch_of(units, missing))
            if len(missing) < len(fetch.units):
                nbytes += sum(len(out[u]) for u in set(fetch.units).difference(missing))
        disk.count(hits=n_hits, misses=n_misses, nbytes=nbytes)
        return left

    async def on_disk(self, key: str, start: int, stop: int) -> Buffer | None:
        """What the disk has of a range, to be checked by who takes it."""
        return None if self._disk is None else await self._one_of_disk(self._disk, key, start, stop)

    async def _one_of_disk(self, disk: DiskCache, key: str, start: int, stop: int) -> Buffer | None:
        (found,) = await disk.read(self.url, [(key, start, stop)])
        return found

    async def whole(self, key: str) -> Buffer:
        """All bytes of an immutable object, which its reader checks."""
        data = await self.store.get(key)
        if self._disk is not None:
            self._disk.keep(self.url, key, 0, data)
        return data

    async def fetch_kept(self, fetch: Fetch, units: Units, *, keep: bool) -> list[Buffer]:
        """As ``fetch``; from the cache if all of it is there, and ``keep`` lets it stay there."""
        if len(fetch.units) == 1:
            (u,) = fetch.units
            length, crc = int(units.length[u]), int(units.crc[u])
            return [await self.unit(fetch.key, fetch.start, length, crc, keep=keep)]
        found = [
            self.unit_now(fetch.key, int(units.start[u]), int(units.length[u]), int(units.crc[u]))
            for u in fetch.units
        ]
        at_hand = [payload for payload in found if payload is not None]
        if len(at_hand) == len(found):
            return at_hand
        payloads = await self.fetch(fetch, units)
        if keep and self._immediate is None:
            for u, payload in zip(fetch.units, payloads, strict=True):
                self._keep(fetch.key, int(units.start[u]), payload)
        return payloads

    def _cached(self, units: Units, out: list[Buffer]) -> Units:
        """Take what the cache has; the rest keeps its place, the taken have no length."""
        if not len(self.cache):
            return units
        lengths, url, names, cache = units.length.tolist(), self.url, units.keys, self.cache
        taken: list[int] = []
        places = zip(units.key.tolist(), units.start.tolist(), lengths, strict=True)
        for u, (key, start, length) in enumerate(places):
            if not length:  # an empty payload may name no object
                continue
            found = cache.get((url, names[key], start))
            if found is not None and len(found) == length:
                out[u] = found
                taken.append(u)
        if not taken:
            return units
        length = units.length.copy()
        length[taken] = 0
        return Units(units.keys, units.key, units.start, length, units.crc)

    async def _take(
        self, fetches: Sequence[Fetch], units: Units, out: list[Buffer], keep: bool
    ) -> None:
        taking = _Taking(self, units, out, keep and self._immediate is None)
        if len(fetches) > 1:
            fetches = await taking.from_disk(fetches)
        if len(fetches) > 1:
            await taking.together(fetches)
        else:
            await taking.one_by_one(fetches)

    def _keep(self, key: str, start: int, payload: Buffer) -> None:
        """In the memory cache; what is part of something larger is copied out of it."""
        if type(payload) is memoryview and payload.nbytes < _USED_PART * _nbytes_of(payload.obj):
            payload = bytes(payload)
        self.cache.put((self.url, key, start), payload, len(payload))

    async def _read(
        self,
        key: str,
        start: int,
        stop: int,
        wanted: Iterable[tuple[int, int, int]],
        again: bool,
    ) -> Buffer:
        """A range with every unit in it verified; wrong bytes are fetched once more."""
        wanted = tuple(wanted)
        disk = self._disk
        if disk is not None and not again:
            kept = await self._one_of_disk(disk, key, start, stop)
            if kept is not None and _whole(kept, start, stop, wanted):
                disk.count(hits=1, misses=0, nbytes=len(kept))
                return kept
            disk.count(hits=0, misses=1, nbytes=0)
        data = await self.store.get_range(key, start, stop, begin=not again)
        if not _whole(data, start, stop, wanted):
            data = await self.store.get_range(key, start, stop)
            _require(data, key, start, stop, wanted)
        if disk is not None:
            disk.keep(self.url, key, start, data)
        return data


class _Taking:
    """Units on their way from a store to where their readers want them.

    Args:
        fetcher: Whose store, flights and cache.
        units: What is read.
        out: Takes each unit's bytes, verified.
        keep: Whether they may stay in the cache.
    """

    def __init__(self, fetcher: Fetcher, units: Units, out: list[Buffer], keep: bool) -> None:
        self._fetcher = fetcher
        self._units = units
        self._out = out
        self._keep = keep
        self._crcs: list[int] = units.crc.tolist()
        self._asked = False

    async def from_disk(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        """Take what the disk has, if there is one; fetches of the rest."""
        fetcher, disk = self._fetcher, self._fetcher._disk
        if disk is None:
            return fetches
        self._asked = True

        async def take(some: Sequence[Fetch]) -> list[Fetch]:
            out: dict[int, Buffer] = {}
            left = await fetcher._from_disk(disk, some, self._units, self._crcs, out)
            for u, payload in out.items():
                self._place(u, payload)
            return left

        parts = [fetches[i : i + _READ_TOGETHER] for i in range(0, len(fetches), _READ_TOGETHER)]
        return [fetch for left in await map_concurrently(take, parts) for fetch in left]

    async def together(self, fetches: Sequence[Fetch]) -> None:
        """In a burst."""
        self._asked = True
        await Burst(self._fetcher.store, self.depart, self.arrive).fetch(fetches, self.one_by_one)

    async def one_by_one(self, fetches: Sequence[Fetch]) -> None:
        """A task for each, which waits, retries, and follows who has asked for the same."""
        await map_concurrently(self._take, fetches)

    async def _take(self, fetch: Fetch) -> None:
        if len(fetch.units) == 1:
            (u,) = fetch.units
            key, start, length, crc = self._flight(fetch)
            self._out[u] = await self._fetcher.unit(
                key, start, length, crc, keep=self._keep, again=self._asked
            )
            return
        payloads = await self._fetcher.fetch(fetch, self._units, again=self._asked)
        for u, payload in zip(fetch.units, payloads, strict=True):
            self._place(u, payload)

    def depart(self, fetch: Fetch) -> bool:
        """Whether it may be sent: not where somebody has asked for the same."""
        return len(fetch.units) > 1 or self._fetcher._flights.take_off(self._flight(fetch))

    def arrive(self, fetch: Fetch, data: Buffer | None) -> bool:
        """Take what came of one that departed; whether it was there, and right."""
        if len(fetch.units) == 1:
            return self._arrive_alone(fetch, data)
        if data is None or not _distribute(data, fetch, self._units, self._crcs, self._out):
            return False
        for u in fetch.units:
            self._place(u, self._out[u])
        self._keep_on_disk(fetch, data)
        return True

    def _arrive_alone(self, fetch: Fetch, data: Buffer | None) -> bool:
        """One of one unit, which others may have come to wait for."""
        flight = key, start, length, crc = self._flight(fetch)
        if data is not None:
            found = crc32c_of_bytes(data) if type(data) is bytes else crc32c(data)
            if found != crc or len(data) != length:
                data = None
        self._fetcher._flights.land(flight, data)
        if data is None:
            return False
        self._out[fetch.units[0]] = data
        if self._keep:
            self._fetcher._keep(key, start, data)
        self._keep_on_disk(fetch, data)
        return True

    def _place(self, u: int, payload: Buffer) -> None:
        """Where its reader wants it, and in the cache."""
        self._out[u] = payload
        if self._keep:
            key = self._units.keys[int(self._units.key[u])]
            self._fetcher._keep(key, int(self._units.start[u]), payload)

    def _keep_on_disk(self, fetch: Fetch, data: Buffer) -> None:
        fetcher = self._fetcher
        if fetcher._disk is not None:
            fetcher._disk.keep(fetcher.url, fetch.key, fetch.start, data)

    def _flight(self, fetch: Fetch) -> tuple[str, int, int, int]:
        """What ``Fetcher.unit`` knows a fetch of one unit by."""
        return fetch.key, fetch.start, fetch.stop - fetch.start, self._crcs[fetch.units[0]]


def _nbytes_of(owner: Any) -> int:
    return memoryview(owner).nbytes


def _distribute(data: Buffer, fetch: Fetch, units: Units, crcs: list[int], out: Any) -> bool:
    """Put each unit's bytes into ``out``; whether all of them are right."""
    if len(data) != fetch.stop - fetch.start:
        return False
    if len(fetch.units) == 1:
        (u,) = fetch.units
        out[u] = data
        return crc32c(data) == crcs[u]
    view = memoryview(data)
    members = np.asarray(fetch.units)
    starts = units.start[members] - fetch.start
    stops = starts + units.length[members]
    for u, start, stop in zip(fetch.units, starts.tolist(), stops.tolist(), strict=True):
        payload: Buffer = view[start:stop]
        if stop - start <= _COPIED_BYTES:
            # Before the checksum, which is faster of bytes; who decodes it would copy it anyway.
            payload = bytes(payload)
        out[u] = payload
        if crc32c(payload) != crcs[u]:
            return False
    return True


def _missing_of(
    data: bytes | None, fetch: Fetch, units: Units, crcs: list[int], out: _Out
) -> list[int]:
    """Put the units that are right in what a disk had into ``out``; the others."""
    if data is None:
        return list(fetch.units)
    if len(fetch.units) == 1:
        (u,) = fetch.units
        if crc32c_of_bytes(data) != crcs[u]:
            return [u]
        out[u] = data
        return []
    missing: list[int] = []
    for u in fetch.units:
        start = int(units.start[u]) - fetch.start
        payload = data[start : start + int(units.length[u])]
        if crc32c_of_bytes(payload) == crcs[u]:
            out[u] = payload
        else:
            missing.append(u)
    return missing


def _whole(data: Buffer, start: int, stop: int, wanted: tuple[tuple[int, int, int], ...]) -> bool:
    if len(data) != stop - start:
        return False
    view = memoryview(data)
    return all(crc32c(view[at - start : at - start + n]) == crc for at, n, crc in wanted)


def _require(
    data: Buffer, key: str, start: int, stop: int, wanted: tuple[tuple[int, int, int], ...]
) -> None:
    if len(data) != stop - start:
        raise CorruptDataError(
            f"{key!r} ends at byte {start + len(data)}, bytes {start}..{stop} were expected: it "
            "was cut short; restore it from a copy",
            key=key,
            start=start,
            stop=stop,
        )
    view = memoryview(data)
    for at, length, crc in wanted:
        verify(view[at - start : at - start + length], crc, key, at)
