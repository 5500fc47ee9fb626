"""A commit cancelled anywhere is answerable: what is said of it is what the log says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import aiolake
from aiolake import Outcome
from aiolake.dataset.fork import append_here
from aiolake.testing import LandsLater, LostAnswer, Rule, Transient, cancel_at_each_step
from tests.cancellation.place import N_ROWS, Place, check_row, rows
from tests.cancellation.turns import cancel_at_each_turn

Change = Callable[[aiolake.Transaction], Awaitable[object]]


async def append(tx: aiolake.Transaction) -> None:
    await tx.append(rows(2, first=N_ROWS))


async def append_many(tx: aiolake.Transaction) -> None:
    await tx.append(columns={"n": [7] * 20, "name": ["x"] * 20, "blob": [b"y"] * 20})


async def append_large(tx: aiolake.Transaction) -> None:
    """Several chunks of several columns: uploads run beside the caller."""
    await tx.append([{"n": 1, "name": "x", "blob": bytes(6 << 20)} for _ in range(4)])


async def update(tx: aiolake.Transaction) -> None:
    await tx.update([5, 9], {"n": [-5, -9], "blob": [b"a", b"b"]})


async def delete(tx: aiolake.Transaction) -> None:
    await tx.delete([-1])


async def columns(tx: aiolake.Transaction) -> None:
    tx.add_column(f"extra/{tx.write_id}", aiolake.Tensor("float32"), default=1.5)
    await tx.append({**rows(1)[0], f"extra/{tx.write_id}": 2.0, **extra_of(tx)})


def extra_of(tx: aiolake.Transaction) -> dict[str, Any]:
    """Columns that earlier runs of ``columns`` added."""
    return {name: 0.0 for name in tx._columns.targets if name.startswith("extra/")}


async def metadata(tx: aiolake.Transaction) -> None:
    tx.set_metadata({"seen": tx.write_id})


async def merge(tx: aiolake.Transaction) -> None:
    async with append_here(tx.fork(), tx._core) as worker:
        await worker.append(rows(2, first=N_ROWS))
    await tx.merge([worker.receipt])


CHANGES: list[Change] = [append, append_many, update, delete, columns, metadata, merge]


class Commits:
    """Runs one kind of transaction, and asks what became of the last one."""

    def __init__(self, ds: aiolake.Dataset, place: Place, change: Change) -> None:
        self.ds = ds
        self.place = place
        self.change = change
        self.last: aiolake.Transaction | None = None
        self.seen: list[Outcome] = []

    async def run(self) -> None:
        self.last = None
        async with self.ds.transaction("cancelled, perhaps") as tx:
            self.last = tx
            await self.change(tx)

    async def check(self) -> None:
        self.place.check_idle()
        tx = self.last
        if tx is None:
            return
        found = await self.ds.find_commit(tx.write_id, slot=tx.slot)
        numbers = [e["n"] for e in await self.place.log() if e["write_id"] == tx.write_id]
        self.seen.append(tx.outcome)
        if tx.outcome is Outcome.COMMITTED:
            assert numbers == [tx.snapshot]
            assert found == aiolake.Found(Outcome.COMMITTED, tx.snapshot)
        else:
            assert numbers == []
            assert tx.outcome is Outcome.NOT_COMMITTED
            if tx.slot is not None:
                assert found.outcome is Outcome.NOT_COMMITTED
        await self.usable()

    async def usable(self) -> None:
        await self.ds.refresh()
        check_row(await self.ds.read(17), 17)

    def saw_both(self) -> None:
        assert {Outcome.COMMITTED, Outcome.NOT_COMMITTED} == set(self.seen)


@pytest.mark.parametrize("change", CHANGES)
async def test_cancelled_at_each_step(change: Change, ds: aiolake.Dataset, place: Place) -> None:
    commits = Commits(ds, place, change)
    await cancel_at_each_step(commits.run, commits.check)
    commits.saw_both()
    await commits.run()
    await commits.check()


@pytest.mark.parametrize("place", ["memory"], indirect=True)
@pytest.mark.parametrize("change", [append, update, delete, columns])
async def test_cancelled_at_each_turn_of_the_loop(
    change: Change, ds: aiolake.Dataset, place: Place
) -> None:
    commits = Commits(ds, place, change)
    assert await cancel_at_each_turn(commits.run, commits.check) > 5
    commits.saw_both()


async def test_cancelled_while_chunks_are_uploaded(ds: aiolake.Dataset, place: Place) -> None:
    commits = Commits(ds, place, append_large)
    await cancel_at_each_step(commits.run, commits.check)
    commits.saw_both()


async def test_cancelled_while_others_commit(ds: aiolake.Dataset, place: Place) -> None:
    """The base moves under every run, so the commit is rebased before it takes its slot."""
    async with aiolake.open_dataset(place.url, session=place.session) as other:

        async def append_behind(tx: aiolake.Transaction) -> None:
            await append(tx)
            async with other.transaction("in between") as meanwhile:
                await meanwhile.append(rows(1))

        commits = Commits(ds, place, append_behind)
        await cancel_at_each_step(commits.run, commits.check)
        commits.saw_both()
        entries = await place.log()
    assert len({entry["write_id"] for entry in entries}) == len(entries)


@pytest.mark.parametrize("place", ["memory"], indirect=True)
@pytest.mark.parametrize("fault", [LostAnswer(), Transient(), LandsLater(2)])
async def test_cancelled_while_the_answer_is_lost(
    fault: Any, ds: aiolake.Dataset, place: Place
) -> None:
    async def append_with_fault(tx: aiolake.Transaction) -> None:
        place.faults[-1].script.clear()
        place.faults[-1].script.add(Rule(fault, "create", key="log/*"))
        await append(tx)

    commits = Commits(ds, place, append_with_fault)
    await cancel_at_each_step(commits.run, commits.check)
    commits.saw_both()


async def cancelled_while_pending(commits: Commits) -> aiolake.Transaction:
    """A commit whose slot could not be settled within its deadline, cancelled meanwhile."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(commits.run())
        while commits.last is None or commits.last.outcome is not Outcome.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    return commits.last


