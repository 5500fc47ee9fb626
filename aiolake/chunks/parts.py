"""Reading payloads that are stored in parts, into memory once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable

from aiolake._aio import map_concurrently
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.located import Parted
from aiolake.chunks.plan import Fetch, Units
from aiolake.stores.base import Buffer

__all__ = ["read_parts", "without_parts"]

_PARALLEL = 8
_FETCH_BYTES = 8 << 20
_SLICE_BYTES = 1 << 20
"""What one turn of the loop copies: into fresh pages, 8 MiB can take 20 ms."""


async def read_parts(
    fetcher: Fetcher, units: Units, parted: Parted, start: int, stop: int, *, keep: bool
) -> bytes:
    """Bytes ``[start, stop)`` of a payload, cut at its end; parts outside are not fetched.

    Cost: one GET for each 8 MiB of parts touched, and no copy of the whole beside the result.
    """

    async def take(fetch: Fetch) -> list[Buffer]:
        return await fetcher.fetch_kept(fetch, units, keep=keep)

    touched, at = _touched(units, parted, start, stop)
    size = min(stop, at + sum(int(units.length[unit]) for unit in touched)) - start
    # BytesIO writes into bytes that only it holds, and hands them over without a copy.
    # Growing would move them, which some systems do by copying.
    out = io.BytesIO(bytes(max(0, size)))
    fetches = _neighbours(units, touched)
    for first in range(0, len(fetches), _PARALLEL):
        for payloads in await map_concurrently(take, fetches[first : first + _PARALLEL]):
            for payload in payloads:
                view = memoryview(payload)[max(0, start - at) : max(0, stop - at)]
                at += len(payload)
                for slice_start in range(0, len(view), _SLICE_BYTES):
                    out.write(view[slice_start : slice_start + _SLICE_BYTES])
                    await asyncio.sleep(0)
    return out.getvalue()


def _neighbours(units: Units, touched: list[int]) -> list[Fetch]:
    """Fetches of units that follow each other, of as many at once as one large part."""
    fetches: list[Fetch] = []
    for unit in touched:
        key, start = units.keys[int(units.key[unit])], int(units.start[unit])
        stop = start + int(units.length[unit])
        last = fetches[-1] if fetches else None
        follows = last is not None and last.key == key and last.stop == start
        if last is not None and follows and stop - last.start <= _FETCH_BYTES:
            fetches[-1] = Fetch(key, last.start, stop, (*last.units, unit))
        else:
            fetches.append(Fetch(key, start, stop, (unit,)))
    return fetches


def _touched(units: Units, parted: Parted, start: int, stop: int) -> tuple[list[int], int]:
    """The parts that hold bytes of a range, and the place of the first in the payload."""
    found: list[int] = []
    at = first = 0
    for unit in range(parted.first, parted.last):
        length = int(units.length[unit])
        if at < stop and start < at + length:
            first = first if found else at
            found.append(unit)
        at += length
    return found, first


def without_parts(units: Units, parted: Iterable[Parted]) -> Units:
    """The same units, those that are parts of huge payloads without a length: not fetched."""
    length = units.length.copy()
    for each in parted:
        length[each.first : each.last] = 0
    return Units(units.keys, units.key, units.start, length, units.crc)
