"""What the machine does with a dataset: drawn transactions, selections, and full comparisons."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import numpy as np

import aiolake
from tests.dataset.model import KINDS, Change, Col, Snap, check_batch, check_value, value_of


class Script:
    """Draws the changes of one transaction, does them, and notes them for the model."""

    def __init__(
        self,
        base: Snap,
        new_id: Callable[[], int],
        tx: aiolake.Transaction,
        change: Change,
        rng: random.Random,
    ) -> None:
        self.base = base
        self.new_id = new_id
        self.columns = {col.name: col for col in self.base.columns}
        self.tx = tx
        self.change = change
        self.rng = rng

    async def step(self, n_rows: int | None) -> None:
        do = [self.append, self.append, self.update, self.delete, self.add, self.rename]
        do += [self.drop, self.metadata]
        if n_rows is not None:
            await self.append(n_rows)
        else:
            await self.rng.choice(do)()

    async def append(self, n_rows: int | None = None) -> None:
        n = self.rng.randint(0, 12) if n_rows is None else n_rows
        cols = list(self.columns.values())
        rows = [{col.name: value_of(col.kind, self.rng) for col in cols} for _ in range(n)]
        form = self.rng.randint(0, 2)
        if form == 0:
            done = await self.tx.append(rows)
        elif form == 1:
            columns = {col.name: [row[col.name] for row in rows] for col in cols}
            done = await self.tx.append(columns=columns)
        else:
            done = await self.tx.append(_async(rows))
        assert done == n
        self.change.appended += [{col.id: row[col.name] for col in cols} for row in rows]

    def _chosen(self) -> tuple[Any, list[int]]:
        n = len(self.base.rows)
        return selection(n, self.rng)

    async def update(self) -> None:
        how, at = self._chosen()
        cols = self.rng.sample(list(self.columns.values()), self.rng.randint(1, len(self.columns)))
        values = {col.name: [value_of(col.kind, self.rng) for _ in at] for col in cols}
        single = isinstance(how, int)
        given = {name: v[0] for name, v in values.items()} if single else values
        assert await self.tx.update(how, given) == len(at)
        for k, i in enumerate(at):
            for col in cols:
                self.change.updated[self.base.rows[i][0], col.id] = values[col.name][k]

    async def delete(self) -> None:
        how, at = self._chosen()
        gone = {self.base.rows[i][0] for i in at[:10]}
        if len(at) > 10:
            how = at[:10]
        assert await self.tx.delete(how) == len(gone - self.change.deleted)
        self.change.deleted |= gone

    async def add(self) -> None:
        kind = self.rng.choice(sorted(KINDS))
        name = f"c{self.rng.randint(0, 9)}"
        if name in self.columns or len(self.columns) > 7:
            return
        default = value_of(kind, self.rng)
        self.tx.add_column(name, KINDS[kind], default=default)
        col = Col(self.new_id(), name, kind, default)
        for row in self.change.appended:
            row[col.id] = default
        self.columns[name] = col
        self.change.added.append(col)

    async def rename(self) -> None:
        old, new = self.rng.choice(list(self.columns)), f"c{self.rng.randint(0, 9)}"
        if new in self.columns:
            return
        self.tx.rename_column(old, new)
        cols = [replace(c, name=new) if c.name == old else c for c in self.columns.values()]
        self.columns = {col.name: col for col in cols}
        self.change.renamed[self.columns[new].id] = new

    async def drop(self) -> None:
        if len(self.columns) < 2:
            return
        name = self.rng.choice(list(self.columns))
        self.tx.drop_column(name)
        self.change.dropped.add(self.columns.pop(name).id)

    async def metadata(self) -> None:
        key, value = f"k{self.rng.randint(0, 2)}", self.rng.choice([None, 1, "x"])
        name = self.rng.choice([None, *self.columns])
        if value is None:
            self.tx.remove_metadata(key, column=name)
        else:
            self.tx.set_metadata({key: value}, column=name)
        self.change.metadata[None if name is None else self.columns[name].id, key] = value


async def _async(rows: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for row in rows:
        yield row


def selection(n: int, rng: random.Random) -> tuple[Any, list[int]]:
    """A selector of distinct rows, and the positions it means."""
    form = rng.randint(0, 5) if n else 1
    if form == 0:
        i = rng.randint(-n, n - 1)
        return i, [i % n]
    if form in (1, 2):
        bound = [None, *range(-n - 1, n + 2)]
        how = slice(rng.choice(bound), rng.choice(bound), rng.choice([None, 1, 2, -1, -3]))
        return how, list(range(n))[how]
    chosen = rng.sample(range(n), rng.randint(0, min(n, 8)))
    if form == 3:
        mask = np.zeros(n, bool)
        mask[chosen] = True
        return mask, sorted(chosen)
    return [i - n if rng.random() < 0.3 else i for i in chosen], chosen


async def check_all(ds: aiolake.Dataset, snap: Snap) -> None:
    """Every value, name and key of metadata."""
    assert len(ds) == len(snap.rows)
    assert ds.schema.names == tuple(col.name for col in snap.columns)
    assert ds.metadata == snap.metadata
    batch = await ds.read(slice(None), decode=False)
    for col in snap.columns:
        assert ds.schema[col.name].type == KINDS[col.kind]
        assert ds.schema[col.name].metadata == col.metadata
        check_batch(col.kind, batch[col.name], snap.values(col))


async def read_some(ds: aiolake.Dataset, snap: Snap, rng: random.Random) -> None:
    """Some rows in some form, directly, through views, and as batches."""
    cols = rng.sample(snap.columns, rng.randint(1, len(snap.columns)))
    names = [col.name for col in cols]
    how, at = selection(len(snap.rows), rng)
    if isinstance(how, int):
        row = await ds.read(how, columns=names, decode=False)
        for col in cols:
            check_value(col.kind, row[col.name], snap.values(col, at)[0])
        return
    view = ds[how].select(*names)
    inner, again = selection(len(at), rng)
    for found, rows in (
        (await ds.read(how, columns=names, decode=False), at),
        (await view.read(slice(None), decode=False), at),
        (await view[inner].read(slice(None), decode=False), [at[i] for i in again]),
    ):
        for col in cols:
            check_batch(col.kind, found[col.name], snap.values(col, rows))
    await check_stream(view, snap, cols, at, rng.choice([1, 3, 100]))


async def check_stream(
    view: aiolake.View, snap: Snap, cols: list[Col], at: list[int], n: int
) -> None:
    first = 0
    async with view.batches(n, decode=False) as batches:
        async for batch in batches:
            rows = at[first : first + n]
            for col in cols:
                check_batch(col.kind, batch[col.name], snap.values(col, rows))
            first += len(rows)
    assert first == len(at)
