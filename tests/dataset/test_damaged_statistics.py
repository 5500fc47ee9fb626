"""Statistics that are damaged are reported, never believed."""

from __future__ import annotations

import numpy as np
import pytest

import aiolake
from aiolake import CorruptDataError, Tensor
from aiolake.chunks import write
from aiolake.stores.memory import MemoryStore
from tests.dataset.counted import append, created, opened
from tests.dataset.helpers import Backend, new_url


async def test_a_damaged_table_of_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_INLINE_NBYTES", 0)
    store = MemoryStore(new_url())
    backend = Backend(store)
    async with created(backend, {"n": Tensor("int64")}) as ds:
        await append(ds, n=np.arange(20_000))
    page = await store.list("manifests/")
    (key,) = [item.key for item in page.objects]
    data = bytearray(await store.get(key))
    data[-3] ^= 1
    await store.delete([key])
    await store.put(key, [bytes(data)])
    async with opened(backend) as ds:
        assert (await ds.read(7))["n"] == 7
        with pytest.raises(CorruptDataError):
            await ds.where(n=7)
        assert [problem.key for problem in (await aiolake.verify(ds)).problems] == [key]
