"""Going back to a time whose table of names was collected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import aiolake
from aiolake import Options, SnapshotExpiredError, Text


async def test_a_time_whose_names_were_collected_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.versions.blobs.REFS_BYTES", 40)
    async with aiolake.create_dataset(
        tmp_path, {"t": Text()}, options=Options(durability="os")
    ) as ds:
        for i in range(2):
            await ds.tags.create(f"early-{i}")
        then = datetime.now(UTC)
        for i in range(2):
            async with ds.transaction() as tx:
                await tx.append({"t": "x"})
            await ds.tags.create(f"later-{i}")
        await aiolake.expire(ds, below=ds.snapshot)
        assert (await aiolake.gc(ds, grace=timedelta(0))).keys
        with pytest.raises(SnapshotExpiredError):
            await aiolake.open_dataset(tmp_path, time=then)
