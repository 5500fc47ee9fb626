"""What others commit while a dataset is rewritten."""

from __future__ import annotations

from datetime import timedelta

import pytest

import aiolake
from aiolake import SnapshotExpiredError, Text
from tests.dataset.helpers import Backend


async def test_a_row_set_to_none_again_meanwhile_stays_none(backend: Backend) -> None:
    # Two updates to None of one row are equal pieces: only the one that was read may go.
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session) as ds,
        aiolake.open_dataset(backend.url, session=session) as other,
    ):
        async with ds.transaction() as tx:
            await tx.append([{"t": str(i)} for i in range(4)])
        for value in (None, "between"):
            async with ds.transaction() as tx:
                await tx.update(2, {"t": value})
        await other.refresh()
        async with other.transaction() as tx:
            await tx.update(2, {"t": None})
        await aiolake.optimize(ds)
        assert (await ds.read(slice(None)))["t"] == ["0", "1", None, "3"]


async def test_a_stale_handle_whose_objects_were_collected_is_told_so(backend: Backend) -> None:
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session) as ds,
    ):
        for i in range(2):
            async with ds.transaction() as tx:
                await tx.append({"t": str(i)})
        async with aiolake.open_dataset(backend.url, session=session) as stale:
            await aiolake.optimize(ds)
            await aiolake.expire(ds, below=ds.snapshot)
            await aiolake.gc(ds, grace=timedelta(0))
            with pytest.raises(SnapshotExpiredError, match="refresh"):
                await aiolake.optimize(stale)
