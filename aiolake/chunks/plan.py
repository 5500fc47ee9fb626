"""Which ranges to fetch for the samples wanted. Pure."""

from __future__ import annotations

import msgspec
import numpy as np

from aiolake.ranges import Ids
from aiolake.stores.base import CostModel

__all__ = ["Fetch", "Units", "coalesce", "continues"]


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


def coalesce(units: Units, cost: CostModel) -> tuple[Fetch, ...]:
    """Group units by object, join neighbours at most ``gap_bytes`` apart; empty ones need none.

    A fetch of several units does not grow beyond ``max_range_bytes``; a single one may.
    """
    wanted = np.flatnonzero(units.length > 0)
    if not len(wanted):
        return ()
    order = wanted[np.lexsort((units.start[wanted], units.key[wanted]))]
    rows = zip(
        order.tolist(),
        units.key[order].tolist(),
        units.start[order].tolist(),
        units.length[order].tolist(),
        strict=True,
    )
    fetches: list[Fetch] = []
    unit, key, start, length = next(rows)
    members, stop = [unit], start + length
    for unit, next_key, next_start, length in rows:
        grown = max(stop, next_start + length)
        near = next_start - stop <= cost.gap_bytes and grown - start <= cost.max_range_bytes
        if next_key == key and near:
            members.append(unit)
            stop = grown
            continue
        fetches.append(Fetch(units.keys[key], start, stop, tuple(members)))
        members, key, start, stop = [unit], next_key, next_start, next_start + length
    fetches.append(Fetch(units.keys[key], start, stop, tuple(members)))
    return tuple(fetches)


def continues(start: int, stop: int, fetch: Fetch, cost: CostModel) -> bool:
    """Whether a fetch goes on in, or near the end of, the range ``[start, stop)`` of its object."""
    near = start <= fetch.start <= stop + cost.gap_bytes
    return near and max(stop, fetch.stop) - start <= cost.max_range_bytes
