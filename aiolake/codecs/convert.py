"""Whatever numpy can read, as an array of one dtype, without losing what it says.

Allowed are conversions that keep the meaning: within a kind (range checked when narrowing), from
truth values to numbers, between signed and unsigned integers, from integers to floats and from
real to complex. Floats are not cut to integers, and nothing becomes infinite, NaN or another time.
"""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import describe
from aiolake.codecs.dtypes import int_range, is_native
from aiolake.dtypes import dtype_kind
from aiolake.errors import InvalidInputError

__all__ = ["bytes_of", "cast", "read_times", "to_array"]

Array: TypeAlias = NDArray[Any]

_FROM = {
    "b": "b",
    "i": "biu",
    "u": "biu",
    "f": "biuf",
    "c": "biufc",
    "M": "M",
    "m": "m",
}
_TIMES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)
_NEVER_INFINITE = {"float4_e2m1fn": 6.0, "float6_e2m3fn": 7.5, "float6_e3m2fn": 28.0}
"""The largest values of the dtypes that have neither infinity nor NaN."""


def to_array(value: object, dtype: np.dtype[Any]) -> Array:
    """A value as a C-contiguous array of ``dtype``; one that is so already is not copied.

    Raises:
        InvalidInputError: It is no array, or not one that ``dtype`` can hold exactly enough.
    """
    return np.asarray(cast(_read(value, dtype), dtype), order="C")


def bytes_of(array: Array) -> memoryview:
    """The bytes of a C-contiguous array, as a view: of times and ``ml_dtypes`` too."""
    # Those export no buffers of their own.
    return array.reshape(-1).view(np.uint8).data


def _read(value: object, dtype: np.dtype[Any]) -> Array:
    if isinstance(value, np.ndarray | np.generic):
        return _unmasked(value)
    kind = dtype_kind(dtype.name)
    if kind in "Mm":
        return read_times(value, kind)
    source = _as_numpy(value, None)
    if source.size == 0 and isinstance(value, list | tuple):
        return np.empty(source.shape, dtype)
    if kind in "iu" and source.dtype.kind in "fO" and _all_ints(value):
        # numpy reads a list with integers on both sides of 2**63 as float64.
        return _read_ints(value, dtype)
    return source


def _read_ints(value: object, dtype: np.dtype[Any]) -> Array:
    low, high = int_range(dtype.name)
    for number in _leaves(value):
        if not low <= number <= high:  # type: ignore[operator]
            raise InvalidInputError(
                f"{describe(number)} is out of range of {dtype.name}: {low} to {high}"
            )
    return _as_numpy(value, np.dtype(np.uint64 if dtype.name.startswith("u") else np.int64))


def _unmasked(value: np.ndarray[Any, Any] | np.generic) -> Array:
    if type(value) is not np.ndarray and isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise InvalidInputError("a sample is masked in part: fill it, or give None instead")
        return np.asarray(value.data)
    return np.asarray(value)


def without_mask(values: Any) -> Any:
    """Rows of samples of varying size, ``None`` where a masked array masks all of a row.

    What is no masked array is returned as it is.
    """
    if isinstance(values, list) or not isinstance(values, np.ndarray) or type(values) is np.ndarray:
        return values
    if not isinstance(values, np.ma.MaskedArray) or not values.ndim:
        return values
    mask = np.ma.getmaskarray(values).reshape(len(values), -1)
    missing = set(np.flatnonzero(mask.all(axis=1) & mask.any(axis=1)).tolist())
    return [None if i in missing else values[i] for i in range(len(values))]


def _as_numpy(value: object, dtype: np.dtype[Any] | None) -> Array:
    try:
        return np.asarray(value, dtype)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise InvalidInputError(f"{describe(value)} is no array: {error}") from error


