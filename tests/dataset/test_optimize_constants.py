"""Optimizing keeps a default of many rows, which takes no bytes."""

from __future__ import annotations

import aiolake
from aiolake import Tensor, Text
from tests.dataset.counted import KIB, append, created
from tests.dataset.helpers import Backend

N = 20_000


async def test_a_default_beside_other_values_stays_one() -> None:
    backend = Backend()
    async with created(backend, {"n": Tensor("int32")}) as ds:
        await append(ds, n=list(range(N)))
        async with ds.transaction() as tx:
            tx.add_column("text", Text(), default="x" * 1_000)
            tx.add_column("none", Tensor("float64"))
        await append(ds, n=[-1, -2], text=["a", None], none=[1.5, None])
        async with ds.transaction() as tx:
            await tx.update([5], {"text": ["five"]})
        backend.counting.reset()
        assert await aiolake.optimize(ds) == ds.snapshot
        assert backend.counting.reset().nbytes("put", kind="chunks") < 4 * N + 4 * KIB
        assert await aiolake.optimize(ds) is None
        batch = await ds.read([0, 5, N - 1, N, N + 1])
        assert batch["text"] == ["x" * 1_000, "five", "x" * 1_000, "a", None]
        assert batch["none"].tolist() == [None, None, None, 1.5, None]
        assert len(await ds.where(text="x" * 1_000)) == N - 1
        async with ds.transaction() as tx:
            await tx.delete([0, N + 1])
        assert await aiolake.optimize(ds) == ds.snapshot
        assert await aiolake.optimize(ds) is None
        assert (await ds.read([0, N - 1]))["text"] == ["x" * 1_000, "a"]
        assert (await ds.stats())["text"].nulls == 0
