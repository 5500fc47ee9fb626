"""Taking units that are at hand: verified reads that wait for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec

from aiolake.chunks.plan import Fetch, Units, fetch_of, regions
from aiolake.format.checksum import crc32c, crc32c_of_bytes
from aiolake.stores.base import Buffer
from aiolake.stores.scheduled import ScheduledStore

__all__ = ["ImmediateReads", "Reads"]

REGION_BYTES = 256 << 10
"""Neighbours read together stay in a core's cache while they are checked and copied."""

_LONGEST_BYTES = 1 << 20
_LONG_BYTES = 48 << 10  # so long units are better read into their own memory at once


class _Scratch(threading.local):
    """Where regions land before each unit becomes ``bytes``: pages that are touched already."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(REGION_BYTES))


_scratch = _Scratch()


class Reads(msgspec.Struct, frozen=True, eq=False):
    """Units in stored order as columns, cut into reads: read r is ``bounds[r]:bounds[r + 1]``."""

    unit: list[int]
    key: list[str]
    start: list[int]
    stop: list[int]
    crc: list[int]
    bounds: Sequence[int]


class ImmediateReads:
    """Reads units of one store that often answers at once.

    Args:
        store: The dataset's scheduled store.
    """

    def __init__(self, store: ScheduledStore) -> None:
        self._now = store.get_range_now
        self._into = store.read_now if store.reads_into else None
        longest = REGION_BYTES if store.reads_into else _LONGEST_BYTES
        self._cost = replace(store.cost, max_range_bytes=longest)

    def reads(self, units: Units) -> Reads:
        """Which reads the units take."""
        plan = regions(units, self._cost)
        order = plan.order
        start = units.start[order]
        keys = units.keys
        return Reads(
            unit=order.tolist(),
            key=[keys[k] for k in units.key[order].tolist()],
            start=start.tolist(),
            stop=(start + units.length[order]).tolist(),
            crc=units.crc[order].tolist(),
            bounds=plan.bounds,
        )

    def take(self, units: Units, out: list[Buffer], refused: list[Fetch]) -> Iterator[int]:
        """Put each unit's verified bytes into ``out``, what cannot be had into ``refused``.

        Yields:
            The bytes of each read.
        """
        reads = self.reads(units)
        for first, last in pairwise(reads.bounds):
            nbytes = reads.stop[last - 1] - reads.start[first]
            one_by_one = nbytes >= _LONG_BYTES * (last - first) or last - first == 1
            take = self._take_each if one_by_one else self._take_region
            if not take(reads, first, last, out):
                refused.append(fetch_of(units, reads.unit[first:last]))
            yield nbytes

    def _take_each(self, reads: Reads, first: int, last: int, out: list[Buffer]) -> bool:
        for at in range(first, last):
            start, stop = reads.start[at], reads.stop[at]
            data = self._now(reads.key[at], start, stop)
            if data is None or len(data) != stop - start or crc32c(data) != reads.crc[at]:
                return False
            out[reads.unit[at]] = data
        return True

    def _take_region(self, reads: Reads, first: int, last: int, out: list[Buffer]) -> bool:
        start = reads.start[first]
        view = self._region(reads.key[first], start, max(reads.stop[first:last]))
        if view is None:
            return False
        stops, crcs, unit = reads.stop, reads.crc, reads.unit
        for at in range(first, last):
            payload = bytes(view[reads.start[at] - start : stops[at] - start])
            if crc32c_of_bytes(payload) != crcs[at]:
                return False
            out[unit[at]] = payload
        return True

    def _region(self, key: str, start: int, stop: int) -> memoryview | None:
        if self._into is not None:
            view = _scratch.view[: stop - start]
            return view if self._into(key, start, view) else None
        data = self._now(key, start, stop)
        return None if data is None or len(data) != stop - start else memoryview(data)