def read_times(value: object, kind: str) -> Array:
    """Times (``kind`` ``M``) or durations (``m``) in the unit they are given in.

    Raises:
        InvalidInputError: Something else, or a time with a time zone.
    """
    for leaf in _leaves(value):
        if isinstance(leaf, datetime.datetime) and leaf.tzinfo is not None:
            raise InvalidInputError(
                f"{leaf} has a time zone and would lose it: convert to UTC and drop tzinfo"
            )
        if not isinstance(leaf, _TIMES) and not (isinstance(leaf, str) and kind == "M"):
            if isinstance(leaf, np.ndarray):
                continue
            raise InvalidInputError(f"expected times, got {describe(leaf)}")
    return _as_numpy(value, np.dtype("M8" if kind == "M" else "m8"))


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _all_ints(value: object) -> bool:
    return all(isinstance(leaf, numbers.Integral) for leaf in _leaves(value))


def cast(source: Array, dtype: np.dtype[Any]) -> Array:
    """``source`` as ``dtype``, itself where it has that dtype.

    Raises:
        InvalidInputError: The conversion is not one that keeps the meaning, or a value is out of
            range.
    """
    if source.dtype == dtype:
        return source
    have, want = dtype_kind(source.dtype.name), dtype_kind(dtype.name)
    if have not in _FROM[want]:
        raise InvalidInputError(_refusal(source.dtype, dtype, have, want))
    if want in "iu":
        return _cast_ints(source, dtype)
    return _cast_times(source, dtype) if want in "Mm" else _cast_floats(source, dtype)


def _refusal(source: np.dtype[Any], dtype: np.dtype[Any], have: str, want: str) -> str:
    hint = ""
    if have == "f" and want in "iu":
        hint = "; round and convert them yourself if that is meant"
    elif have == "?":
        hint = "; strings, None and mixed values are not numbers"
    elif have == "c":
        hint = "; take the real part or the magnitude"
    given = {"U": "text", "S": "bytes"}.get(source.kind, source.name)
    return f"expected {dtype.name}, got {given}{hint}"


def _cast_ints(source: Array, dtype: np.dtype[Any]) -> Array:
    if source.dtype.name != "bool":
        source = source if is_native(source.dtype) else source.astype(np.int16)
        low, high = int_range(dtype.name)
        have_low, have_high = int_range(source.dtype.name)
        if source.size and (have_low < low or have_high > high):
            _check_range(source, low, high, dtype)
    elif not is_native(dtype):
        source = source.astype(np.int8)
    return source.astype(dtype)


def _check_range(source: Array, low: int, high: int, dtype: np.dtype[Any]) -> None:
    least, most = int(source.min()), int(source.max())
    if least < low or most > high:
        outside = least if least < low else most
        raise InvalidInputError(f"{outside} is out of range of {dtype.name}: {low} to {high}")


def _cast_floats(source: Array, dtype: np.dtype[Any]) -> Array:
    if not is_native(source.dtype) and not is_native(dtype):
        source = source.astype(np.float32)  # Holds each of them; not all convert to each other.
    with np.errstate(all="ignore"):
        out = source.astype(dtype)
        native = is_native(dtype) and is_native(source.dtype)
        if native and (np.can_cast(source.dtype, dtype, "safe") or np.isfinite(out).all()):
            return out
        lost = _lost(source, out)
    if lost.any():
        first = source[lost].reshape(-1)[0]
        raise InvalidInputError(f"{first} is out of range of {dtype.name}")
    return out


def _lost(source: Array, out: Array) -> NDArray[np.bool_]:
    """Where a value became infinite or NaN, or a dtype without those held it at its limit."""
    lost = np.asarray(np.isfinite(source) & ~np.isfinite(out))
    if is_native(out.dtype):
        return lost
    before, after = source.astype(np.float64), out.astype(np.float64)
    lost |= (np.isnan(before) != np.isnan(after)) | (np.isinf(before) != np.isinf(after))
    if out.dtype.name in _NEVER_INFINITE:
        lost |= np.abs(before) > _NEVER_INFINITE[out.dtype.name]
    return lost


def _cast_times(source: Array, dtype: np.dtype[Any]) -> Array:
    out = source.astype(dtype)
    back = out.astype(source.dtype)
    changed = (back != source) & ~(np.isnat(source) & np.isnat(out))
    if changed.any():
        first = source[changed].reshape(-1)[0]
        raise InvalidInputError(f"{first!s} does not fit {dtype.name} exactly")
    return out
