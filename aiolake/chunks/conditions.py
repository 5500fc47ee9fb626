"""A condition in the terms of one column: exact bounds, and what statistics say of it. Pure."""

from __future__ import annotations

import datetime
import enum
import math
import numbers
from bisect import bisect_left
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.chunks.measure import Order, bound_value, order_of, plain_values
from aiolake.codecs import EntryCodec, FixedCodec, FixedRows
from aiolake.codecs.base import describe
from aiolake.codecs.convert import read_times
from aiolake.codecs.fixed_text import FixedTextCodec
from aiolake.codecs.label import LabelCodec
from aiolake.codecs.text import BytesCodec, TextCodec
from aiolake.errors import InvalidInputError
from aiolake.format.statistics import Statistics
from aiolake.predicates import IsNull, Not, OneOf, Predicate, Range
from aiolake.types import Column, summary

__all__ = ["Condition", "Interval", "Verdict", "condition_of", "match_payloads", "match_rows"]

Mask = npt.NDArray[np.bool_]
_LEAST_INT64 = -(1 << 63)
_BEYOND = 1 << 80
_FEW = 8
_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")


class Verdict(enum.IntEnum):
    """What statistics say of the rows they describe."""

    NONE = 0
    """No row matches."""
    MAYBE = 1
    """They must be read."""
    ALL = 2
    """Every row matches."""


