"""A handle goes with its branch when it moves the branch itself."""

from __future__ import annotations

import pytest

import aiolake
from aiolake import ConflictError, Dataset, Tensor
from tests.dataset.counted import append, created, opened
from tests.dataset.helpers import Backend


async def test_a_branch_that_its_own_handle_moves(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}) as ds:
        await append(ds, x=[1])
        first = ds.snapshot
        await append(ds, x=[2])
        await ds.branches.move("main", first)
        assert ds.snapshot == first
        assert len(ds) == 1
        await append(ds, x=[3])
        assert (await ds.read(slice(None)))["x"].tolist() == [1, 3]
        await ds.branches.create("dev")
        await ds.branches.move("dev", first)
        assert len(ds) == 2, "another branch was moved"


async def append_and_move(ds: Dataset, to: int) -> None:
    async with ds.transaction() as tx:
        await tx.append({"x": 9})
        await tx.update(0, {"x": 9})
        await ds.branches.move("main", to)


async def test_a_transaction_under_which_the_branch_is_moved_conflicts(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}) as ds, opened(backend) as other:
        await append(ds, x=[1])
        first = ds.snapshot
        await append(ds, x=[2])
        with pytest.raises(ConflictError, match="conflicts with the branch"):
            await append_and_move(ds, first)
        assert (await ds.read(slice(None)))["x"].tolist() == [1]
        await other.refresh()
        assert len(other) == 1
        assert (await aiolake.verify(ds)).ok
