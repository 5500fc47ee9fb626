"""The whole engine against dicts and lists: several writers, and a store that fails.

Each writer has a session of its own over a ``FaultStore`` on shared objects: requests are
throttled, fail, are answered too late or never, and puts land later. No value may differ, no
commit may be lost or doubled, and conflicts are exactly those of the model.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import aiolake
from aiolake import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    Options,
    SnapshotExpiredError,
)
from aiolake.stores.memory import MemoryObjects, MemoryStore
from aiolake.testing import FakeClock, FaultStore
from tests.dataset.helpers import Remote, new_url
from tests.dataset.model import (
    KINDS,
    Change,
    Col,
    Snap,
    applied,
    check_batch,
    check_value,
    may_overlap,
    overlap,
    value_of,
)
from tests.scale import pick

T = TypeVar("T")
OPTIONS = Options(chunk_bytes=2048, small_bytes=600, decode_threads=1, cache_bytes=20_000)
WRITERS = st.integers(0, 2)
SEEDS = st.integers(0, 2**32 - 1)
BRANCHES = st.sampled_from(["main", "main", "dev", "exp/1"])
TAGS = st.sampled_from(["v1", "v2"])


@dataclass
class Handle:
    """An open dataset, and what the model knows of it."""

    ds: aiolake.Dataset
    branch: str
    snapshot: int
    head: int


class Machine(RuleBasedStateMachine):
    """Writers and readers of one dataset."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.handles: list[Handle] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(seed=SEEDS)
    def create(self, seed: int) -> None:
        self.url, self.objects = new_url(), MemoryObjects()
        kinds = random.Random(seed).sample(sorted(KINDS), 4)
        self.columns = 4
        self.rows = 0
        columns = tuple(Col(i, f"c{i}", kind) for i, kind in enumerate(kinds))
        self.log: list[Change] = [Change(branch="main")]
        self.snaps = {1: Snap(columns)}
        self.branches, self.tags = {"main": 1}, dict[str, int]()
        self.expire_below = 1
        self.sessions = [self._session(seed + i) for i in range(3)]
        schema = {col.name: KINDS[col.kind] for col in columns}
        self.run(self._open(schema))

    def _session(self, seed: int) -> aiolake.Session:
        store = FaultStore.unreliable(MemoryStore(self.url, self.objects), seed=seed)
        return aiolake.Session(
            OPTIONS, store_factory=lambda *_a, **_k: Remote(store), clock=FakeClock(runs=True)
        )

    async def _open(self, schema: dict[str, Any]) -> None:
        first = await aiolake.create_dataset(self.url, schema, session=self.sessions[0])
        self.handles = [Handle(first, "main", 1, 1)]
        for session in self.sessions[1:]:
            ds = await aiolake.open_dataset(self.url, session=session)
            self.handles.append(Handle(ds, "main", 1, 1))

    def teardown(self) -> None:
        with self.runner:
            if self.handles:
                self.run(self._close())

    async def _close(self) -> None:
        try:
            await self._check_history()
        finally:
            for handle in self.handles:
                await handle.ds.aclose()
            for session in self.sessions:
                await session.aclose()

    @property
    def n(self) -> int:
        """The newest entry's number."""
        return len(self.log)

    def is_held(self, n: int) -> bool:
        held = {*self.branches.values(), *self.tags.values()}
        return n >= self.expire_below or n in held

    # Transactions.

    @rule(who=WRITERS, seed=SEEDS, n_ops=st.integers(1, 3))
    def transact(self, who: int, seed: int, n_ops: int) -> None:
        self.run(self._transact(self.handles[who], random.Random(seed), n_ops))

    @rule(who=WRITERS, seed=SEEDS)
    def append_many(self, who: int, seed: int) -> None:
        self.run(self._transact(self.handles[who], random.Random(seed), 1, n_rows=700))

    async def _transact(
        self, handle: Handle, rng: random.Random, n_ops: int, n_rows: int | None = None
    ) -> None:
        change = Change(branch=handle.branch)
        expected: int | None = None
        try:
            async with handle.ds.transaction(f"by {handle.branch}") as tx:
                script = _Script(self, handle, tx, change, rng)
                for _ in range(n_ops):
                    await script.step(n_rows)
                if change.is_empty:
                    expected = handle.snapshot
        except ConflictError:
            assert expected is None
            assert self._refused(change, handle), "refused for no reason"
            assert tx.outcome == "not_committed"
            return
        if change.is_empty:
            assert handle.ds.snapshot == handle.snapshot
            return
        assert not self._must_refuse(change, handle), "an overlap was not seen"
        assert tx.outcome == "committed"
        await self._committed(handle, change)
        self.rows += len(change.appended)

    def _since(self, handle: Handle) -> list[Change]:
        return self.log[handle.head :]

    def _must_refuse(self, change: Change, handle: Handle) -> bool:
        if handle.branch not in self.branches:
            return True
        if any(overlap(change, theirs) for theirs in self._since(handle)):
            return True
        return self._after(change) is None

    def _refused(self, change: Change, handle: Handle) -> bool:
        seen = self._since(handle)
        return self._must_refuse(change, handle) or any(may_overlap(change, t) for t in seen)

    def _after(self, change: Change) -> Snap | None:
        assert change.branch is not None
        return applied(change, self.snaps[self.branches[change.branch]], self.rows)

    async def _committed(self, handle: Handle, change: Change, snap: Snap | None = None) -> None:
        after = self._after(change) if snap is None else snap
        assert after is not None
        self.log.append(change)
        assert handle.ds.snapshot == self.n, "every commit is one entry, never two"
        self.snaps[self.n] = after
        self.branches[handle.branch] = handle.snapshot = handle.head = self.n
        await check_all(handle.ds, after)

    # Upkeep.

    @rule(who=WRITERS)
    def optimize(self, who: int) -> None:
        handle = self.handles[who]
        if self.is_held(handle.snapshot):
            self.run(self._optimize(handle))

    async def _optimize(self, handle: Handle) -> None:
        change = Change(branch=handle.branch, optimizes=True)
        try:
            n = await aiolake.optimize(handle.ds)
        except ConflictError:
            assert self._must_refuse(change, handle)
            return
        if n is not None:
            assert not self._must_refuse(change, handle)
            await self._committed(handle, change)

    @rule(who=WRITERS, back=st.integers(0, 5))
    def expire(self, who: int, back: int) -> None:
        below = max(1, self.n - back)
        found = self.run(aiolake.expire(self.handles[who].ds, below=below))
        self.log.append(Change())
        self.expire_below = max(self.expire_below, below)
        assert found == self.expire_below

    @rule(who=WRITERS)
    def gc(self, who: int) -> None:
        from datetime import timedelta

        self.run(aiolake.gc(self.handles[who].ds, grace=timedelta(0)))
        self.log.append(Change())

    # Names.

    @rule(who=WRITERS)
    def refresh(self, who: int) -> None:
        handle = self.handles[who]
        if handle.branch not in self.branches:
            with pytest.raises(NotFoundError):
                self.run(handle.ds.refresh())
            return
        newest = self.branches[handle.branch]
        assert self.run(handle.ds.refresh()) == (newest != handle.snapshot)
        handle.snapshot, handle.head = newest, self.n
        self.run(check_all(handle.ds, self.snaps[newest]))

    @rule(who=WRITERS, name=BRANCHES)
    def switch(self, who: int, name: str) -> None:
        self.run(self._switch(who, name))

    async def _switch(self, who: int, name: str) -> None:
        opening = aiolake.open_dataset(self.url, branch=name, session=self.sessions[who])
        if name not in self.branches:
            with pytest.raises(NotFoundError):
                await opening
            return
        await self.handles[who].ds.aclose()
        handle = Handle(await opening, name, self.branches[name], self.n)
        self.handles[who] = handle
        await check_all(handle.ds, self.snaps[handle.snapshot])

    @rule(who=WRITERS, name=BRANCHES, back=st.integers(0, 4))
    def branch(self, who: int, name: str, back: int) -> None:
        self.run(self._name(who, name, back, self.branches, "branches"))

    @rule(who=WRITERS, name=TAGS, back=st.integers(0, 4))
    def tag(self, who: int, name: str, back: int) -> None:
        self.run(self._name(who, name, back, self.tags, "tags"))

    async def _name(self, who: int, name: str, back: int, table: dict[str, int], what: str) -> None:
        """Create a name at an older snapshot, or delete it if it is there."""
        names: Any = getattr(self.handles[who].ds, what)
        at = sorted(self.snaps)[-1 - back % len(self.snaps)]
        if name in table and name != "main" and back:
            await names.delete(name)
            del table[name]
        elif name in table:
            with pytest.raises(AlreadyExistsError):
                await names.create(name, at)
            return
        elif not self.is_held(at):
            with pytest.raises(SnapshotExpiredError):
                await names.create(name, at)
            return
        else:
            await names.create(name, at)
            table[name] = at
        self.log.append(Change(names=name if what == "branches" else None))
        assert await names.list() == dict(sorted(table.items()))

    @rule(who=WRITERS, back=st.integers(0, 6))
    def restore(self, who: int, back: int) -> None:
        at = sorted(self.snaps)[-1 - back % len(self.snaps)]
        self.run(self._restore(self.handles[who], at))

    async def _restore(self, handle: Handle, at: int) -> None:
        change = Change(branch=handle.branch, restores=True)
        theirs = [other for other in self._since(handle) if not other.is_empty or other.names]
        refused = handle.branch not in self.branches or any(overlap(change, o) for o in theirs)
        try:
            await handle.ds.restore(at)
        except (ConflictError, SnapshotExpiredError):
            assert refused or not self.is_held(at)
            return
        assert not refused
        assert self.is_held(at)
        await self._committed(handle, change, self.snaps[at])

    # Reading.

    @rule(who=WRITERS, seed=SEEDS)
    def read(self, who: int, seed: int) -> None:
        handle = self.handles[who]
        try:
            self.run(read_some(handle.ds, self.snaps[handle.snapshot], random.Random(seed)))
        except SnapshotExpiredError:
            assert not self.is_held(handle.snapshot)

    @rule(who=WRITERS, back=st.integers(0, 20))
    def travel(self, who: int, back: int) -> None:
        at = sorted(self.snaps)[-1 - back % len(self.snaps)]
        self.run(self._travel(self.sessions[who], at))

    async def _travel(self, session: aiolake.Session, at: int) -> None:
        opening = aiolake.open_dataset(self.url, snapshot=at, session=session)
        if not self.is_held(at):
            with pytest.raises(SnapshotExpiredError):
                await opening
            return
        async with opening as ds:
            await check_all(ds, self.snaps[at])

    async def _check_history(self) -> None:
        for at in sorted(self.snaps):
            await self._travel(self.sessions[0], at)
        for name, at in self.tags.items():
            async with aiolake.open_dataset(self.url, tag=name, session=self.sessions[1]) as ds:
                await check_all(ds, self.snaps[at])


class _Script:
    """Draws the changes of one transaction, does them, and notes them for the model."""

    def __init__(
        self,
        machine: Machine,
        handle: Handle,
        tx: aiolake.Transaction,
        change: Change,
        rng: random.Random,
    ) -> None:
        self.machine = machine
        self.base = machine.snaps[handle.snapshot]
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
        self.machine.columns += 1
        col = Col(1000 + self.machine.columns, name, kind, default)
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


@pytest.mark.soak
def test_the_engine_behaves_like_dicts_and_lists() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=pick(15, 600), stateful_step_count=pick(25, 60))
    )
