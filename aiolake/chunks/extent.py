"""The counts and bounds of values, to hold statistics against. Pure.

Not made as statistics are made: what is compared shall not agree because it is the same code.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from aiolake.chunks.measure import Order, bound_value, order_of, plain_values
from aiolake.codecs import ByteRows, EntryCodec, FixedCodec, FixedRows
from aiolake.errors import FormatError
from aiolake.format.statistics import CUT_MAX, CUT_MIN, Statistics

__all__ = ["Extent", "Extents", "contradiction"]

_NOT_A_TIME = -(1 << 63)


class Extent(msgspec.Struct):
    """Some rows: how many are null or no number, and the bounds of the rest (texts as UTF-8)."""

    n: int = 0
    nulls: int = 0
    nans: int = 0
    low: Any = None
    high: Any = None

    def widen(self, low: Any, high: Any) -> None:
        """Values between these are here too."""
        self.low = low if self.low is None or low < self.low else self.low
        self.high = high if self.high is None or high > self.high else self.high


class Extents:
    """The rows of a piece as they come, as a whole and by zones.

    Args:
        codec: The column's.
        zone_rows: Rows of a zone; 0 for no zones.
    """

    def __init__(self, codec: FixedCodec | EntryCodec, zone_rows: int = 0) -> None:
        self.order = order_of(codec)
        self.whole = Extent()
        self.zones: list[Extent] = []
        self._times = isinstance(codec, FixedCodec) and codec.dtype.kind in "Mm"
        self._zone_rows = zone_rows

    def add_nulls(self, n: int, nulls: int) -> None:
        """Rows whose values are not compared."""
        self.whole.n += n
        self.whole.nulls += nulls

    def add(self, rows: FixedRows | ByteRows) -> None:
        """Rows, in order."""
        n, at = len(rows), 0
        valid = np.ones(n, bool)
        if isinstance(rows, ByteRows):
            valid[list(rows.missing)] = False
        elif rows.valid is not None:
            valid = rows.valid
        if self.order is Order.NONE:
            self.add_nulls(n, n - int(valid.sum()))
            return
        while at < n:
            zone = self._open()
            stop = min(n, at + self._zone_rows - zone.n) if self._zone_rows else n
            nans, values = self._values(rows, valid, at, stop)
            for each in {id(zone): zone, id(self.whole): self.whole}.values():
                each.n += stop - at
                each.nulls += stop - at - int(valid[at:stop].sum())
                each.nans += nans
                if len(values):
                    each.widen(min(values), max(values))
            at = stop

    def _open(self) -> Extent:
        """The zone the next row is in."""
        if not self._zone_rows:
            return self.whole
        if not self.zones or self.zones[-1].n == self._zone_rows:
            self.zones.append(Extent())
        return self.zones[-1]

    def _values(
        self, rows: FixedRows | ByteRows, valid: Any, start: int, stop: int
    ) -> tuple[int, list[Any]]:
        """How many are no numbers, and the rest: all texts, or the bounds of numbers."""
        if isinstance(rows, ByteRows):
            return 0, [rows.values[i] for i in range(start, stop) if valid[i]]
        if self.order is Order.TEXT:
            return 0, [bytes(v) for v in rows.array[start:stop][valid[start:stop]]]
        array = plain_values(rows.array[start:stop])[valid[start:stop]]
        no_number = array == _NOT_A_TIME if self._times else array != array
        there = array[~no_number]
        bounds = [there.min().item(), there.max().item()] if len(there) else []
        return int(no_number.sum()), bounds


def contradiction(stated: Statistics, found: Extent, order: Order) -> str | None:
    """What statistics say that the values do not; ``None`` where they agree."""
    if (stated.nulls, stated.nans) != (found.nulls, found.nans):
        return (
            f"{stated.nulls} nulls and {stated.nans} not-a-numbers, and there are {found.nulls} "
            f"and {found.nans}"
        )
    if order is Order.NONE or found.low is None:
        given = stated.min is not None or stated.max is not None
        return "bounds, and there is nothing to bound" if given else None
    try:
        low, high = (_comparable(bound, order) for bound in (stated.min, stated.max))
    except FormatError as error:
        return error.message
    if low is None or not (low < found.low if stated.cut & CUT_MIN else low == found.low):
        return f"a least value of {stated.min!r}, and it is {_shown(found.low)}"
    if high is None and stated.cut & CUT_MAX:
        return None
    if high is None or not (high > found.high if stated.cut & CUT_MAX else high == found.high):
        return f"a greatest value of {stated.max!r}, and it is {_shown(found.high)}"
    return None


def _comparable(bound: Any, order: Order) -> Any:
    value = bound_value(bound, order)
    return value.encode() if isinstance(value, str) else value


def _shown(value: Any) -> str:
    return repr(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)[:80]
