"""Merging branches, against dicts: what both did is there, or the merge says why not."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

import aiolake
from aiolake import (
    ColumnType,
    ConflictError,
    Dataset,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    Tensor,
    Text,
    Transaction,
)
from tests.dataset.counted import READS, opened
from tests.dataset.helpers import Backend
from tests.scale import pick

SCHEMA: dict[str, ColumnType] = {"t": Text(), "x": Tensor("int64")}


@asynccontextmanager
async def two_branches(backend: Backend, **creation: Any) -> AsyncIterator[tuple[Dataset, Dataset]]:
    """``main`` and ``dev``, which begin with three rows."""
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, SCHEMA, session=session, **creation) as main,
    ):
        await append(main, "a", "b", "c")
        await main.branches.create("dev")
        async with opened(backend, branch="dev") as dev:
            yield main, dev


async def append(ds: Dataset, *texts: str, x: int = 0) -> None:
    async with ds.transaction() as tx:
        await tx.append([{"t": text, "x": x} for text in texts])


async def update(ds: Dataset, row: int, **values: Any) -> None:
    async with ds.transaction() as tx:
        await tx.update(row, values)


async def delete(ds: Dataset, row: int) -> None:
    async with ds.transaction() as tx:
        await tx.delete(row)


async def texts(ds: Dataset) -> list[str]:
    found: list[str] = (await ds.read(slice(None), columns=["t"]))["t"]
    return found


async def test_a_branch_that_did_not_move_takes_over_the_other(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        await append(dev, "d")
        async with dev.transaction() as tx:
            tx.rename_column("x", "y")
            tx.add_column("z", Text(), default="?")
        n = await main.branches.merge("dev", message="all of it", author="Ann")
        assert main.snapshot == n
        assert main.schema.names == ("t", "y", "z")
        assert await texts(main) == ["a", "b", "c", "d"]
        newest, *_ = await main.history.list()
        assert (newest.operation, newest.message, newest.author) == ("merge", "all of it", "Ann")
        assert await main.branches.merge("dev") is None
        assert await dev.branches.merge("main") is not None
        assert await main.branches.merge("dev") is not None  # dev's merge is a commit of dev's
        assert await texts(dev) == await texts(main)


async def test_both_sides_are_there_and_payloads_are_shared(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        await append(dev, "d1", "d2", x=1)
        await update(dev, 0, x=10)
        await delete(dev, 1)
        await append(main, "m", x=2)
        await update(main, 2, t="C")
        backend.counting.reset()
        await main.branches.merge("dev")
        assert backend.counting.counts.n(*READS, kind="chunks") == 0
        assert backend.counting.counts.n("put", kind="chunks") == 0
        batch = await main.read(slice(None))
        assert batch["t"] == ["a", "C", "m", "d1", "d2"]
        assert batch["x"].tolist() == [10, 0, 2, 1, 1]
        await append(dev, "d3")
        await main.branches.merge("dev")
        assert await texts(main) == ["a", "C", "m", "d1", "d2", "d3"]
        await dev.branches.merge("main")
        assert await texts(dev) == await texts(main)
        assert (await aiolake.verify(main)).ok


async def test_new_columns_and_metadata_come_along(backend: Backend) -> None:
    async with two_branches(backend, row_metadata=True) as (main, dev):
        async with dev.transaction() as tx:
            tx.add_column("theirs", Text(), default="there")
            await tx.append({"t": "d", "x": 1, "theirs": "own", "_metadata": 5})
            tx.set_metadata({"k": 1})
            tx.set_metadata({"unit": "mm"}, column="x")
        async with main.transaction() as tx:
            tx.add_column("ours", Text(), default="here")
            await tx.append({"t": "m", "x": 2, "ours": "own"})
            tx.set_metadata({"l": 2})
            tx.set_metadata({"range": 9}, column="x")
        await main.branches.merge("dev")
        assert main.schema.names == ("t", "x", "ours", "theirs")
        batch = await main.read(slice(None), columns=["t", "ours", "theirs", "_metadata"])
        assert batch["t"] == ["a", "b", "c", "m", "d"]
        assert batch["ours"] == ["here"] * 3 + ["own", "here"]
        assert batch["theirs"] == ["there"] * 4 + ["own"]
        assert batch["_metadata"] == [None] * 4 + [5]
        assert main.metadata == {"k": 1, "l": 2}
        assert main.schema["x"].metadata == {"unit": "mm", "range": 9}


@pytest.mark.parametrize("optimized", ["main", "dev", "both"])
async def test_an_optimized_branch(backend: Backend, optimized: str) -> None:
    async with two_branches(backend) as (main, dev):
        await append(dev, "d")
        await update(main, 0, t="A")
        for ds in {"main": [main], "dev": [dev], "both": [main, dev]}[optimized]:
            await aiolake.optimize(ds)
        await main.branches.merge("dev")
        assert await texts(main) == ["A", "b", "c", "d"]


@pytest.mark.parametrize("updated", [False, True])
async def test_an_update_that_came_to_an_optimized_branch_comes_back(
    backend: Backend, updated: bool
) -> None:
    async with two_branches(backend) as (main, dev):
        await update(main, 0, t="A")
        await append(dev, "d")
        await aiolake.optimize(dev)
        await dev.branches.merge("main")
        await append(main, "m")
        if updated:
            await update(main, 1, t="B")
        await main.branches.merge("dev")
        assert await texts(main) == ["A", "B" if updated else "b", "c", "m", "d"]
        await dev.branches.merge("main")
        assert await texts(dev) == await texts(main)


async def test_a_default_reaches_rows_that_come_after_an_optimize(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        await main.branches.create("third")
        await append(dev, "d")
        await append(main, "m")
        async with opened(backend, branch="third") as third, third.transaction() as tx:
            tx.add_column("z", Text(), default="?")
        await main.branches.merge("third")
        await dev.branches.merge("third")
        await main.branches.merge("dev")
        await aiolake.optimize(dev)
        await dev.branches.merge("main")
        for ds in (main, dev):
            batch = await ds.read(slice(None))
            assert sorted(batch["t"]) == ["a", "b", "c", "d", "m"]
            assert batch["z"] == ["?"] * 5


async def test_a_default_hides_no_values_that_only_we_have(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        async with main.transaction() as tx:
            tx.add_column("z", Text(), default="?")
        await main.branches.create("third")
        await append(dev, "d")
        async with main.transaction() as tx:
            await tx.append({"t": "m", "x": 0, "z": "own"})
        await dev.branches.merge("third")
        await main.branches.merge("dev")
        batch = await main.read(slice(None))
        assert batch["t"] == ["a", "b", "c", "m", "d"]
        assert batch["z"] == ["?", "?", "?", "own", "?"]


async def refused(main: Dataset, name: str, *words: str) -> None:
    before = await main.read(slice(None))
    with pytest.raises(ConflictError) as caught:
        await main.branches.merge(name)
    for word in (f"{name!r} cannot be merged into 'main'", *words):
        assert word in caught.value.message, caught.value.message
    await main.refresh()
    assert (await main.read(slice(None)))["t"] == before["t"]


async def test_what_cannot_be_told_apart_is_explained(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        await update(dev, 0, x=1)
        await update(main, 0, t="A")
        await refused(main, "dev", "both changed 1 of the same rows (ids 0) since snapshot 2")
        await delete(main, 0)
        await refused(main, "dev", "both changed")
    acts: list[tuple[Callable[[Transaction], None], str]] = [
        (lambda tx: tx.rename_column("x", "y"), "a column was renamed there in snapshot 4"),
        (lambda tx: tx.drop_column("x"), "a column was dropped there in snapshot 4"),
    ]
    for act, words in acts:
        fresh = Backend()
        async with two_branches(fresh) as (main, dev):
            async with dev.transaction() as tx:
                act(tx)
            await append(main, "m")
            await refused(main, "dev", words)
    fresh = Backend()
    async with two_branches(fresh) as (main, dev):
        await append(main, "m")
        await append(dev, "d")
        await dev.history.restore(2)
        await refused(main, "dev", "'dev' was restored to an older snapshot in snapshot 6")
    fresh = Backend()
    async with two_branches(fresh) as (main, dev):
        for ds in (main, dev):
            async with ds.transaction() as tx:
                tx.set_metadata({"k": ds.branch})
        await refused(main, "dev", "both set the metadata /k")
    fresh = Backend()
    async with two_branches(fresh) as (main, dev):
        for ds in (main, dev):
            async with ds.transaction() as tx:
                tx.add_column("z", Text())
        await refused(main, "dev", "the columns collide", "'z'")


@pytest.mark.parametrize("first", ["update", "optimize"])
async def test_updates_of_both_beside_an_optimize(backend: Backend, first: str) -> None:
    async with two_branches(backend) as (main, dev):
        before = (await main.read(slice(None)))["x"].tolist()
        await update(main, 0, x=51)
        if first == "optimize":
            await aiolake.optimize(dev)
        await update(dev, 1, x=52)
        await append(dev, "d", x=53)
        if first == "update":
            await aiolake.optimize(dev)
        await append(main, "m", x=54)
        await main.branches.merge("dev")
        assert (await main.read(slice(None)))["x"].tolist() == [51, 52, *before[2:], 54, 53]
        assert (await aiolake.verify(main)).ok


async def test_keys_refused_and_replaced(backend: Backend) -> None:
    async with two_branches(backend, key="t") as (main, dev):
        await append(dev, "k", "d")
        await append(main, "m", "k")
        await refused(main, "dev", "row 4 here and row 3 there have the same key")
        await update(main, 4, t="other")
        await main.branches.merge("dev")
        assert await texts(main) == ["a", "b", "c", "m", "other", "k", "d"]
        for name in await texts(main):
            assert (await main.get(name))["t"] == name
    fresh = Backend()
    async with two_branches(fresh, key="t", on_duplicate="replace") as (main, dev):
        await append(dev, "k", "a", x=1)
        await append(main, "m", "k", "b", x=2)
        await main.branches.merge("dev")
        batch = await main.read(slice(None))
        assert batch["t"] == ["c", "m", "b", "k", "a"]
        assert batch["x"].tolist() == [0, 2, 2, 1, 1]
        found = await main.get(["a", "b", "c", "k", "m"])
        assert found["x"].tolist() == [1, 2, 0, 1, 2]
        await dev.branches.merge("main")
        assert await texts(dev) == await texts(main)


async def test_what_is_no_branch_to_merge(backend: Backend) -> None:
    async with two_branches(backend) as (main, _):
        with pytest.raises(NotFoundError, match="no branch 'nope'"):
            await main.branches.merge("nope")
        assert await main.branches.merge("main") is None
        assert await main.branches.merge("dev") is None
        with pytest.raises(InvalidInputError, match="4096"):
            await main.branches.merge("dev", message="m" * 5000)
        async with opened(backend, snapshot=2) as past:
            with pytest.raises(ReadOnlyError):
                await past.branches.merge("dev")


async def test_the_common_snapshot_may_be_expired(backend: Backend) -> None:
    async with two_branches(backend) as (main, dev):
        for i in range(120):
            await append(dev, f"d{i}")
        await dev.branches.create("next")
        async with opened(backend, branch="next") as later:
            for i in range(120):
                await append(later, f"l{i}")
            await aiolake.optimize(later)
        for i in range(120):
            await append(dev, f"e{i}")
        await aiolake.optimize(dev)
        await aiolake.expire(main, below=dev.snapshot)
        await aiolake.gc(main, grace=timedelta(0))
        async with opened(backend, branch="dev") as fresh:
            await fresh.branches.merge("next")
            names = [f"{letter}{i}" for letter in "del" for i in range(120)]
            assert (await texts(fresh))[-360:] == names


@dataclass
class Side:
    """A branch: rows by id in order, and what it did since it parted."""

    rows: dict[int, tuple[str, int]] = field(default_factory=dict)
    updated: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    new: set[int] = field(default_factory=set)


@pytest.mark.parametrize("seed", range(pick(8, 80)))
async def test_random_histories(backend: Backend, seed: int) -> None:
    rng = random.Random(seed)
    async with two_branches(backend) as (main, dev):
        rows = {i: (text, 0) for i, text in enumerate("abc")}
        sides = {"main": Side(dict(rows)), "dev": Side(dict(rows))}
        ids = 3
        for step in range(pick(40, 60)):
            name = rng.choice(("main", "dev"))
            ds, side = (main, sides["main"]) if name == "main" else (dev, sides["dev"])
            what = rng.random()
            if what < 0.4 or not side.rows:
                await append(ds, f"{name}{step}", x=step)
                side.rows[ids] = f"{name}{step}", step
                side.new.add(ids)
                ids += 1
            elif what < 0.6:
                await _changed(ds, side, rng, step)
            elif what < 0.7:
                await aiolake.optimize(ds)
            elif what < 0.75:
                other = "dev" if name == "main" else "main"
                await _merge(ds, side, other, sides[other])
            await _check(ds, side)


async def _changed(ds: Dataset, side: Side, rng: random.Random, step: int) -> None:
    at = rng.randrange(len(side.rows))
    id = list(side.rows)[at]
    if rng.random() < 0.5:
        await update(ds, at, x=-step)
        side.rows[id] = side.rows[id][0], -step
        side.updated.add(id)
    else:
        await delete(ds, at)
        del side.rows[id]
        side.deleted.add(id)


async def _merge(ds: Dataset, ours: Side, name: str, theirs: Side) -> None:
    updated, deleted = theirs.updated - theirs.new, theirs.deleted - theirs.new
    clash = updated & (ours.updated | ours.deleted) or deleted & ours.updated
    try:
        await ds.branches.merge(name)
    except ConflictError as error:
        refused = error.message
        await ds.refresh()
    else:
        refused = ""
    assert not clash or refused
    if refused:
        assert clash or ("it was optimized" in refused and updated and ours.updated)
        return
    for id in deleted:
        ours.rows.pop(id, None)
    ours.rows.update({id: theirs.rows[id] for id in theirs.rows if id in updated})
    ours.rows.update({id: row for id, row in theirs.rows.items() if id in theirs.new})
    # From here on all that they did is common; what we did is ours still.
    theirs.updated, theirs.deleted, theirs.new = set(), set(), set()


async def _check(ds: Dataset, side: Side) -> None:
    batch = await ds.read(slice(None))
    found = list(zip(batch["t"], batch["x"].tolist(), strict=True))
    assert found == list(side.rows.values())
