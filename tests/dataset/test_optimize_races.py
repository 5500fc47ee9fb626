"""What others commit while a dataset is rewritten."""

from __future__ import annotations

import aiolake
from aiolake import Text
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
