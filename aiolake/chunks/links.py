"""Reading a column whose samples lie outside the dataset."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from aiolake.chunks.assemble import Decode
from aiolake.chunks.follow import Follower, Where
from aiolake.chunks.located import Located
from aiolake.chunks.plan import Units
from aiolake.chunks.read import MISS, ColumnReader
from aiolake.codecs import LinkRows
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer
from aiolake.types import Reference

__all__ = ["LinkReader", "link_rows", "references_of"]


class LinkReader(ColumnReader, frozen=True, kw_only=True):
    """A column of links."""

    follower: Follower

    def value_now(self, id: int, decode: Decode) -> Any:
        """``None`` for a row that is so; what lies outside is waited for."""
        one = self.index.one_now(id)
        return None if one is not None and (one.null or one.constant is not None) else MISS

    async def batch(self, ids: Ids, decode: Decode, *, keep: bool = True) -> Any:
        """The values of some rows.

        Cost: at most one GET for each row and manifest block that is not in memory.
        """
        located, payloads = await self._read(ids, keep=keep)
        return await self.assemble(located, payloads, decode)

    async def value(self, id: Ids, decode: Decode) -> Any:
        """The value of one row (``id`` is an array of one)."""
        return (await self.batch(id, decode))[0]

    async def read_bytes(self, id: Ids, start: int, stop: int | None) -> bytes:
        """Bytes ``[start, stop)`` of what a row refers to; only those are fetched."""
        located = await self.index.locate(id)
        if not len(located.units):
            return b""
        units = _cut(located.units, start, stop)
        if stop is not None and stop <= start:
            return b""
        (data,) = await self.follower.units(
            located.sources,
            units,
            self._where(located, id),
            keep=False,
            may_end=bool(located.units.length[0] < 0),
        )
        return bytes(data)

    async def stored(self, located: Located) -> LinkRows:
        """The references of rows; what lies outside stays there."""
        return link_rows(located)

    async def references(self, ids: Ids) -> list[Reference | None]:
        """What rows refer to; nothing outside is read."""
        return references_of(await self.index.locate(ids))

    async def _read(self, ids: Ids, *, keep: bool) -> tuple[Located, list[Buffer]]:
        located = await self.index.locate(ids)
        units, where = located.units, self._where(located, ids)
        payloads = await self.follower.units(located.sources, units, where, keep=keep)
        length = np.fromiter(map(len, payloads), np.int64, len(payloads))
        located.units = msgspec.structs.replace(units, length=length)
        return located, payloads

    def _where(self, located: Located, ids: Ids) -> Where:
        def where(unit: int) -> tuple[str, dict[str, object]]:
            row = int(ids[int(np.flatnonzero(located.unit == unit)[0])])
            name = self.column.name
            return f"column {name!r}, row id {row},", {"column": name, "row": row}

        return where


def _cut(units: Units, start: int, stop: int | None) -> Units:
    """The one unit, without what lies before ``start`` and behind ``stop``."""
    length = int(units.length[0])
    if length < 0:
        wanted = -1 if stop is None else max(0, stop - start)
    else:
        wanted = max(0, min(length, length if stop is None else stop) - min(start, length))
    return msgspec.structs.replace(
        units,
        start=units.start + start,
        length=np.asarray([wanted], np.int64),
    )


def link_rows(located: Located) -> LinkRows:
    """The references of rows as columns, for packing them anew."""
    units, there = located.units, located.unit >= 0

    def column(values: Ids, missing: int) -> Ids:
        found = np.full(located.n, missing, np.int64)
        found[there] = values[located.unit[there]]
        return found

    objects = tuple((each.url, each.etag, each.creds_key) for each in located.sources)
    return LinkRows(objects, column(units.key, -1), column(units.start, 0), column(units.length, 0))


def references_of(located: Located) -> list[Reference | None]:
    """The references of rows, as they were given."""
    found: list[Reference | None] = [None] * located.n
    units = located.units
    for row, unit in enumerate(located.unit.tolist()):
        if unit >= 0:
            source = located.sources[int(units.key[unit])]
            length = int(units.length[unit])
            found[row] = Reference(
                source.url,
                int(units.start[unit]),
                None if length < 0 else length,
                source.etag,
                source.creds_key,
            )
    return found
