"""Random histories of a dataset, kept beside a model of dicts and lists."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import ColumnType, Dataset, Options, Transaction
from tests.format.reader import open_dataset
from tests.format.samples import TYPES, canonical, is_encoded, value_of

Row = dict[str, Any]
KEY, ABOUT = "id", "_metadata"
ROOMY = Options(durability="os")
TIGHT = Options(durability="os", chunk_bytes=8000, small_bytes=4000)


@contextmanager
def tight_limits() -> Iterator[None]:
    """Everything that has a limit meets it: parts, manifests, lists and blobs of a few bytes."""
    with pytest.MonkeyPatch.context() as patch:
        # More than a page of several rows takes here: those are never in parts.
        patch.setattr("aiolake.chunks.pack.MAX_PART_BYTES", 6000)
        patch.setattr("aiolake.chunks.write._INLINE_NBYTES", 200)
        patch.setattr("aiolake.versions.commit.FOLD_BYTES", 6000)
        patch.setattr("aiolake.versions.keys.INLINE_BYTES", 100)
        for name in ("DESCRIPTION_BYTES", "REFS_BYTES", "RUNS_BYTES", "EFFECTS_BYTES"):
            patch.setattr(f"aiolake.versions.blobs.{name}", 40)
        yield


@dataclass
class Model:
    """What a snapshot must hold; ``key`` names its key column."""

    types: dict[str, ColumnType] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    key: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns users see."""
        return [name for name in self.types if name != ABOUT]

    def copy(self) -> Model:
        rows = [dict(row) for row in self.rows]
        return Model(dict(self.types), rows, dict(self.metadata), self.key)

    def column(self, name: str) -> list[Any]:
        return [canonical(row[name], self.types[name]) for row in self.rows]


class History:
    """A dataset, its snapshots' models by number, and its names.

    ``keyed``: it was created with the key column ``KEY`` and row metadata, and replaces rows.
    """

    def __init__(
        self,
        ds: Dataset,
        types: Mapping[str, ColumnType],
        rng: random.Random,
        *,
        keyed: bool = False,
    ) -> None:
        self.ds = ds
        self.rng = rng
        hidden = {ABOUT: aiolake.Json()} if keyed else {}
        self.model = Model({**types, **hidden}, key=KEY if keyed else None)
        self._next_key = 0
        self.models: dict[int, Model] = {}
        self.branches: dict[str, int] = {}
        self.tags: dict[str, int] = {}
        self.gone: set[int] = set()
        self.keep()

    def keep(self) -> None:
        """Remember what the newest snapshot must hold."""
        self.branches["main"] = self.ds.snapshot
        self.models[self.ds.snapshot] = self.model.copy()

    def rows(self, n: int) -> list[Row]:
        """Random rows."""
        return [{name: self._value(name) for name in self.model.types} for _ in range(n)]

    def _value(self, name: str) -> Any:
        if name != self.model.key:
            return value_of(self.model.types[name], self.rng)
        self._next_key += 1
        return f"key {self._next_key}"

    async def commit(self) -> None:
        """One transaction of some random changes, then an append."""
        kinds = [self._delete, self._update, self._add, self._rename, self._drop, self._describe]
        doomed: set[int] = set()
        async with self.ds.transaction("change") as tx:
            for change in self.rng.sample(kinds, 2):
                doomed |= await change(tx)
            # Last in the model: the transaction addresses rows of its base to its end.
            self.model.rows = [row for i, row in enumerate(self.model.rows) if i not in doomed]
            await self._append(tx)
        self.keep()

    async def _append(self, tx: Transaction) -> None:
        rows = self.rows(self.rng.choice([1, 2, 7]))
        await tx.append(rows)
        self.model.rows += rows

    def _some(self, chance: float) -> list[int]:
        return [i for i in range(len(self.model.rows)) if self.rng.random() < chance]

    async def _update(self, tx: Transaction) -> set[int]:
        which = self._some(0.3)
        self.rng.shuffle(which)
        names = self.rng.sample(list(self.model.types), 2)
        values = {name: [self._value(name) for _ in which] for name in names}
        await tx.update(which, values)
        for k, i in enumerate(which):
            self.model.rows[i].update({name: values[name][k] for name in names})
        return set()

    async def _delete(self, tx: Transaction) -> set[int]:
        which = self._some(0.1)
        await tx.delete(which)
        return set(which)

    async def _add(self, tx: Transaction) -> set[int]:
        type = self.rng.choice(list(TYPES.values()))
        name = f"new {self.rng.randrange(10**9)}"
        # Of links there is no constant but null.
        default = None if isinstance(type, aiolake.Link) else value_of(type, self.rng)
        tx.add_column(name, type, default=default)
        self.model.types[name] = type
        for row in self.model.rows:
            row[name] = default
        return set()

    async def _rename(self, tx: Transaction) -> set[int]:
        old = self.rng.choice(self.model.names)
        new = f"renamed {self.rng.randrange(10**9)}"
        tx.rename_column(old, new)
        self.model.types = {new if k == old else k: v for k, v in self.model.types.items()}
        for row in self.model.rows:
            row[new] = row.pop(old)
        self.model.key = new if self.model.key == old else self.model.key
        return set()

    async def _drop(self, tx: Transaction) -> set[int]:
        name = self.rng.choice(self.model.names)
        if len(self.model.types) > 5 and name != self.model.key:
            tx.drop_column(name)
            del self.model.types[name]
            for row in self.model.rows:
                del row[name]
        return set()

    async def _describe(self, tx: Transaction) -> set[int]:
        values = {f"key {self.rng.randrange(5)}": self.rng.randrange(100)}
        tx.set_metadata(values)
        self.model.metadata.update(values)
        return set()

    async def replace(self) -> None:
        """Rows with keys that others have take their places, at the end."""
        key = self.model.key
        assert key is not None
        taken = self.rng.sample(self.model.rows, min(2, len(self.model.rows)))
        rows = self.rows(3)
        for row, old in zip(rows, taken, strict=False):
            row[key] = old[key]
        async with self.ds.transaction("replace") as tx:
            await tx.append(rows)
        kept = [row for row in self.model.rows if all(row is not old for old in taken)]
        self.model.rows = kept + rows
        self.keep()

    async def merge(self) -> None:
        """Rows that a branch got follow those that were appended meanwhile."""
        name, rows = f"side-{self.ds.snapshot}", self.rows(2)
        await self.ds.branches.create(name, self.ds.snapshot)
        async with aiolake.open_dataset(self.ds.url, branch=name) as side:
            async with side.transaction("beside") as tx:
                await tx.append(rows)
            self.branches[name] = side.snapshot
        self.models[self.branches[name]] = beside = self.model.copy()
        beside.rows += rows
        async with self.ds.transaction("meanwhile") as tx:
            await self._append(tx)
        self.keep()
        await self.ds.branches.merge(name)
        self.model.rows += rows
        self.keep()

    async def fork(self) -> None:
        """Rows of two workers, in one commit."""
        parts = [self.rows(n) for n in (2, 1)]
        async with self.ds.transaction("workers") as tx:
            receipts = []
            for rows in parts:
                async with tx.fork().open() as appender:
                    await appender.append(rows)
                receipts.append(appender.receipt)
            await tx.merge(receipts)
        self.model.rows += [row for rows in parts for row in rows]
        self.keep()

    async def restore(self) -> None:
        """Go back to some snapshot there was."""
        n = self.rng.choice(list(self.models))
        await self.ds.history.restore(n)
        self.model = self.models[n].copy()
        self.keep()

    async def optimize(self) -> None:
        """Rewrite all pieces; the values stay."""
        if await aiolake.optimize(self.ds) is not None:
            self.keep()

    async def forget(self) -> None:
        """Expire what no name holds, and collect it."""
        below = await aiolake.expire(self.ds, below=self.ds.snapshot)
        await aiolake.gc(self.ds, grace=timedelta(0))
        held = {*self.branches.values(), *self.tags.values()}
        self.gone = {n for n in self.models if n < below and n not in held}
        self.models = {n: model for n, model in self.models.items() if n not in self.gone}

    async def name(self) -> None:
        """A tag and a branch at some snapshot there was."""
        n = self.rng.choice(list(self.models))
        self.tags[f"v{n}"] = self.branches[f"b{n}"] = n
        if f"v{n}" not in await self.ds.tags.list():
            await self.ds.tags.create(f"v{n}", n)
            await self.ds.branches.create(f"b{n}", n)