@pytest.mark.parametrize("place", ["memory"], indirect=True)
@pytest.mark.parametrize("lands", [False, True])
async def test_a_pending_commit_can_be_settled(
    lands: bool, ds: aiolake.Dataset, place: Place
) -> None:
    ds._core.log._timeout = timedelta(seconds=0.05)
    faults = place.faults[-1]
    await ds.refresh()
    async with ds.transaction("honest") as tx:
        await append(tx)
    first = LandsLater() if lands else Transient()
    faults.script.add(Rule(first, "create", key="log/*"))
    faults.script.add(Rule(Transient(), "create", key="log/*", after=1, times=None))
    commits = Commits(ds, place, append)
    tx = await cancelled_while_pending(commits)
    assert tx.outcome is Outcome.PENDING
    assert (await ds.find_commit(tx.write_id, slot=tx.slot)).outcome is Outcome.PENDING
    faults.script.clear()
    assert await faults.land() == int(lands)
    found = await ds.find_commit(tx.write_id, slot=tx.slot, settle=True)
    expected = Outcome.COMMITTED if lands else Outcome.NOT_COMMITTED
    assert found.outcome is expected
    assert [e["n"] for e in await place.log() if e["write_id"] == tx.write_id] == [tx.slot] * lands
    await commits.usable()


@pytest.mark.parametrize("place", ["memory"], indirect=True)
async def test_settling_cancelled_at_each_step(ds: aiolake.Dataset, place: Place) -> None:
    async def settle() -> None:
        slot = (await place.log())[-1]["n"] + 1
        found = await ds.find_commit("never", slot=slot, settle=True)
        assert found.outcome is Outcome.NOT_COMMITTED

    assert await cancel_at_each_step(settle, place.check_idle) > 3


class Source:
    """An async iterable of rows that says whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    async def rows(self) -> Any:
        try:
            for row in rows(60):
                await asyncio.sleep(0)
                yield row
        finally:
            self.closed = True


async def test_an_async_source_is_closed(ds: aiolake.Dataset, place: Place) -> None:
    sources: list[Source] = []

    async def append_source(tx: aiolake.Transaction) -> None:
        sources.append(Source())
        await tx.append(sources[-1].rows())

    commits = Commits(ds, place, append_source)

    async def check() -> None:
        await commits.check()
        assert all(source.closed for source in sources)

    assert await cancel_at_each_step(commits.run, check) > 30


async def restore(ds: aiolake.Dataset) -> None:
    await ds.history.restore(2)


async def branch(ds: aiolake.Dataset) -> None:
    await ds.branches.create(f"b{len(await ds.branches.list())}", 2)


async def move(ds: aiolake.Dataset) -> None:
    await ds.branches.move("main", 2)


async def tag(ds: aiolake.Dataset) -> None:
    n = len(await ds.tags.list())
    await ds.tags.create(f"t{n}", 2)
    await ds.tags.delete(f"t{n}")


@pytest.mark.parametrize("act", [restore, branch, move, tag])
async def test_other_operations(
    act: Callable[[aiolake.Dataset], Coroutine[Any, Any, None]], ds: aiolake.Dataset, place: Place
) -> None:
    async def check() -> None:
        place.check_idle()
        await ds.refresh()
        check_row(await ds.read(17), 17)
        numbers = [entry["n"] for entry in await place.log()]
        assert numbers == list(range(1, len(numbers) + 1))

    assert await cancel_at_each_step(partial(act, ds), check) >= 2
    if place.root is None:
        await cancel_at_each_turn(partial(act, ds), check)
