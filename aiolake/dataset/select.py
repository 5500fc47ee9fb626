"""Which rows a selection means. Pure."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from aiolake.errors import InvalidInputError, OutOfRangeError
from aiolake.ranges import Ids, Runs

__all__ = ["Selector", "one_position", "positions", "select_rows", "whole_number"]

Selector: TypeAlias = "SupportsIndex | slice | Sequence[SupportsIndex] | np.ndarray[Any, Any]"
"""An index, a slice, a list or array of indexes, or a mask with one truth value per row."""


def whole_number(value: object) -> int | None:
    """A whole number of any kind as an ``int``; ``None`` for anything else, truth values too."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def one_position(selector: object, n: int) -> int | None:
    """The position a single index means; ``None`` if the selector is no single index.

    Raises:
        OutOfRangeError: It lies outside ``[-n, n)``.
    """
    if type(selector) is int and 0 <= selector < n:
        return selector
    if isinstance(selector, bool | np.bool_):
        raise InvalidInputError("a truth value is no row; use an index, a slice, a list or a mask")
    index = whole_number(selector)
    if index is None:
        return None
    if not -n <= index < n:
        raise OutOfRangeError(
            f"row {index} is out of range: there are {n} rows, {-n} to {n - 1}"
            if n
            else f"row {index} is out of range: there are no rows",
            row=index,
            n_rows=n,
        )
    return index + n if index < 0 else index


def positions(selector: object, n: int) -> Ids:
    """The positions, in order, that a selector of several rows means.

    Raises:
        OutOfRangeError: An index lies outside ``[-n, n)``.
        InvalidInputError: A mask of another length, or no selector at all.
    """
    one = one_position(selector, n)
    if one is not None:
        return np.asarray([one], np.int64)
    if isinstance(selector, slice):
        return np.arange(*_indices(selector, n), dtype=np.int64)
    array = _as_array(selector)
    if array.dtype == bool:
        return _masked(array, n)
    out = (array < -n) | (array >= n)
    if out.any():
        row = int(array[int(np.argmax(out))])
        raise OutOfRangeError(f"row {row} is out of range: there are {n} rows", row=row, n_rows=n)
    found: Ids = np.where(array < 0, array + n, array)
    return found


def _indices(selector: slice, n: int) -> tuple[int, int, int]:
    try:
        return selector.indices(n)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{selector!r} is no slice of rows: {error}") from error


def _as_array(selector: object) -> Any:
    if isinstance(selector, str | bytes) or not hasattr(selector, "__len__"):
        raise InvalidInputError(
            f"{selector!r} selects no rows; use an index, a slice, a list of indexes or a mask"
        )
    if np.ma.is_masked(selector):
        raise InvalidInputError(
            "the selection is masked in part, where rows are None; say what is meant there, as in "
            "selection.filled(False)"
        )
    try:
        array = np.asarray(selector)
    except ValueError as error:
        raise InvalidInputError(f"{selector!r:.80} selects no rows: {error}") from error
    if array.ndim != 1:
        raise InvalidInputError(f"a selection has one dimension, got shape {array.shape}")
    if not array.size:
        return np.empty(0, np.int64)
    _refuse_huge(array)
    if array.dtype.kind not in "biu":
        raise InvalidInputError(f"rows are selected by integers or truth values, got {array.dtype}")
    return array if array.dtype == bool else array.astype(np.int64)


def _refuse_huge(array: Any) -> None:
    """Refuse whole numbers that int64 cannot hold: they would wrap around and name other rows."""
    if array.dtype != np.uint64 and array.dtype != object:
        return
    for row in array.tolist():
        if isinstance(row, int) and not -(1 << 63) <= row < 1 << 63:
            raise OutOfRangeError(f"row {row} is out of range", row=row)


def _masked(mask: Any, n: int) -> Ids:
    if len(mask) != n:
        raise InvalidInputError(f"the mask has {len(mask)} values, there are {n} rows")
    return np.flatnonzero(mask).astype(np.int64)


def select_rows(rows: Runs, selector: object) -> Runs:
    """The row ids that a selector means among ``rows``, in its order."""
    if isinstance(selector, slice):
        start, stop, step = _indices(selector, len(rows))
        if step == 1:
            return rows.slice(start, max(start, stop))
    return Runs.from_ids(rows.take(positions(selector, len(rows))))
