"""A job that is run again with its own write id commits once."""

from __future__ import annotations

import aiolake


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
