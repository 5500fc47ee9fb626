"""Reading payloads that are stored in parts, into memory once."""

from __future__ import annotations

import io
from collections.abc import Iterable

from aiolake._aio import map_concurrently
from aiolake.chunks.column import Parted
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.plan import Units

__all__ = ["read_parts", "without_parts"]

_PARALLEL = 8


async def read_parts(
    fetcher: Fetcher, units: Units, parted: Parted, start: int, stop: int, *, keep: bool
) -> bytes:
    """Bytes ``[start, stop)`` of a payload, cut at its end; parts outside are not fetched.

    Cost: one GET for each part touched, and no copy of the whole beside the result.
    """
    nbytes = max(0, min(stop, parted.length) - start)
    # Parts come in any order. BytesIO hands its buffer over without a copy, once it is full.
    out = io.BytesIO()
    if nbytes:
        out.seek(nbytes - 1)
        out.write(b"\0")

    async def take(wanted: tuple[int, int]) -> None:
        unit, at = wanted
        key, first = units.keys[int(units.key[unit])], int(units.start[unit])
        length, crc = int(units.length[unit]), int(units.crc[unit])
        data = memoryview(await fetcher.unit(key, first, length, crc, keep=keep))
        low, high = max(start, at), min(stop, at + length)
        out.seek(low - start)
        out.write(data[low - at : high - at])

    await map_concurrently(take, _touched(units, parted, start, stop), limit=_PARALLEL)
    return out.getvalue()


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
