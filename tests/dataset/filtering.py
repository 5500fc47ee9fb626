"""Conditions evaluated by brute force over values as they were written: the oracle of ``where``."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import aiolake
from aiolake import Bytes, ClassLabel, Tensor, Text
from aiolake.codecs.dtypes import dtype_of

Row = dict[str, Any]
Oracle = Callable[[Any], bool]

NAMES = ["rose", "tulip", "aster", "lily"]
SCHEMA: dict[str, Any] = {
    "small": Tensor("int8"),
    "large": Tensor("uint64"),
    "real": Tensor("float32"),
    "half": Tensor("bfloat16"),
    "flag": Tensor("bool"),
    "label": ClassLabel(NAMES),
    "time": Tensor("datetime64[s]"),
    "text": Text(),
    "packed": Text("zstd"),
    "fixed": Text(max_bytes=48),
    "raw": Bytes(),
    "vector": Tensor("uint8", (2,)),
}
EPOCH = datetime.datetime(1970, 1, 1)
TEXTS = ["", "a", "b", "ab", "é", "\ud7ff", "\ue000", "\U0010ffff", "a" * 33, "a" * 40 + "b", "inf"]
FLOATS = [0.0, -0.0, 0.1, 1.5, -2.0, math.inf, -math.inf, math.nan]
SECONDS = [-(10**10), -1, 0, 1, 60, 10**10]

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "small": st.sampled_from([-128, -1, 0, 1, 2, 3, 127]),
    "large": st.sampled_from([0, 1, 2, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]),
    "real": st.sampled_from(FLOATS),
    "half": st.sampled_from(FLOATS),
    "flag": st.booleans(),
    "label": st.sampled_from([0, 1, 2, 3]),
    "time": st.sampled_from([*SECONDS, "NaT"]),
    "text": st.sampled_from(TEXTS),
    "packed": st.sampled_from(TEXTS),
    "fixed": st.sampled_from(TEXTS),
    "raw": st.sampled_from([b"", b"a", b"b", b"\xff" * 40]),
    "vector": st.sampled_from([0, 1]),
}
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "small": st.sampled_from([3.5, -129, 128, 2**70, -math.inf, math.inf, 2.0, True]),
    "large": st.sampled_from([-1, 2**64, 0.5, 1e300, float(2**53)]),
    "real": st.sampled_from([1e300, -1e300, 10**400, -(10**400), 0, 2]),
    "half": st.sampled_from([1e300, 3, 0.3]),
    "flag": st.sampled_from([0, 1, 2, -1]),
    "label": st.sampled_from([99, -1, 1.0, *NAMES]),
    "time": st.sampled_from([0.5, -0.5, 10**13]),
    "text": st.sampled_from(["c", "A", "a" * 34]),
    "packed": st.sampled_from(["c", "A", "a" * 34]),
    "fixed": st.sampled_from(["c", "A", "a" * 49]),
    "raw": st.sampled_from([b"zz", b"\xff" * 39]),
}
HAVE_NO_ORDER = ("raw", "vector")
DTYPES = {"real": np.dtype("float32"), "half": dtype_of("bfloat16")}


def given_value(name: str, value: Any) -> Any:
    """A drawn value as a user writes it."""
    if value is None:
        return None
    if name == "time":
        return np.datetime64("NaT" if value == "NaT" else int(value * 1000), "ms")
    return np.full(2, value, np.uint8) if name == "vector" else value


def stored(name: str, value: Any) -> Any:
    """A drawn value as the column holds it: exact Python numbers, texts, ``nan``."""
    if value is None:
        return None
    if name in DTYPES:
        return float(np.asarray(value, np.float64).astype(DTYPES[name]))
    return math.nan if value == "NaT" else value


def asked(name: str, value: Any) -> Any:
    """A value of a condition, as the stored values are compared with it."""
    if value is None:
        return None
    if name in DTYPES and not (isinstance(value, int) and abs(value) > 10**300):
        with np.errstate(all="ignore"):
            rounded = float(np.asarray(value, np.float64).astype(DTYPES[name]))
        return rounded if math.isfinite(rounded) else float(value)
    if name == "label" and isinstance(value, str):
        return NAMES.index(value)
    return math.nan if value == "NaT" else value


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


NULL: st.SearchStrategy[tuple[Any, Oracle]] = st.sampled_from(
    [(None, lambda value: value is None), (aiolake.not_null(), lambda value: value is not None)]
)


@st.composite
def conditions(draw: st.DrawFn, name: str, depth: int = 2) -> tuple[Any, Oracle]:
    """A condition on a column and what it means."""
    if name == "vector":
        return draw(NULL)
    kinds = ["equal", "one of", "null", "not"] + ["between", "lt", "le", "gt", "ge"] * (
        name not in HAVE_NO_ORDER
    )
    kind = draw(st.sampled_from(kinds if depth else kinds[:3]))
    if kind == "not":
        inner, oracle = draw(conditions(name, depth - 1))
        return aiolake.not_(inner), lambda value: not oracle(value)
    if kind == "null":
        return draw(NULL)
    value = VALUES[name] | OTHERS[name]
    if kind in ("equal", "one of"):
        values = draw(st.lists(st.none() | value, min_size=1, max_size=12))
        return _equal(name, values if kind == "one of" else values[:1], kind == "one of")
    ordered = value.filter(lambda v: not is_nan(v) and v != "NaT")
    if name == "label":
        ordered = ordered.filter(lambda v: not isinstance(v, str))
    return _ranged(name, kind, draw(ordered), draw(ordered))


def _equal(name: str, values: list[Any], many: bool) -> tuple[Any, Oracle]:
    wanted = [asked(name, value) for value in values]

    def oracle(value: Any) -> bool:
        if value is None or is_nan(value):
            return any((w is None) if value is None else is_nan(w) for w in wanted)
        return any(w is not None and value == w for w in wanted)

    given = [given_value(name, value) for value in values]
    return (given if many else given[0]), oracle


def _ranged(name: str, kind: str, a: Any, b: Any) -> tuple[Any, Oracle]:
    low, high = sorted([a, b], key=lambda v: v)
    one = given_value(name, a)
    least, most, this = asked(name, low), asked(name, high), asked(name, a)
    made: dict[str, tuple[Any, Oracle]] = {
        "between": (aiolake.between(given_value(name, low), given_value(name, high)),
                    lambda v: bool(least <= v <= most)),
        "lt": (aiolake.lt(one), lambda v: bool(v < this)),
        "le": (aiolake.le(one), lambda v: bool(v <= this)),
        "gt": (aiolake.gt(one), lambda v: bool(v > this)),
        "ge": (aiolake.ge(one), lambda v: bool(v >= this)),
    }  # fmt: skip
    condition, holds = made[kind]
    return condition, lambda v: v is not None and not is_nan(v) and holds(v)
