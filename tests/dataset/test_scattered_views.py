"""Views of very many runs: counting and filtering them takes memory for the runs alone."""

from __future__ import annotations

import tracemalloc

import numpy as np

import aiolake
from aiolake import Tensor
from tests.dataset.helpers import Backend

N = 1_200_000


async def test_counting_and_filtering_scattered_rows_takes_little_memory(backend: Backend) -> None:
    schema = {name: Tensor("int8") for name in "abc"}
    values = (np.arange(N) // 1000 % 100).astype(np.int8)
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns=dict.fromkeys("abc", values))
        view = ds[::2]
        tracemalloc.start()
        try:
            stats = await view.stats()
            _, of_stats = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            found = await view.where(a=aiolake.lt(50))
            _, of_where = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (stats["a"].min, stats["a"].max, stats["c"].rows) == (0, 99, N // 2)
        assert len(found) == N // 4
        # 600,000 runs are 14 MB.
        assert of_stats < 34e6
        assert of_where < 48e6
