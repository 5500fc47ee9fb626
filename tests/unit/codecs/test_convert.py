"""Conversions between dtypes: what keeps its meaning passes, the rest is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs.convert import to_array
from aiolake.errors import InvalidInputError
from tests.unit.codecs.helpers import NATIVE, SMALL, numpy_dtype

NUMBERS = [name for name in NATIVE + SMALL if "64[" not in name]


def rank(name: str) -> int:
    """bool, integers, floats, complex: each converts to those at or above it."""
    if "int" in name:
        return 1
    return {"b": 0, "f": 2, "c": 3}["f" if name == "bfloat16" else name[0]]


def may_become(source: str, target: str) -> bool:
    return rank(source) <= rank(target) and (target != "bool" or source == "bool")


@pytest.mark.parametrize("target", NUMBERS)
def test_one_converts_exactly_upwards(target: str) -> None:
    for source in NUMBERS:
        one = np.ones(2, numpy_dtype(source))
        if may_become(source, target):
            out = to_array(one, numpy_dtype(target))
            assert out.dtype == numpy_dtype(target), source
            assert out.astype(np.complex128).tolist() == [1, 1], source
        else:
            with pytest.raises(InvalidInputError, match=f"expected {target}, got {source}"):
                to_array(one, numpy_dtype(target))


@pytest.mark.parametrize("target", [n for n in NUMBERS if "int" in n])
@given(value=st.integers(-(2**63), 2**64 - 1))
def test_integers_pass_exactly_when_they_fit(target: str, value: int) -> None:
    bits = int(target.lstrip("uint"))
    low, high = (0, 2**bits) if target[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    dtype = numpy_dtype(target)
    for given_value in (value, low, high - 1):
        if low <= given_value < high:
            assert int(to_array([given_value], dtype)[0]) == given_value
        else:
            with pytest.raises(InvalidInputError):
                to_array([given_value], dtype)
    for outside in (low - 1, high):
        with pytest.raises(InvalidInputError):
            to_array(outside, dtype)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("float32", 3.5e38),
        ("float16", -1e6),
        ("bfloat16", 1e39),
        ("float8_e4m3fn", 1000.0),
        ("float8_e4m3fn", np.inf),
        ("float8_e5m2", 1e6),
        ("float8_e8m0fnu", 0.0),
        ("float8_e8m0fnu", -1.0),
        ("float6_e2m3fn", 8.0),
        ("float4_e2m1fn", 7.0),
        ("float4_e2m1fn", np.nan),
        ("complex64", 1e39),
    ],
)
def test_no_value_becomes_infinite_or_nan_or_a_limit(target: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match="out of range"):
        to_array([1.0, value], numpy_dtype(target))


def test_nan_and_infinity_stay_what_they_are() -> None:
    for target in ("float16", "float32", "bfloat16", "float8_e5m2", "complex64"):
        out = to_array([np.nan, np.inf, -np.inf], numpy_dtype(target)).astype(np.complex128)
        assert np.isnan(out[0].real)
        assert out[1:].real.tolist() == [np.inf, -np.inf]


TIMES: list[tuple[str, Any, str]] = [
    ("datetime64[us]", dt.datetime(2020, 1, 2, 3, 4, 5, 6), "2020-01-02T03:04:05.000006"),
    ("datetime64[D]", dt.date(2020, 1, 2), "2020-01-02"),
    ("datetime64[ns]", dt.date(2020, 1, 2), "2020-01-02T00:00:00.000000000"),
    ("datetime64[s]", "2020-01-02T03:04", "2020-01-02T03:04:00"),
    ("datetime64[s]", np.datetime64("2020-01-02T03:04:05", "ns"), "2020-01-02T03:04:05"),
    ("datetime64[s]", np.datetime64("NaT"), "NaT"),
    ("timedelta64[ms]", dt.timedelta(seconds=2), "2000 milliseconds"),
]


@pytest.mark.parametrize(("target", "value", "shown"), TIMES, ids=repr)
def test_times_convert_where_the_unit_holds_them(target: str, value: Any, shown: str) -> None:
    for out in (to_array(value, np.dtype(target)), to_array([[value]], np.dtype(target))[0, 0]):
        assert str(out) == shown
        assert out.dtype == np.dtype(target)


@pytest.mark.parametrize(
    ("target", "value", "reason"),
    [
        ("datetime64[D]", dt.datetime(2020, 1, 1, 12), "does not fit datetime64"),
        ("datetime64[s]", np.datetime64(1, "ns"), "does not fit datetime64"),
        ("datetime64[ns]", np.datetime64("9999-01-01"), "does not fit datetime64"),
        ("timedelta64[s]", np.timedelta64(1, "ms"), "does not fit timedelta64"),
        ("datetime64[s]", dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "time zone"),
        ("datetime64[s]", "yesterday", "no array"),
        ("datetime64[s]", 5, "expected times"),
        ("datetime64[s]", [None], "expected times"),
        ("timedelta64[s]", 5, "expected times"),
        ("timedelta64[s]", "5", "expected times"),
        ("timedelta64[s]", dt.date(2020, 1, 1), "no array"),
        ("timedelta64[s]", np.datetime64("2020-01-01"), "expected timedelta64"),
        ("datetime64[s]", np.array([1, 2]), "expected datetime64"),
        ("int64", np.datetime64("2020-01-01", "s"), "expected int64"),
        ("float32", dt.timedelta(1), "expected float32"),
    ],
    ids=repr,
)
def test_times_that_would_change_are_refused(target: str, value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        to_array(value, np.dtype(target))


@pytest.mark.parametrize(
    "value", [np.array([1], object), np.array(["a"]), np.zeros(1, [("a", "f4")]), {1}, None]
)
def test_what_holds_no_numbers_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected int32"):
        to_array(value, np.dtype("i4"))


def test_empty_lists_are_empty_arrays_of_any_dtype() -> None:
    for name in NATIVE + SMALL:
        assert to_array([[], []], numpy_dtype(name)).shape == (2, 0)


class _Foreign:
    """An array of another library, as torch's are."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.error:
            raise self.error
        return np.arange(3, dtype=np.float64)


def test_arrays_of_other_libraries_are_read_and_their_refusals_passed_on() -> None:
    assert to_array(_Foreign(), np.dtype("f4")).tolist() == [0, 1, 2]
    with pytest.raises(InvalidInputError, match="copy it to the host first"):
        to_array(_Foreign(TypeError("copy it to the host first")), np.dtype("f4"))


def test_longdouble_is_read_where_it_fits() -> None:
    assert to_array(np.longdouble(1.5), np.dtype("f8")) == 1.5
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        with pytest.raises(InvalidInputError, match="out of range"):
            to_array(np.finfo(np.longdouble).max, np.dtype("f8"))


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (10**30, "int8", f"int {10**30} is out of range of int8: -128 to 127"),
        (2**64, "uint64", "is out of range of uint64: 0 to 18446744073709551615"),
        ([1, -(10**30)], "int64", "is out of range of int64"),
        ([10**5000], "int8", r"int \.\.\. is out of range of int8"),
        ("5", "int8", "expected int8, got text"),
        (["a", "b"], "float32", "expected float32, got text"),
        (b"5", "float32", "expected float32, got bytes"),
    ],
)
def test_refusals_say_what_was_given(value: object, dtype: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        to_array(value, np.dtype(dtype))
