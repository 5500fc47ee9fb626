"""Statistics hold every value, exactly where they say so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake import Tensor, Text
from aiolake.chunks.measure import MAX_TEXT_CHARS, Measure, Order, merged, zones_of
from aiolake.codecs import ByteRows, FixedCodec, codec_of
from aiolake.format.statistics import ZONE_ROWS, Statistics, decode_zones


def measured(dtype: str, values: list[Any]) -> Statistics:
    codec = codec_of(Tensor(dtype))
    assert isinstance(codec, FixedCodec)
    measure = Measure(codec)
    measure.add_rows(codec.encode_rows(values))
    return measure.finish()[0]


def of_texts(texts: list[str | None]) -> Statistics:
    measure = Measure(codec_of(Text()))
    missing = [i for i, text in enumerate(texts) if text is None]
    measure.add_bytes(ByteRows([(text or "").encode() for text in texts], missing))
    return measure.finish()[0]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("int64", [-(2**63), 2**63 - 1], Statistics(0, 0, -(2**63), 2**63 - 1)),
        ("uint64", [2**64 - 1, None, 2**53 + 1], Statistics(1, 0, 2**53 + 1, 2**64 - 1)),
        ("bool", [False, True], Statistics(0, 0, 0, 1)),
        ("float64", [math.nan, 1.5, None, -math.inf], Statistics(1, 1, "-inf", 1.5)),
        ("float32", [0.1], Statistics(0, 0, float(np.float32(0.1)), float(np.float32(0.1)))),
        ("float64", [math.nan, math.nan], Statistics(0, 2)),
        ("bfloat16", [3.0, -1.0], Statistics(0, 0, -1.0, 3.0)),
        ("int4", [-8, 7], Statistics(0, 0, -8, 7)),
        ("datetime64[s]", np.array([5, -5, "NaT"], "M8[s]"), Statistics(0, 1, -5, 5)),
        ("complex64", [1j, None], Statistics(1)),
        ("int8", [None, None], Statistics(2)),
        ("int8", [], Statistics()),
    ],
)
def test_counts_and_bounds(dtype: str, values: Any, expected: Statistics) -> None:
    assert measured(dtype, values) == expected


def test_minus_zero_is_zero() -> None:
    found = measured("float64", [-0.0])
    assert (str(found.min), str(found.max)) == ("0.0", "0.0")


@pytest.mark.parametrize(
    ("texts", "low", "high", "cut"),
    [
        (["b", None, "a"], "a", "b", 0),
        (["", "é" * 32], "", "é" * 32, 0),
        (["a" * 33], "a" * 32, "a" * 31 + "b", 3),
        (["a" * 31 + "\ud7ff" + "x"], "a" * 31 + "\ud7ff", "a" * 31 + "\ue000", 3),
        (["a" * 31 + "\U0010ffff" + "x"], "a" * 31 + "\U0010ffff", "a" * 30 + "b", 3),
        (["\U0010ffff" * 40], "\U0010ffff" * 32, None, 3),
    ],
)
def test_bounds_of_texts(texts: list[str | None], low: str, high: str | None, cut: int) -> None:
    found = of_texts(texts)
    assert (found.min, found.max, found.cut) == (low, high, cut)


@given(st.lists(st.text(min_size=0, max_size=2 * MAX_TEXT_CHARS), min_size=1, max_size=6))
def test_bounds_enclose_every_text(texts: list[str]) -> None:
    found = of_texts(list(texts))
    assert isinstance(found.min, str)
    assert found.min <= min(texts)
    assert (found.cut & 1 == 0) == (found.min == min(texts))
    if isinstance(found.max, str):
        assert found.max >= max(texts)
        assert (found.cut & 2 == 0) == (found.max == max(texts))


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("steps", [[10_000], [1, 4_095, 4_096, 1_808], [3_000] * 3 + [1_000]])
def test_zones_are_those_of_the_rows_however_they_come(steps: list[int], nulls: bool) -> None:
    codec = codec_of(Tensor("float32"))
    assert isinstance(codec, FixedCodec)
    array = np.random.default_rng(1).normal(size=10_000).astype(np.float32)
    array[5_000] = np.nan
    values: list[float | None] = array.tolist()
    if nulls:
        values[::7] = [None] * len(values[::7])
    measure, at = Measure(codec), 0
    for n in steps:
        measure.add_rows(codec.encode_rows(values[at : at + n] if nulls else array[at : at + n]))
        at += n
    whole, zones = measure.finish()
    assert len(zones) == 3
    for k, zone in enumerate(zones):
        rows = values[k * ZONE_ROWS : (k + 1) * ZONE_ROWS]
        numbers = [v for v in rows if v is not None and v == v]
        assert zone.nulls == rows.count(None)
        assert zone.nans == len(rows) - len(numbers) - zone.nulls
        assert (zone.min, zone.max) == (min(numbers), max(numbers))
    assert whole == merged(zones, Order.REAL)


def test_a_table_of_zones_reads_back_and_is_joined_where_it_would_be_long() -> None:
    zones = tuple(Statistics(k % 2, 0, k, k + 1) for k in range(40))
    found = zones_of(zones, merged(zones, Order.WHOLE), Order.WHOLE, inline=True)
    assert found is not None
    ref, data = found
    assert ref.rows == 4 * ZONE_ROWS
    table = decode_zones(data, 10, "here")
    assert table[1] == Statistics(2, 0, 4, 8)
    assert zones_of(zones[:1], zones[0], Order.WHOLE, inline=True) is None
