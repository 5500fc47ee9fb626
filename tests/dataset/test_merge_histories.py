"""Three branches that append, update, delete, optimize, add and drop columns, and merge each other.

The oracle knows nothing of pieces: a branch is the set of operations it has seen, a merge is the
union of two, and what a set holds follows from the order in which its operations were made.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

import aiolake
from aiolake import ConflictError, Dataset, Session, Tensor
from tests.dataset.helpers import Backend
from tests.scale import pick

NUMBER = Tensor("int64")
BRANCHES = ("main", "b1", "b2")


@dataclass(frozen=True)
class Operation:
    """One thing that was done; ``subject`` is a row's uid or a column's name."""

    number: int
    kind: Literal["append", "update", "delete", "add column", "drop column"]
    subject: Any
    values: Any = None

    def __hash__(self) -> int:
        return self.number


def content(operations: frozenset[Operation]) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """Rows by uid, and the columns with their defaults."""
    rows: dict[int, dict[str, Any]] = {}
    columns: dict[str, Any] = {"x": None}
    gone: set[Any] = set()
    for done in sorted(operations, key=lambda operation: operation.number):
        if done.kind == "append":
            rows[done.subject] = dict(done.values)
        elif done.kind == "update":
            rows.get(done.subject, {}).update(done.values)
        elif done.kind == "add column":
            columns[done.subject] = done.values
        else:
            gone.add((done.kind, done.subject))
    columns = {name: d for name, d in columns.items() if ("drop column", name) not in gone}
    kept = {uid: row for uid, row in rows.items() if ("delete", uid) not in gone}
    return {u: {c: row.get(c, d) for c, d in columns.items()} for u, row in kept.items()}, columns


@dataclass
class World:
    """Open handles of the branches, and what each has seen."""

    handles: dict[str, Dataset]
    rng: random.Random
    seen: dict[str, frozenset[Operation]] = field(default_factory=dict)
    n_operations: int = 0
    n_rows: int = 0

    def note(self, branch: str, kind: Any, subject: Any, values: Any = None) -> None:
        self.n_operations += 1
        operation = Operation(self.n_operations, kind, subject, values)
        self.seen[branch] = self.seen.get(branch, frozenset()) | {operation}

    async def append(self, branch: str, n: int) -> None:
        _, columns = content(self.seen.get(branch, frozenset()))
        rows = [{c: self.rng.choice([None, self.rng.randrange(9)]) for c in columns}] * n
        async with self.handles[branch].transaction() as tx:
            await tx.append([{"uid": self.n_rows + i, **row} for i, row in enumerate(rows)])
        for row in rows:
            self.note(branch, "append", self.n_rows, row)
            self.n_rows += 1

    async def change(self, branch: str) -> None:
        ds, rng = self.handles[branch], self.rng
        _, columns = content(self.seen[branch])
        uids = await uids_of(ds)
        what = rng.random()
        if what < 0.35 or not uids:
            await self.append(branch, rng.choice([1, 3]))
        elif what < 0.7:
            at, values = rng.randrange(len(uids)), {rng.choice(list(columns)): rng.randrange(9)}
            async with ds.transaction() as tx:
                await tx.update(at, values)
            self.note(branch, "update", uids[at], values)
        elif what < 0.82:
            at = rng.randrange(len(uids))
            async with ds.transaction() as tx:
                await tx.delete(at)
            self.note(branch, "delete", uids[at])
        else:
            await self.change_columns(branch, columns)

    async def change_columns(self, branch: str, columns: Mapping[str, Any]) -> None:
        name, default = f"c{self.n_operations}", self.rng.choice([None, 7])
        drop = len(columns) > 1 and self.rng.random() < 0.2
        if drop:
            name = self.rng.choice(list(columns))
        async with self.handles[branch].transaction() as tx:
            if drop:
                tx.drop_column(name)
            else:
                tx.add_column(name, NUMBER, default=default)
        self.note(branch, "drop column" if drop else "add column", name, default)

    async def merge(self, branch: str) -> bool:
        other = self.rng.choice([name for name in BRANCHES if name != branch])
        try:
            await self.handles[branch].branches.merge(other)
        except ConflictError:
            await self.handles[branch].refresh()
            return False
        self.seen[branch] |= self.seen[other]
        return True

    async def check(self, branch: str) -> None:
        """Every value is what the oracle says, also as a filter sees it."""
        ds = self.handles[branch]
        rows, columns = content(self.seen[branch])
        assert set(ds.schema.names) == {"uid", *columns}
        found = {}
        if len(ds):
            batch = await ds.read(slice(None))
            values = {name: np.ma.asarray(batch[name]).tolist() for name in columns}
            found = {
                uid: {c: values[c][i] for c in columns}
                for i, uid in enumerate(batch["uid"].tolist())
            }
            assert len(found) == len(ds)
        assert found == rows
        for name in columns:
            wanted = self.rng.choice([None, *range(9)])
            matching = await ds.where({name: wanted})
            expected = {uid for uid, row in rows.items() if row[name] == wanted}
            assert set(await uids_of(matching)) == expected


async def uids_of(rows: Any) -> list[int]:
    if not len(rows):
        return []
    found: list[int] = (await rows.read(slice(None), columns=["uid"]))["uid"].tolist()
    return found


async def opened(backend: Backend, session: Session, closing: AsyncExitStack) -> World:
    schema = {"uid": NUMBER, "x": NUMBER}
    main = aiolake.create_dataset(backend.url, schema, session=session)
    world = World({"main": await closing.enter_async_context(main)}, random.Random(0))
    await world.append("main", 5)
    for name in BRANCHES[1:]:
        await world.handles["main"].branches.create(name)
        branch = aiolake.open_dataset(backend.url, branch=name, session=session)
        world.handles[name] = await closing.enter_async_context(branch)
        world.seen[name] = world.seen["main"]
    return world


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 1_800))
@pytest.mark.parametrize("first", range(0, pick(8, 400), pick(4, 100)))
async def test_merges_keep_what_every_branch_did(backend: Backend, first: int) -> None:
    n_merged = 0
    for seed in range(first, first + pick(4, 100)):
        place = Backend()
        async with AsyncExitStack() as closing:
            session = await closing.enter_async_context(place.session())
            world = await opened(place, session, closing)
            for step in range(pick(30, 50)):
                world.rng = random.Random(1_000 * seed + step)
                branch, what = world.rng.choice(BRANCHES), world.rng.random()
                if what < 0.4:
                    await world.change(branch)
                elif what < 0.55:
                    await aiolake.optimize(world.handles[branch])
                else:
                    n_merged += await world.merge(branch)
                await world.check(branch)
            for branch in BRANCHES:
                await world.check(branch)
            assert (await aiolake.verify(world.handles["main"])).ok
    assert n_merged > 5
