"""Reading payloads that are stored in parts, into memory once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable

from aiolake._aio import map_concurrently
from aiolake.chunks.column import Parted
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.plan import Units
from aiolake.stores.base import Buffer

__all__ = ["read_parts", "without_parts"]

_PARALLEL = 8


async def read_parts(
    fetcher: Fetcher, units: Units, parted: Parted, start: int, stop: int, *, keep: bool
) -> bytes:
    """Bytes ``[start, stop)`` of a payload, cut at its end; parts outside are not fetched.

    Cost: one GET for each part touched, and no copy of the whole beside the result.
    """

    async def take(wanted: tuple[int, int]) -> memoryview:
        unit, at = wanted
        data = memoryview(await _unit(fetcher, units, unit, keep=keep))
        return data[max(0, start - at) : max(0, stop - at)]

    # Written in order BytesIO grows without a copy, and hands its buffer over without one.
    out = io.BytesIO()
    touched = _touched(units, parted, start, stop)
    for first in range(0, len(touched), _PARALLEL):
        for data in await map_concurrently(take, touched[first : first + _PARALLEL]):
            out.write(data)
            await asyncio.sleep(0)
    return out.getvalue()


async def _unit(fetcher: Fetcher, units: Units, unit: int, *, keep: bool) -> Buffer:
    start, length = int(units.start[unit]), int(units.length[unit])
    key = units.keys[int(units.key[unit])]
    return await fetcher.unit(key, start, length, int(units.crc[unit]), keep=keep)


def _touched(units: Units, parted: Parted, start: int, stop: int) -> list[tuple[int, int]]:
    """The parts that hold bytes of a range, each with its place in the payload."""
    found: list[tuple[int, int]] = []
    at = 0
    for unit in range(parted.first, parted.last):
        length = int(units.length[unit])
        if at < stop and start < at + length:
            found.append((unit, at))
        at += length
    return found


def without_parts(units: Units, parted: Iterable[Parted]) -> Units:
    """The same units, those that are parts of huge payloads without a length: not fetched."""
    length = units.length.copy()
    for each in parted:
        length[each.first : each.last] = 0
    return Units(units.keys, units.key, units.start, length, units.crc)
