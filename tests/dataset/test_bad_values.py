"""Bad rows and values: each is refused, naming column and row, before anything is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiolake import Dataset, InvalidInputError
from tests.dataset.helpers import Backend, png, stored
from tests.dataset.refusals import GOOD, N_ROWS, SCHEMA, commit, raises, refused

VALUES: list[tuple[str, Any, tuple[str, ...]]] = [
    ("image", b"this is no picture", ("18 bytes are no picture",)),
    ("image", png(4, 4)[:30], ("PNG header", "cut off")),
    ("image", "rose.jpg", ("str 'rose.jpg'", "read_bytes()")),
    ("image", np.zeros((2, 2, 7), np.uint8), ("(2, 2, 7)",)),
    ("label", 2, ("label 2", "0 to 1", "daisy")),
    ("label", -1, ("label -1", "0 to 1")),
    ("label", "tulip", ("'tulip'", "'daisy', 'rose'")),
    ("label", 1.0, ("label's name or number",)),
    ("caption", 7, ("text (str)",)),
    ("caption", b"bytes", ("text (str)",)),
    ("caption", "\ud800", ("lone surrogate", "Bytes")),
    ("box", [1, 2, 3], ("float32", "(4,)", "(3,)")),
    ("box", [[1, 2, 3, 4]], ("(4,)", "(1, 4)")),
    ("box", ["a", "b", "c", "d"], ("float32",)),
    ("box", np.zeros(4, np.complex64), ("float32", "complex64", "real part")),
    ("box", np.full(4, 1e300), ("out of range of float32",)),
    ("points", [1, 2], ("int16", "(None, 2)", "(2,)")),
    ("points", np.zeros((3, 3), np.int16), ("(None, 2)", "(3, 3)")),
    ("points", [[0.5, 1.0]], ("int16", "float64", "round")),
    ("points", [[40000, 0]], ("40000", "int16")),
    ("vector", [1.0, 2.0], ("(3,)", "(2,)")),
    ("extra", {"a": float("nan")}, ("JSON", "nan", "$.a")),
    ("extra", {1: "a"}, ("JSON keys are text",)),
    ("extra", np.zeros(2), ("JSON",)),
    ("raw", "text", ("expected bytes",)),
]


@pytest.mark.parametrize(("column", "value", "words"), VALUES)
async def test_bad_values(
    flowers: Dataset, backend: Backend, column: str, value: Any, words: Any
) -> None:
    row = {**GOOD, column: value}
    where = (f"column {column!r}", "row 2")
    columns = {name: [GOOD[name], GOOD[name], row[name]] for name in GOOD}
    for change in (
        lambda tx: tx.append([GOOD, GOOD, row]),
        lambda tx: tx.append(columns=columns),
        lambda tx: tx.update([0, 1, 2], {column: columns[column]}),
    ):
        async with refused(backend, InvalidInputError, *where, *words):
            await commit(flowers, change)
    async with refused(backend, InvalidInputError, "column 'new'", *words):
        await commit(flowers, lambda tx: tx.add_column("new", SCHEMA[column], default=value))
    assert len(flowers) == N_ROWS


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


ROWS: list[tuple[Any, tuple[str, ...]]] = [
    ([GOOD, _without("label")], ("row 1", "'label' is missing", "None")),
    ([GOOD, {**GOOD, "lable": 1}], ("row 1", "'lable'", "did you mean 'label'")),
    ([GOOD, {**GOOD, "zzz": 1}], ("row 1", "'zzz'", "columns are: image")),
    ([GOOD, {**_without("label"), "lable": 1}], ("row 1", "'lable'")),
    ([GOOD, {}], ("row 1", "missing")),
    ([GOOD, 5], ("row 1", "mapping", "5")),
    (7, ("append() takes a row", "int")),
    ("rows", ("append() takes a row", "str")),
    (None, ("append() takes rows or columns",)),
]


@pytest.mark.parametrize(("rows", "words"), ROWS)
async def test_bad_rows(flowers: Dataset, backend: Backend, rows: Any, words: Any) -> None:
    async with refused(backend, InvalidInputError, *words):
        await commit(flowers, lambda tx: tx.append(rows))


COLUMNS: list[tuple[Any, tuple[str, ...]]] = [
    ({name: [GOOD[name]] * (2 if name == "raw" else 1) for name in GOOD}, ("length", "raw: 2")),
    ({**{name: [GOOD[name]] for name in GOOD}, "caption": "text"}, ("'caption'", "one a row")),
    ({name: [GOOD[name]] for name in _without("raw")}, ("'raw' is missing",)),
    ([GOOD], ("mapping of names to values",)),
]


@pytest.mark.parametrize(("columns", "words"), COLUMNS)
async def test_bad_columns(flowers: Dataset, backend: Backend, columns: Any, words: Any) -> None:
    async with refused(backend, InvalidInputError, *words):
        await commit(flowers, lambda tx: tx.append(columns=columns))


async def test_a_bad_row_late_in_a_long_input_spoils_the_transaction(
    flowers: Dataset, backend: Backend
) -> None:
    rows = [{**GOOD, "raw": bytes(2000)}] * 3000 + [{**GOOD, "label": "tulip"}]
    log = len((await backend.store.list("log/")).objects)
    async with flowers.transaction() as other:
        pass
    with raises(InvalidInputError, "cannot be committed", "start another"):
        async with flowers.transaction() as tx:
            with raises(InvalidInputError, "column 'label'", "row 3000", "'tulip'"):
                await tx.append(rows)
    assert other.outcome == tx.outcome == "not_committed"
    assert len((await backend.store.list("log/")).objects) == log
    assert len(flowers) == N_ROWS


async def test_bad_updates(flowers: Dataset, backend: Backend) -> None:
    for rows, values, words in (
        ([0, 1], {"caption": ["a"]}, ("2 rows", "1 value")),
        ([0, 0], {"caption": ["a", "b"]}, ("named twice",)),
        (0, {"lable": 1}, ("'lable'", "did you mean 'label'")),
        (0, 5, ("mapping", "5")),
        ([0, 1], {"caption": ["a", "b"], "raw": [b""]}, ("length", "caption: 2")),
    ):
        async with refused(backend, InvalidInputError, *words):
            await commit(flowers, lambda tx, r=rows, v=values: tx.update(r, v))  # type: ignore[misc]


async def test_zero_rows_are_no_commit(flowers: Dataset, backend: Backend) -> None:
    before = await stored(backend.store)
    async with flowers.transaction() as tx:
        assert await tx.append([]) == 0
        assert await tx.append(columns={name: [] for name in SCHEMA}) == 0
        assert await tx.delete([]) == 0
        assert await tx.update([], {"caption": []}) == 0
        assert await tx.update(slice(3, 3), {}) == 0
    assert tx.outcome == "not_committed"
    assert await stored(backend.store) == before


async def test_samples_of_zero_bytes(flowers: Dataset) -> None:
    empty = {**GOOD, "caption": "", "raw": b"", "points": np.zeros((0, 2), np.int16)}
    await commit(flowers, lambda tx: tx.append(empty))
    row = await flowers.read(-1)
    assert (row["caption"], row["raw"], row["points"].shape) == ("", b"", (0, 2))
    assert await flowers.read_bytes(N_ROWS, "raw") == b""
