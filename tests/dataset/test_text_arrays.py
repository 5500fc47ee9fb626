"""Columns of text take whatever numpy holds texts in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import ColumnType, Json, Sequence, Tensor, Text
from tests.dataset.test_values import dataset

STRINGS: Any = np.dtypes.StringDType
FORMS: dict[str, tuple[Any, list[str | None]]] = {
    "U": (np.array(["a", "né"]), ["a", "né"]),
    "S": (np.array([b"a", "né".encode()]), ["a", "né"]),
    "objects": (np.array(["a", None], object), ["a", None]),
    "masked": (np.ma.array(["a", "b"], mask=[False, True]), ["a", None]),
    "masked objects": (np.ma.array(["a", "b"], mask=[True, False], dtype=object), [None, "b"]),
    "unmasked": (np.ma.array(["a", "b"]), ["a", "b"]),
    "strings": (np.array(["a", "né"], STRINGS()), ["a", "né"]),
    "strings with None": (np.array(["a", None], STRINGS(na_object=None)), ["a", None]),
    "scalars": ([np.str_("a"), np.bytes_(b"b")], ["a", "b"]),
    "arrays of one": ([np.array("a"), None], ["a", None]),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("type", [Text(), Text("zstd"), Text(max_bytes=3)], ids=str)
async def test_texts_come_in_any_array(type: ColumnType, name: str) -> None:
    given, expected = FORMS[name]
    async with dataset({"x": type}) as ds:
        async with ds.transaction() as tx:
            await tx.append(columns={"x": given})
            await tx.append([{"x": value} for value in expected])
        async with ds.transaction() as tx:
            await tx.update([2, 3], {"x": given})
            tx.add_column("y", type, default=given[0] if expected[0] else None)
        found = (await ds.read(slice(None)))["x"]
        assert (found if isinstance(found, list) else found.tolist()) == [*expected, *expected]
        for i, value in enumerate(expected):
            row = await ds.read(i)
            assert row == {"x": value, "y": expected[0]}
            assert value is None or row["x"].__class__ is str


async def test_a_sequence_takes_an_array_of_texts() -> None:
    async with dataset({"x": Sequence(Text)}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": np.array(["a", "né"])}, {"x": np.array([b"c"])}])
        assert (await ds.read([0, 1]))["x"] == [["a", "né"], ["c"]]


async def test_json_takes_numpy_texts() -> None:
    async with dataset({"x": Json()}) as ds:
        async with ds.transaction() as tx:
            await tx.append({"x": {"a": [np.str_("é"), np.float32(0.5)]}})
            await tx.append({"x": np.str_("é")})
            await tx.append({"x": {"b": (1, np.str_("é"))}})
        assert (await ds.read([0, 1, 2]))["x"] == [{"a": ["é", 0.5]}, "é", {"b": [1, "é"]}]


async def test_rows_of_a_masked_array_that_are_masked_throughout_are_none() -> None:
    numbers = np.ma.array(np.arange(6).reshape(3, 2), mask=[[False] * 2, [True] * 2, [False] * 2])
    async with dataset({"x": Tensor("int64", (None,))}) as ds:
        async with ds.transaction() as tx:
            await tx.append(columns={"x": numbers})
        found = (await ds.read(slice(None)))["x"]
        assert [None if row is None else row.tolist() for row in found] == [[0, 1], None, [4, 5]]
        numbers[2, 1] = np.ma.masked
        with pytest.raises(aiolake.InvalidInputError, match="row 2: a sample is masked in part"):
            async with ds.transaction() as tx:
                await tx.append(columns={"x": numbers})