def check_reader(directory: Path, model: Model, **at: Any) -> None:
    """The independent reader sees what the model says."""
    seen = open_dataset(directory, **at)
    assert (seen.names, seen.metadata) == (model.names, model.metadata)
    assert (seen.key, seen.row_metadata) == (model.key, ABOUT if ABOUT in model.types else None)
    for name, type in model.types.items():
        values = [canonical(value, type) for value in seen.column(name).values]
        assert values == model.column(name), name
    if model.key is not None:
        keys = model.column(model.key)
        assert [seen.get(key) for key in keys] == list(range(len(keys)))
        assert seen.get("no such key") is None


async def check_engine(url: str, model: Model, **at: Any) -> None:
    """The engine sees what the model says."""
    async with aiolake.open_dataset(url, **at) as ds:
        assert (list(ds.schema), ds.metadata) == (model.names, model.metadata)
        links = [name for name, type in model.types.items() if isinstance(type, aiolake.Link)]
        encoded = [name for name, type in model.types.items() if is_encoded(type)]
        others = [name for name in model.types if name not in (*links, *encoded)]
        batch = {
            **await ds.read(slice(None), columns=encoded, decode=False),
            **await ds.read(slice(None), columns=others),
        }
        for name, type in model.types.items():
            if isinstance(type, aiolake.Link):
                values: Any = await aiolake.references(ds, slice(None), name)
            elif _has_no_numbers(type):
                values = [(await ds.read(i, columns=[name]))[name] for i in range(len(ds))]
            else:
                values = batch[name]
            cells = [canonical(cell, type) for cell in cells_of(values)]
            assert cells == model.column(name), name
        if model.key is not None and model.rows:
            keys = model.column(model.key)
            assert (await ds.get(keys, columns=[model.key]))[model.key] == keys


def _has_no_numbers(type: ColumnType) -> bool:
    """A mask over such rows is empty and says nothing of Nones."""
    return isinstance(type, aiolake.Tensor) and 0 in type.shape


def cells_of(batch: Any) -> list[Any]:
    """The rows of a batch, None where a row is masked."""
    if not isinstance(batch, np.ma.MaskedArray):
        return list(batch)
    masks = np.ma.getmaskarray(batch)
    return [None if mask.all() else cell for cell, mask in zip(batch.data, masks, strict=True)]
