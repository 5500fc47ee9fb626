"""Statistics of values, made while they are packed. Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np

from aiolake.codecs import ByteRows, Encoded, EntryCodec, FixedCodec, FixedRows
from aiolake.codecs.dtypes import is_native
from aiolake.codecs.fixed_text import FixedTextCodec
from aiolake.codecs.text import TextCodec
from aiolake.dtypes import dtype_kind
from aiolake.errors import FormatError
from aiolake.format.manifest import Array
from aiolake.format.statistics import (
    CUT_MAX,
    CUT_MIN,
    ZONE_ROWS,
    Bound,
    Statistics,
    ZonesRef,
    encode_zones,
)

__all__ = ["Measure", "Order", "bound_value", "merged", "order_of", "plain_values", "zones_of"]

MAX_TEXT_CHARS = 32
_MAX_ZONES_INLINE = 16
_MAX_ZONES = 1 << 16
_FEW = 16
_WIDE = 0.95
_LEAST_INT64 = -(1 << 63)


class Order(enum.Enum):
    """How the values of a column are compared."""

    WHOLE = "whole"
    """As whole numbers: integers, labels, truth values, times."""
    REAL = "real"
    """As floats."""
    TEXT = "text"
    """As texts."""
    NONE = "none"
    """Not at all; only what is None is counted."""


def order_of(codec: FixedCodec | EntryCodec) -> Order:
    """How values of a codec are compared."""
    if isinstance(codec, TextCodec | FixedTextCodec):
        return Order.TEXT
    if isinstance(codec, FixedCodec) and codec.row_shape == ():
        kind = dtype_kind(codec.dtype.name)
        return Order.REAL if kind == "f" else Order.WHOLE if kind in "biuMm" else Order.NONE
    return Order.NONE


def plain_values(array: Array) -> Array:
    """Scalars as numpy compares them: times as int64, ``ml_dtypes`` as the nearest numpy dtype."""
    if array.dtype.kind in "Mm":
        return array.view(np.int64)
    if array.dtype == bool:
        return array.view(np.uint8)
    if is_native(array.dtype):
        return array
    return array.astype(np.float32 if dtype_kind(array.dtype.name) == "f" else np.int8)


class _Zone(msgspec.Struct):
    """Counts and bounds so far; values are numbers, or the bytes of texts."""

    n: int = 0
    nulls: int = 0
    nans: int = 0
    low: Any = None
    high: Any = None

    def widen(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


class Measure:
    """Statistics of one column's values as they come.

    Args:
        codec: The column's.
    """

    def __init__(self, codec: FixedCodec | EntryCodec) -> None:
        self.order = order_of(codec)
        self._is_time = isinstance(codec, FixedCodec) and codec.dtype.kind in "Mm"
        self._nulls = 0
        self._zones: list[_Zone] = []
        self._open = _Zone()

    def add_rows(self, rows: FixedRows) -> None:
        """Rows of a fixed-shape column."""
        if self.order is Order.NONE:
            self._nulls += 0 if rows.valid is None else len(rows) - int(rows.valid.sum())
            return
        if self.order is Order.TEXT:
            self.add_bytes(_texts(rows))
            return
        values, at, n = plain_values(rows.array), 0, len(rows)
        while at < n:
            whole = 0 if self._open.n or rows.valid is not None else (n - at) // ZONE_ROWS
            stop = at + whole * ZONE_ROWS if whole else min(n, at + ZONE_ROWS - self._open.n)
            if whole:
                self._add_whole(values[at:stop].reshape(whole, ZONE_ROWS))
            else:
                self._add_part(values[at:stop], _cut(rows, at, stop))
            at = stop

    def add_entries(self, samples: Sequence[Encoded | None]) -> None:
        """Samples of a column of entries, which are not compared."""
        self._nulls += sum(sample is None for sample in samples)

    def add_missing(self, n: int) -> None:
        """So many rows that are None, of a column whose values are not compared."""
        self._nulls += n

    def add_bytes(self, rows: ByteRows) -> None:
        """Values of varying size; texts are compared as their UTF-8."""
        if self.order is Order.NONE:
            self._nulls += len(rows.missing)
            return
        missing = frozenset(rows.missing)
        at, n = 0, len(rows)
        while at < n:
            stop = min(n, at + ZONE_ROWS - self._open.n)
            texts = rows.values[at:stop]
            if missing:
                texts = [rows.values[i] for i in range(at, stop) if i not in missing]
            if texts:
                self._open.widen(min(texts), max(texts))
            self._open.nulls += stop - at - len(texts)
            self._advance(stop - at)
            at = stop

    def finish(self) -> tuple[Statistics, tuple[Statistics, ...]]:
        """What all rows are like, and each zone of 4,096 of them (the last is shorter)."""
        if self.order is Order.NONE:
            return Statistics(self._nulls), ()
        zones = [*self._zones, self._open] if self._open.n else self._zones
        found = tuple(self._stated(zone) for zone in zones)
        return merged(found, self.order), found

    def _add_whole(self, zones: Array) -> None:
        """Many zones at once; those with what is no value one by one."""
        lows, highs = zones.min(axis=1).tolist(), zones.max(axis=1).tolist()
        for i, (low, high) in enumerate(zip(lows, highs, strict=True)):
            if low != low or (self._is_time and low == _LEAST_INT64):
                self._add_part(zones[i], None)
            else:
                self._zones.append(_Zone(ZONE_ROWS, low=low, high=high))

    def _add_part(self, values: Array, valid: Array | None) -> None:
        zone, n = self._open, len(values)
        if valid is not None:
            values = values[valid]
            zone.nulls += n - len(values)
        there = self._without_nans(values)
        zone.nans += len(values) - len(there)
        if len(there) > _FEW:
            zone.widen(there.min().item(), there.max().item())
        elif len(there):
            few = there.tolist()
            zone.widen(min(few), max(few))
        self._advance(n)

    def _without_nans(self, values: Array) -> Array:
        if self._is_time:
            values = values[values != _LEAST_INT64]
        if self.order is Order.REAL:
            values = values[values == values]
        return values

    def _advance(self, n: int) -> None:
        self._open.n += n
        if self._open.n == ZONE_ROWS:
            self._zones.append(self._open)
            self._open = _Zone()

    def _stated(self, zone: _Zone) -> Statistics:
        if zone.low is None:
            return Statistics(zone.nulls, zone.nans)
        if self.order is not Order.TEXT:
            low, high = _stored(zone.low), _stored(zone.high)
            return Statistics(zone.nulls, zone.nans, low, high)
        (low, cut_low), (high, cut_high) = _text(zone.low), _text(zone.high)
        above = _after(high) if cut_high else high
        return Statistics(zone.nulls, 0, low, above, cut_low * CUT_MIN | cut_high * CUT_MAX)


def _texts(rows: FixedRows) -> ByteRows:
    """Rows of text of a fixed size, without what fills them up."""
    missing = [] if rows.valid is None else np.flatnonzero(~rows.valid).tolist()
    return ByteRows(rows.array.tolist(), missing)


def _cut(rows: FixedRows, start: int, stop: int) -> Array | None:
    return None if rows.valid is None else rows.valid[start:stop]


def _stored(value: Any) -> Bound:
    """A number as JSON can say it; minus zero is zero."""
    if isinstance(value, float):
        return str(value) if value in (float("inf"), float("-inf")) else value + 0.0
    return int(value)


def _text(payload: Any) -> tuple[str, bool]:
    """The beginning of a text, and whether it is cut."""
    # A character is at most four bytes; one that is cut at the end is left out.
    beginning = bytes(payload[: 4 * MAX_TEXT_CHARS]).decode("utf-8", "ignore")[:MAX_TEXT_CHARS]
    return beginning, len(beginning.encode()) < len(payload)


def _after(beginning: str) -> str | None:
    """A text after all that begin so; ``None`` if there is none."""
    for i in range(len(beginning) - 1, -1, -1):
        code = ord(beginning[i])
        if code < 0x10FFFF:
            # What lies between is no character of its own.
            return beginning[:i] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


def bound_value(bound: Bound | None, order: Order) -> Any:
    """A bound as the values of a column compare with it; ``None`` where there is none.

    Raises:
        FormatError: It is no value of such a column.
    """
    if bound is None:
        return None
    big = isinstance(bound, int) and not -(1 << 63) <= bound < 1 << 64
    if order is Order.REAL and not big and (not isinstance(bound, str) or bound in ("inf", "-inf")):
        return float(bound)
    if type(bound) is (str if order is Order.TEXT else int) and not big:
        return bound
    raise FormatError(f"statistics of a column name {bound!r}, which it cannot hold")


def merged(parts: Sequence[Statistics], order: Order) -> Statistics:
    """The statistics of several stretches of rows together."""
    return reduce(lambda a, b: _both(a, b, order), parts) if parts else Statistics()


def _both(a: Statistics, b: Statistics, order: Order) -> Statistics:
    nulls, nans = a.nulls + b.nulls, a.nans + b.nans
    bounded = [part for part in (a, b) if part.min is not None]
    if not bounded:
        return Statistics(nulls, nans)
    # Of a bound and a value that are equal the value is the least, or the greatest, there is.
    least = min(bounded, key=lambda part: (bound_value(part.min, order), part.cut & CUT_MIN))
    most = next((part for part in bounded if part.max is None), None) or max(
        bounded, key=lambda part: (bound_value(part.max, order), not part.cut & CUT_MAX)
    )
    cut = least.cut & CUT_MIN | most.cut & CUT_MAX
    return Statistics(nulls, nans, least.min, most.max, cut)


def zones_of(
    zones: Sequence[Statistics], whole: Statistics, order: Order, *, inline: bool
) -> tuple[ZonesRef, bytes] | None:
    """The table of a piece's zones; ``None`` where it would not tell more than the piece's own.

    Args:
        zones: Of 4,096 rows each; joined where they would be too many.
        whole: Of all rows.
        order: The column's.
        inline: It shall lie in the piece, and be short.
    """
    rows, at_most = ZONE_ROWS, _MAX_ZONES_INLINE if inline else _MAX_ZONES
    while len(zones) > at_most:
        rows *= 2
        zones = [merged(zones[i : i + 2], order) for i in range(0, len(zones), 2)]
    if len(zones) < 2 or not _tells(zones, whole, order):
        return None
    return encode_zones(zones, rows)


def _tells(zones: Sequence[Statistics], whole: Statistics, order: Order) -> bool:
    """Whether a filter could pass over a zone that the whole does not let it pass over."""
    if whole.nulls and not all(zone.nulls for zone in zones):
        return True
    low, high = bound_value(whole.min, order), bound_value(whole.max, order)
    spans = [
        (bound_value(zone.min, order), bound_value(zone.max, order))
        for zone in zones
        if zone.min is not None
    ]
    if order is Order.TEXT or low is None or high == low or math.isinf(high - low):
        return any(span != (low, high) for span in spans)
    return bool(sum((b - a) / (high - low) for a, b in spans) < _WIDE * len(spans))