class Interval(msgspec.Struct, frozen=True):
    """Values between bounds; ``None`` is no bound."""

    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it."""
        if self.low is not None and not (
            value > self.low or (value == self.low and not self.low_open)
        ):
            return False
        return self.high is None or value < self.high or (value == self.high and not self.high_open)


class Condition(msgspec.Struct, frozen=True):
    """Which values of a column match.

    Attributes:
        order: How its values are compared.
        null: Whether rows that are None match.
        nan: Whether NaN, or "not a time", matches.
        body: Other values that match: an interval, or distinct values in ascending order.
        outside: The other values that are *not* in ``body`` match instead.
    """

    order: Order
    null: bool = False
    nan: bool = False
    body: Interval | tuple[Any, ...] = ()
    outside: bool = False

    @property
    def needs_values(self) -> bool:
        """Whether more must be known of a row than that it is None."""
        return self.body != () or self.nan != self.outside

    @property
    def likely(self) -> float:
        """A guess at the share of rows that match."""
        share = 0.3 if isinstance(self.body, Interval) else min(0.9, 0.05 * len(self.body))
        return 1 - share if self.outside else share

    def negated(self) -> Condition:
        """What it does not match."""
        return Condition(self.order, not self.null, not self.nan, self.body, not self.outside)

    def verdict(self, statistics: Statistics | None, n: int) -> Verdict:
        """What statistics say of ``n`` rows."""
        if not self.needs_values and self.null == self.outside:
            return _decided(self.null)
        if statistics is None:
            return Verdict.MAYBE
        found = set()
        if statistics.nulls:
            found.add(_decided(self.null))
        if statistics.nans:
            found.add(_decided(self.nan))
        if statistics.nulls + statistics.nans < n:
            found.add(self._of_values(statistics))
        return found.pop() if len(found) == 1 else Verdict.MAYBE

    def _of_values(self, statistics: Statistics) -> Verdict:
        if not self.needs_values:
            return _decided(self.outside)
        low = bound_value(statistics.min, self.order)
        high = bound_value(statistics.max, self.order)
        if self.body == () and self.order is not Order.NONE:
            return _decided(self.outside)
        if low is None or high is None:
            return Verdict.MAYBE
        body = self.body
        found = (
            _in_interval(body, low, high) if isinstance(body, Interval) else _in(body, low, high)
        )
        return Verdict(Verdict.ALL - found) if self.outside else found


def _decided(matches: bool) -> Verdict:
    return Verdict.ALL if matches else Verdict.NONE


def _in_interval(body: Interval, low: Any, high: Any) -> Verdict:
    if body.holds(low) and body.holds(high):
        return Verdict.ALL
    below = body.low is not None and not (
        high > body.low or (high == body.low and not body.low_open)
    )
    above = body.high is not None and not (
        low < body.high or (low == body.high and not body.high_open)
    )
    return Verdict.NONE if below or above else Verdict.MAYBE


def _in(values: Sequence[Any], low: Any, high: Any) -> Verdict:
    at = bisect_left(values, low)
    if at == len(values) or values[at] > high:
        return Verdict.NONE
    return Verdict.ALL if low == high else Verdict.MAYBE


def condition_of(predicate: Predicate, column: Column, codec: FixedCodec | EntryCodec) -> Condition:
    """A predicate in the terms of a column.

    Raises:
        InvalidInputError: The column's values cannot be compared so; says what is possible.
    """
    if isinstance(predicate, Not):
        return condition_of(predicate.of, column, codec).negated()
    order = order_of(codec)
    if isinstance(predicate, IsNull):
        return Condition(order, null=True)
    try:
        convert = _converter(codec, column)
        if isinstance(predicate, Range):
            return _range(predicate, order, codec, convert)
        return _one_of(predicate, order, convert)
    except InvalidInputError as error:
        raise InvalidInputError(
            f"where(): column {column.name!r}: {error.message}", column=column.name
        ) from error.__cause__


class _Point(msgspec.Struct, frozen=True):
    """A user's value in a column's terms: the value, or for one that no row can hold the next less.

    ``beyond`` is 1 or -1 for one that is above or below all that the column can hold.
    """

    value: Any = None
    exact: bool = True
    beyond: int = 0
    nan: bool = False


Convert = Callable[[Any], _Point]


def _converter(codec: FixedCodec | EntryCodec, column: Column) -> Convert:
    if isinstance(codec, TextCodec | FixedTextCodec):
        return _text
    if isinstance(codec, BytesCodec):
        return _bytes
    if isinstance(codec, FixedCodec) and codec.row_shape == ():
        if isinstance(codec, LabelCodec):
            return lambda value: _label(value, codec)
        if codec.dtype.kind in "Mm":
            return lambda value: _time(value, codec.dtype)
        if codec.dtype.kind == "c":
            return _complex
        return _whole if order_of(codec) is Order.WHOLE else lambda value: _real(value, codec.dtype)
    raise InvalidInputError(
        f"it holds {summary(column.type)}, whose values are not compared; possible are None, "
        "is_null() and not_null(), and any condition on columns of single numbers, times, truth "
        "values, labels, Text and Bytes"
    )


def _one_of(predicate: OneOf, order: Order, convert: Convert) -> Condition:
    points = [convert(value) for value in predicate.values if value is not None]
    null = any(value is None for value in predicate.values)
    found = {point.value for point in points if point.exact and not point.nan and not point.beyond}
    values = sorted(found) if not any(isinstance(v, complex) for v in found) else list(found)
    return Condition(order, null, any(point.nan for point in points), tuple(values))


def _range(
    predicate: Range, order: Order, codec: FixedCodec | EntryCodec, convert: Convert
) -> Condition:
    if order is Order.NONE:
        raise InvalidInputError("its values have no order; possible are values, lists, not_()")
    bounds = (predicate.low, predicate.high)
    if isinstance(codec, LabelCodec) and any(isinstance(bound, str) for bound in bounds):
        raise InvalidInputError("labels have no order by name; give a list of names")
    low, high = (None if bound is None else convert(bound) for bound in bounds)
    if any(point is not None and point.nan for point in (low, high)):
        raise InvalidInputError("a bound that is no number, or no time, has no place in an order")
    if order is Order.WHOLE:
        body = _whole_interval(low, high, predicate)
    else:
        body = Interval(
            None if low is None else low.value,
            None if high is None else high.value,
            low is not None and _is_open(low, predicate.low_open, -1),
            high is not None and _is_open(high, predicate.high_open, 1),
        )
    return Condition(order, body=body)


def _is_open(point: _Point, given: bool, outward: int) -> bool:
    """An end that lies beyond every finite value, as an infinity, which the infinite rows equal."""
    return given if not point.beyond else point.beyond == outward


def _whole_interval(low: _Point | None, high: _Point | None, given: Range) -> Interval:
    """Closed: whole numbers have a next one."""
    first = last = None
    if low is not None:
        first = low.value + (1 if given.low_open or not low.exact else 0)
    if high is not None:
        last = high.value - (1 if given.high_open and high.exact else 0)
    return Interval(first, last)


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value


def _number(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, numbers.Real | Decimal):
        return value
    raise InvalidInputError(f"expected a number, got {describe(value)}")


def _whole(value: Any) -> _Point:
    number = _number(value)
    if number != number:
        return _Point(0, exact=False)  # no whole number is NaN, and NaN no bound
    if number in (math.inf, -math.inf):
        return _Point(_BEYOND if number > 0 else -_BEYOND, exact=False)
    return _Point(math.floor(number), exact=number == math.floor(number))


def _real(value: Any, dtype: np.dtype[Any]) -> _Point:
    number = _number(value)
    try:
        exact = float(number)
    except OverflowError:
        sign = 1 if number > 0 else -1
        return _Point(sign * math.inf, beyond=sign)
    if math.isnan(exact):
        return _Point(nan=True)
    with np.errstate(all="ignore"):
        rounded = float(np.asarray(exact).astype(dtype))
    # As numpy: a Python number is compared as the column's dtype; one too large for it as it is.
    return _Point((rounded if math.isfinite(rounded) else exact) + 0.0)


def _complex(value: Any) -> _Point:
    number = _plain(value)
    if not isinstance(number, numbers.Complex):
        raise InvalidInputError(f"expected a number, got {describe(value)}")
    found = complex(number)
    return _Point(nan=True) if found != found else _Point(found)


def _label(value: Any, codec: LabelCodec) -> _Point:
    if isinstance(value, str):
        return _Point(codec.number_of(value))
    return _whole(value)


def _text(value: Any) -> _Point:
    if not isinstance(value, str):
        raise InvalidInputError(f"expected text (str), got {describe(value)}")
    value = str(value)
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInputError("the text holds a lone surrogate, which no stored text does")
    return _Point(value)


def _bytes(value: Any) -> _Point:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidInputError(f"expected bytes, got {describe(value)}")
    return _Point(bytes(value))


def _time(value: Any, dtype: np.dtype[Any]) -> _Point:
    if not isinstance(
        value, np.datetime64 | np.timedelta64 | datetime.date | datetime.timedelta | str
    ):
        raise InvalidInputError(f"expected a time ({dtype.name}), got {describe(value)}")
    time = read_times(value, dtype.kind)
    if time.dtype.kind != dtype.kind:
        raise InvalidInputError(f"expected a time ({dtype.name}), got {describe(value)}")
    if np.isnat(time):
        return _Point(nan=True)
    have, want = _unit(time.dtype), _unit(dtype)
    if have is None or want is None:
        raise InvalidInputError(f"{value!r} has no unit; give one, as in np.timedelta64(5, 's')")
    there = time.astype(dtype)
    back, ticks = there.astype(time.dtype), int(there.astype(np.int64))
    if back == time:
        return _Point(ticks)
    if want > have:  # a finer unit, which does not reach so far
        beyond = _BEYOND if int(time.astype(np.int64)) > 0 else -_BEYOND
        return _Point(beyond, exact=False)
    return _Point(ticks - 1 if back > time else ticks, exact=False)


def _unit(dtype: np.dtype[Any]) -> int | None:
    """The rank of a time's unit, finer ones later."""
    unit = np.datetime_data(dtype)[0]
    return _UNITS.index(unit) if unit in _UNITS else None


