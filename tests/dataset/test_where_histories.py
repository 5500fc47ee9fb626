"""``where`` finds what brute force over the values finds, whatever happened to the dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiolake
from aiolake import Dataset, Transaction, View
from aiolake.chunks import filter as filtering_module
from aiolake.chunks import measure, pack, write
from aiolake.dataset import where as where_module
from tests.dataset.filtering import (
    HAVE_NO_ORDER,
    NAMES,
    SCHEMA,
    VALUES,
    Row,
    conditions,
    given_value,
    is_nan,
    stored,
)
from tests.dataset.helpers import Backend
from tests.scale import pick


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zones, pages and steps of a few rows, so that short histories meet their edges."""
    monkeypatch.setattr(measure, "ZONE_ROWS", 4)
    monkeypatch.setattr(measure, "_WIDE", 2.0)
    monkeypatch.setattr(pack, "_PLAIN_PAGE_BYTES", 12)
    monkeypatch.setattr(where_module, "STEP_ROWS", 7)
    monkeypatch.setattr(filtering_module, "STEP_ENTRIES", 3)


COLUMNS = st.lists(st.sampled_from(sorted(SCHEMA)), min_size=1, max_size=3, unique=True)


KINDS = ["None", "one", "mixed", "mixed", "two"]


def rows_of(names: list[str]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})


@st.composite
def runs_of(draw: st.DrawFn, name: str) -> list[Any]:
    """Values in runs: pieces, zones and pages of Nones, of one value, of either, of two and None.

    Independent rows would hardly ever make a zone that statistics decide.
    """
    lengths = st.sampled_from([1, 2, 3, 4, 4, 5, 8, 12])
    values: list[Any] = []
    for _ in range(draw(st.integers(1, 4))):
        one, other = draw(VALUES[name]), draw(VALUES[name])
        kind = draw(st.sampled_from(KINDS))
        among = {"None": [None], "one": [one], "mixed": [one, None], "two": [one, other, None]}
        length = draw(lengths)
        at = draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
        values += [among[kind][i % len(among[kind])] for i in at]
    return values


@st.composite
def many_rows(draw: st.DrawFn, names: list[str]) -> list[Row]:
    columns = [draw(runs_of(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=False)]


def values_of(row: Row) -> Row:
    return {name: given_value(name, value) for name, value in row.items()}


async def change(ds: Dataset, rows: list[Row], data: st.DataObject) -> list[Row]:
    """One random commit; the rows after it."""
    kind = data.draw(st.sampled_from(["append", "update", "delete", "default", "optimize"]))
    if kind == "optimize":
        await aiolake.optimize(ds)
        return rows
    async with ds.transaction() as tx:
        if kind == "append":
            more = data.draw(many_rows([*ds.schema]))
            await tx.append([values_of(row) for row in more])
            return rows + more
        if kind == "default":
            name = data.draw(st.sampled_from([*ds.schema]))
            default = data.draw(st.none() | VALUES[name])
            tx.add_column("new", SCHEMA[name], default=given_value(name, default))
            tx.drop_column(name)
            tx.rename_column("new", name)
            return [{**row, name: default} for row in rows]
        chosen = (
            sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=9))) if rows else []
        )
        if kind == "delete":
            await tx.delete(chosen)
            return [row for i, row in enumerate(rows) if i not in chosen]
        names = data.draw(st.sets(st.sampled_from([*ds.schema]), min_size=1))
        if data.draw(st.booleans()):
            return await rewritten(tx, rows, data, sorted(names))
        for i in chosen:
            values = data.draw(rows_of(sorted(names)))
            await tx.update(i, values_of(values))
            rows = [*rows[:i], {**rows[i], **values}, *rows[i + 1 :]]
        return rows


async def rewritten(
    tx: Transaction, rows: list[Row], data: st.DataObject, names: list[str]
) -> list[Row]:
    """Neighbours get values by one update, which is a piece with zones of its own."""
    values = data.draw(many_rows(names))
    start = data.draw(st.integers(0, len(rows)))
    values = values[: len(rows) - start]
    if values:
        given = [values_of(row) for row in values]
        columns = {name: [row[name] for row in given] for name in names}
        await tx.update(range(start, start + len(values)), columns)
    new = [{**row, **more} for row, more in zip(rows[start:], values, strict=False)]
    return [*rows[:start], *new, *rows[start + len(new) :]]


async def check(view: Dataset | View, rows: list[Row], data: st.DataObject) -> None:
    whole = view[:]
    names = data.draw(st.lists(st.sampled_from([*whole.schema]), min_size=1, unique=True))
    drawn = {name: data.draw(conditions(name)) for name in names}
    found = await view.where({name: condition for name, (condition, _) in drawn.items()})
    expected = [
        i
        for i, row in enumerate(rows)
        if all(oracle(stored(name, row[name])) for name, (_, oracle) in drawn.items())
    ]
    assert (
        found._rows.ids().tolist() == whole._rows.take(np.asarray(expected, np.int64)).tolist()
    ), (
        {name: condition for name, (condition, _) in drawn.items()},
        [{name: row[name] for name in names} for row in rows],
    )


@pytest.mark.soak
@pytest.mark.parametrize("inline", [True, False])
@settings(max_examples=pick(20, 1500), suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_where_finds_what_brute_force_finds(inline: bool, data: st.DataObject) -> None:
    before, write._INLINE_NBYTES = write._INLINE_NBYTES, 1 << 16 if inline else 0
    try:
        await random_history(data)
    finally:
        write._INLINE_NBYTES = before


async def random_history(data: st.DataObject) -> None:
    schema = {name: SCHEMA[name] for name in data.draw(COLUMNS)}
    backend = Backend(near=data.draw(st.booleans()))
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
    ):
        rows: list[Row] = []
        for _ in range(data.draw(st.integers(1, 5))):
            rows = await change(ds, rows, data)
            for _ in range(3):
                await check(ds, rows, data)
            await check_stats(ds, rows)
        await check_views(ds, rows, data)


async def check_stats(view: Dataset | View, rows: list[Row]) -> None:
    """Counts and bounds are those of the rows there are, whichever pieces they lie in."""
    found, summary = await view.stats(), await view.summary()
    for name in view.schema:
        values = [stored(name, row[name]) for row in rows]
        others = [value for value in values if value is not None and not is_nan(value)]
        stats, more = found[name], summary[name]
        assert (stats.rows, more.rows) == (len(rows), len(rows))
        assert stats.nulls == more.nulls == values.count(None), name
        if name in HAVE_NO_ORDER:
            continue
        assert stats.nans == sum(map(is_nan, values)), (name, values)
        check_bound(name, stats.min, min(others, default=None))
        check_bound(name, stats.max, max(others, default=None))
        if name == "label":
            assert more.labels == {text: values.count(i) for i, text in enumerate(NAMES)}
        if name == "flag":
            assert more.n_true == values.count(True)


def check_bound(name: str, found: Any, expected: Any) -> None:
    if isinstance(expected, str) and len(expected) > 32:
        assert found[:31] == expected[:31]
    elif expected is None:
        assert found is None
    else:
        assert found == (given_value(name, expected) if name == "time" else expected)


async def check_views(ds: Dataset, rows: list[Row], data: st.DataObject) -> None:
    await check(ds[::-1], rows[::-1], data)
    at = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)) if rows else []
    some: Any = ds[at]
    await check(some, [rows[i] for i in at], data)
    await check(ds[2:9], rows[2:9], data)
    await check_stats(some, [rows[i] for i in at])
    await check_stats(ds[2:9], rows[2:9])
