"""The whole engine against dicts and lists: several writers, and a store that fails.

Each writer has a session of its own over a ``FaultStore`` on shared objects: requests are
throttled, fail, are answered too late or never, and puts land later. No value may differ, no
commit may be lost or doubled, and conflicts are exactly those of the model.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

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
from tests.dataset.model import KINDS, Change, Col, Snap, applied, may_overlap, overlap
from tests.dataset.script import Script, check_all, read_some
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
                script = Script(self.snaps[handle.snapshot], self._new_column, tx, change, rng)
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

    def _new_column(self) -> int:
        self.columns += 1
        return self.columns

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
        seen = self._since(handle)
        refused = handle.branch not in self.branches or any(overlap(change, o) for o in seen)
        try:
            await handle.ds.history.restore(at)
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


@pytest.mark.soak
def test_the_engine_behaves_like_dicts_and_lists() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=pick(8, 100), stateful_step_count=pick(25, 50))
    )
