"""A job that is run again with its own write id commits once."""

from __future__ import annotations

from typing import Any

import pytest

import aiolake
from aiolake import Dataset, InvalidInputError


async def test_a_repeated_write_id_commits_once_and_the_handle_stays_at_the_newest() -> None:
    async with aiolake.create_dataset("mem://write-ids", {"a": aiolake.Text}) as ds:
        for write_id, value in (("job-1", "x"), ("job-2", "y"), ("job-1", "x again")):
            async with ds.transaction(write_id=write_id) as tx:
                await tx.append({"a": value})
            assert tx.outcome is aiolake.Outcome.COMMITTED
        assert tx.snapshot == 2
        assert ds.snapshot == 3
        assert (await ds.read([0, 1]))["a"] == ["x", "y"]
        assert len(ds) == 2


@pytest.mark.parametrize("slot", ["1", 0, -1, 1.5, True, 10**12, "x"])
async def test_a_slot_is_a_log_number(flowers: Dataset, slot: Any) -> None:
    with pytest.raises(InvalidInputError, match="no entry of the log"):
        await flowers.find_commit("x", slot=slot)
    assert (await flowers.find_commit("x", slot=1)).outcome == "not_committed"


@pytest.mark.parametrize("write_id", ["", 1, None, "x" * 129, "é"])
async def test_what_is_no_write_id(flowers: Dataset, write_id: Any) -> None:
    with pytest.raises(InvalidInputError, match="a write_id is"):
        await flowers.find_commit(write_id)
