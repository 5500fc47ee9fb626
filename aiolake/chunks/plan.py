"""Which ranges to fetch for the samples wanted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from aiolake.ranges import Ids
from aiolake.stores.base import CostModel

__all__ = ["Fetch", "Regions", "Units", "coalesce", "continues", "fetch_of", "regions"]


class Units(msgspec.Struct, frozen=True, eq=False):
    """Samples or pages to read, as columns of the same length.

    Attributes:
        keys: Objects named.
        key: Index into ``keys``.
        start: First byte.
        length: Bytes.
        crc: Expected crc32c.
    """

    keys: tuple[str, ...]
    key: Ids
    start: Ids
    length: Ids
    crc: Ids

    def __len__(self) -> int:
        return len(self.key)

    @property
    def nbytes(self) -> int:
        """Bytes of all units."""
        return int(self.length.sum())


class Fetch(msgspec.Struct, frozen=True):
    """One ranged read that serves some units (by index), which lie in it in order."""

    key: str
    start: int
    stop: int
    units: tuple[int, ...]


class Regions(msgspec.Struct, frozen=True, eq=False):
    """Units in the order they are stored, cut into ranges to be read at once.

    Attributes:
        order: Indexes of the units; those without bytes are left out.
        bounds: Region r serves ``order[bounds[r]:bounds[r + 1]]``.
    """

    order: Ids
    bounds: tuple[int, ...]


def regions(units: Units, cost: CostModel) -> Regions:
    """Group units by object, join neighbours at most ``gap_bytes`` apart; empty ones need none.

    A region of several units does not grow beyond ``max_range_bytes``; a single one may.
    """
    order = _stored_order(units)
    if len(order) <= 1:
        return Regions(order, tuple(range(len(order) + 1)))
    key, start = units.key[order], units.start[order]
    stop = start + units.length[order]
    same = key[1:] == key[:-1]
    if (same & (stop[1:] < stop[:-1])).any():  # one within another: rare, and never written
        stop = _reach(key, stop)
    apart = np.flatnonzero(~same | (start[1:] - stop[:-1] > cost.gap_bytes)) + 1
    if len(apart) == len(order) - 1:
        return Regions(order, tuple(range(len(order) + 1)))
    firsts, lasts = np.append(0, apart), np.append(apart, len(order))
    if (stop[lasts - 1] - start[firsts] <= cost.max_range_bytes).all():
        return Regions(order, (0, *lasts.tolist()))
    bounds = [0]
    for last in lasts.tolist():
        bounds += _cut(start, stop, bounds[-1], last, cost.max_range_bytes)
    return Regions(order, tuple(bounds))


def _stored_order(units: Units) -> Ids:
    wanted = np.flatnonzero(units.length)
    key, start = units.key[wanted], units.start[wanted]
    in_order = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & (start[1:] >= start[:-1]))
    return wanted if in_order.all() else wanted[np.lexsort((start, key))]


def _reach(key: Ids, stop: Ids) -> Ids:
    """How far the units of one object reach up to and with each."""
    firsts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])).tolist()
    groups = [np.maximum.accumulate(part) for part in np.split(stop, firsts[1:])]
    return np.concatenate(groups)


def _cut(start: Ids, stop: Ids, first: int, last: int, longest: int) -> list[int]:
    """Where the regions of units that hang together end."""
    ends = []
    while first < last:
        fits = int(stop[first:last].searchsorted(int(start[first]) + longest, side="right"))
        first += max(1, fits)
        ends.append(first)
    return ends


def coalesce(units: Units, cost: CostModel) -> tuple[Fetch, ...]:
    """The regions of units, as fetches."""
    found = regions(units, cost)
    order, bounds, keys = found.order.tolist(), found.bounds, units.keys
    first = units.start[found.order]
    last = (first + units.length[found.order]).tolist()
    key, first = units.key[found.order].tolist(), first.tolist()
    return tuple(
        Fetch(
            keys[key[a]],
            first[a],
            last[a] if b == a + 1 else max(last[a:b]),
            tuple(order[a:b]),
        )
        for a, b in pairwise(bounds)
    )


def fetch_of(units: Units, members: Sequence[int]) -> Fetch:
    """One read of units that lie in one object, in stored order."""
    first = members[0]
    start = int(units.start[first])
    stop = max(int(units.start[u] + units.length[u]) for u in members)
    return Fetch(units.keys[int(units.key[first])], start, stop, tuple(members))


def continues(start: int, stop: int, fetch: Fetch, cost: CostModel) -> bool:
    """Whether a fetch goes on in, or near the end of, the range ``[start, stop)`` of its object."""
    near = start <= fetch.start <= stop + cost.gap_bytes
    return near and max(stop, fetch.stop) - start <= cost.max_range_bytes
