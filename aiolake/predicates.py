"""Conditions on the values of a column, for ``ds.where``. Pure values.

``ds.where(label=3, width=aiolake.between(200, 400), name=aiolake.not_(None))``: a plain value
stands for "equals", a list for "is one of", ``None`` for "is None".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from aiolake.errors import InvalidInputError

__all__ = [
    "IsNull",
    "Not",
    "OneOf",
    "Predicate",
    "Range",
    "between",
    "ge",
    "gt",
    "is_null",
    "isin",
    "le",
    "lt",
    "not_",
    "not_null",
    "predicate_of",
]


class Range(msgspec.Struct, frozen=True):
    """Values from ``low`` to ``high``; ``None`` is no bound, an open end does not belong to it."""

    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False


class OneOf(msgspec.Struct, frozen=True):
    """One of some values; None and NaN stand for themselves."""

    values: tuple[Any, ...]


class IsNull(msgspec.Struct, frozen=True):
    """The row is None."""


class Not(msgspec.Struct, frozen=True):
    """Every row that another condition does not match."""

    of: Range | OneOf | IsNull | Not


Predicate: TypeAlias = Range | OneOf | IsNull | Not
"""What the functions of this module make."""


def between(low: Any, high: Any) -> Predicate:
    """Values from ``low`` to ``high``, both included; never None and never NaN.

    Raises:
        InvalidInputError: A bound is None or NaN, or ``low`` is above ``high``.
    """
    _check_bounds("between", low, high)
    if type(low) is type(high) and low > high:
        raise InvalidInputError(
            f"between({low!r}, {high!r}) is empty: the lower bound is the first"
        )
    return Range(low, high)


def lt(value: Any) -> Predicate:
    """Values less than ``value``; never None and never NaN."""
    _check_bounds("lt", value)
    return Range(high=value, high_open=True)


def le(value: Any) -> Predicate:
    """Values up to ``value``, included; never None and never NaN."""
    _check_bounds("le", value)
    return Range(high=value)


def gt(value: Any) -> Predicate:
    """Values greater than ``value``; never None and never NaN."""
    _check_bounds("gt", value)
    return Range(low=value, low_open=True)


def ge(value: Any) -> Predicate:
    """Values from ``value`` on, included; never None and never NaN."""
    _check_bounds("ge", value)
    return Range(low=value)


def isin(values: Iterable[Any]) -> Predicate:
    """One of some values; None and NaN among them stand for themselves.

    Raises:
        InvalidInputError: A text, bytes or a mapping, or no collection at all.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidInputError(f"isin() takes a list of values, got {values!r:.80}")
    tolist = getattr(values, "tolist", None) if _is_numbers(values) else None
    return OneOf(tuple(values if tolist is None else tolist()))


def is_null() -> Predicate:
    """Rows that are None."""
    return IsNull()


def not_null() -> Predicate:
    """Rows that are not None."""
    return Not(IsNull())


def not_(condition: Any) -> Predicate:
    """Every row that a condition (or plain value) does not match: None and NaN too.

    ``not_(3)`` matches rows that are None; write ``not_([3, None])`` where they are not wanted.
    """
    found = predicate_of(condition)
    return found.of if isinstance(found, Not) else Not(found)


def predicate_of(condition: Any) -> Predicate:
    """What a user gave as a condition: a predicate, ``None``, a list of values, or a value.

    Raises:
        InvalidInputError: A slice, a mapping, a function, or an array of several dimensions.
    """
    if isinstance(condition, Range | OneOf | IsNull | Not):
        return condition
    if condition is None:
        return IsNull()
    if getattr(condition, "ndim", None) == 0:
        return OneOf((condition,))
    if isinstance(condition, str | bytes | bytearray | memoryview):
        return OneOf((condition,))
    if isinstance(condition, Mapping | slice) or callable(condition):
        raise InvalidInputError(
            f"{condition!r:.80} is no condition; use a value, a list of values, "
            "aiolake.between(low, high), lt, le, gt, ge, is_null() or not_(...)"
        )
    if isinstance(condition, Collection) or hasattr(condition, "__len__"):
        return isin(condition)
    return OneOf((condition,))


def _check_bounds(name: str, *bounds: Any) -> None:
    for bound in bounds:
        if bound is None or isinstance(bound, list | tuple | set | dict):
            raise InvalidInputError(
                f"a bound of {name}() is a value, got {bound!r:.80}; for one side only use lt, le, "
                "gt or ge, for None is_null()"
            )
        if bound != bound:
            raise InvalidInputError(f"{bound} has no place in an order; where(x={bound}) finds it")


def _is_numbers(values: Any) -> bool:
    """An array of numbers: as a list it holds Python's own; times are kept as they are."""
    return getattr(getattr(values, "dtype", None), "kind", "") in tuple("biuf")