def match_rows(condition: Condition, codec: FixedCodec, rows: FixedRows) -> Mask:
    """Which rows of a fixed-shape column match, shape (n,)."""
    if isinstance(codec, FixedTextCodec):
        texts = rows.array.tolist()
        if rows.valid is not None:
            texts = [text if ok else None for text, ok in zip(texts, rows.valid, strict=True)]
        return match_payloads(condition, texts)
    if condition.needs_values:
        values = plain_values(rows.array)
        hit = _hits(condition, values) != condition.outside
        nan = values == _LEAST_INT64 if codec.dtype.kind in "Mm" else values != values
        hit = np.where(nan, condition.nan, hit)
    else:
        hit = np.full(len(rows), condition.outside)
    return hit if rows.valid is None else np.where(rows.valid, hit, condition.null)


def _hits(condition: Condition, values: Any) -> Mask:
    """Which values are in the condition's body."""
    body = condition.body
    if condition.order is Order.REAL:
        values = values.astype(np.float64)
    if isinstance(body, Interval):
        return _within(body, values)
    if condition.order is Order.WHOLE:
        info = np.iinfo(values.dtype)
        body = tuple(value for value in body if info.min <= value <= info.max)
    if len(body) <= _FEW:
        hit = np.zeros(len(values), bool)
        for value in body:
            hit |= values == value
        return hit
    return np.isin(values, np.asarray(body, values.dtype))


def _within(body: Interval, values: Any) -> Mask:
    hit = np.ones(len(values), bool)
    low, high = body.low, body.high
    if values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        if (low is not None and low > info.max) or (high is not None and high < info.min):
            return np.zeros(len(values), bool)
        low = None if low is None else max(low, info.min)
        high = None if high is None else min(high, info.max)
    if low is not None:
        hit &= values > low if body.low_open else values >= low
    if high is not None:
        hit &= values < high if body.high_open else values <= high
    return hit


def match_payloads(condition: Condition, payloads: Sequence[bytes | None]) -> Mask:
    """Which texts (as UTF-8) or bytes match, shape (n,)."""
    body = condition.body
    if isinstance(body, Interval):
        # UTF-8 has the order of the code points.
        low, high = (None if end is None else end.encode() for end in (body.low, body.high))
        holds: Callable[[Any], bool] = Interval(low, high, body.low_open, body.high_open).holds
    else:
        holds = frozenset(map(payload_of, body)).__contains__
    null, outside = condition.null, condition.outside
    found = (null if value is None else holds(value) != outside for value in payloads)
    return np.fromiter(found, bool, len(payloads))


def payload_of(value: str | bytes) -> bytes:
    """The bytes a text or bytes are stored as, uncompressed."""
    return value.encode() if isinstance(value, str) else value
