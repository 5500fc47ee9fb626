"""Many small updates in one transaction: few objects, and the later one wins."""

from __future__ import annotations

import random
from typing import Any

import pytest

import aiolake
from aiolake import Dataset, InvalidInputError, Tensor, Text
from tests.dataset.helpers import Backend

SCHEMA: Any = {"a": Text(), "b": Text(), "n": Tensor("int64", ())}
N_ROWS = 400


async def _filled(backend: Backend, session: aiolake.Session) -> Dataset:
    ds = await aiolake.create_dataset(backend.url, SCHEMA, session=session)
    async with ds.transaction() as tx:
        await tx.append(columns={name: _values(name) for name in SCHEMA})
    return ds


def _values(name: str) -> list[Any]:
    return list(range(N_ROWS)) if name == "n" else [f"{name}{i}" for i in range(N_ROWS)]


async def test_a_thousand_updates_of_one_row_write_few_objects(backend: Backend) -> None:
    async with backend.session() as session, await _filled(backend, session) as ds:
        before = backend.counting.counts.n("put", "create")
        async with ds.transaction() as tx:
            for i in reversed(range(300)):
                await tx.update(i, {"a": f"new{i}" * 10})
                await tx.update(i, {"n": -i})
        assert backend.counting.counts.n("put", "create") - before <= 4
        batch = await ds.read(slice(None))
        assert batch["a"] == [f"new{i}" * 10 for i in range(300)] + _values("a")[300:]
        assert batch["n"].tolist() == [-i for i in range(300)] + _values("n")[300:]
        assert (await aiolake.verify(ds)).ok


@pytest.mark.parametrize("seed", range(5))
async def test_the_later_update_of_a_row_and_column_wins(backend: Backend, seed: int) -> None:
    random_ = random.Random(seed)
    expected: dict[str, list[Any]] = {name: _values(name) for name in SCHEMA}
    async with backend.session() as session, await _filled(backend, session) as ds:
        async with ds.transaction() as tx:
            for step in range(60):
                names = random_.sample(sorted(SCHEMA), random_.randint(1, 3))
                rows = random_.sample(range(N_ROWS), random_.choice([1, 1, 2, 7, N_ROWS]))
                values = {name: [_new(name, step, i, random_) for i in rows] for name in names}
                await tx.update(rows, values)
                for name in names:
                    for i, value in zip(rows, values[name], strict=True):
                        expected[name][i] = value
        batch = await ds.read(slice(None))
        assert batch["a"] == expected["a"]
        assert batch["b"] == expected["b"]
        assert batch["n"].tolist() == expected["n"]


def _new(name: str, step: int, row: int, random_: random.Random) -> Any:
    if random_.random() < 0.2:
        return None
    return step * 1000 + row if name == "n" else f"{name}-{step}-{row}"


async def test_updates_large_and_small_keep_their_order(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.dataset.updates._SMALL_ROWS", 10)
    async with backend.session() as session, await _filled(backend, session) as ds:
        async with ds.transaction() as tx:
            await tx.update(1, {"a": "first"})
            await tx.update(slice(0, 20), {"a": ["large"] * 20})
            await tx.update(1, {"a": "last"})
            tx.rename_column("a", "c")
            await tx.update(2, {"c": "renamed"})
        assert (await ds.read([0, 1, 2, 20]))["c"] == ["large", "last", "renamed", "a20"]


async def test_a_refused_update_leaves_those_before_it(backend: Backend) -> None:
    async with backend.session() as session, await _filled(backend, session) as ds:
        async with ds.transaction() as tx:
            await tx.update(0, {"n": 10})
            with pytest.raises(InvalidInputError, match="row 1"):
                await tx.update([5, 6], {"n": [1, "no number"]})
            await tx.update(1, {"n": 11})
        assert (await ds.read([0, 1, 5, 6]))["n"].tolist() == [10, 11, 5, 6]
