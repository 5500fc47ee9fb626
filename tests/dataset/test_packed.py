"""A mask of a few stored bytes may be large: it is not unpacked on the event loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiolake import ColumnType, Dataset, Mask, Sequence, Tensor
from aiolake._aio import WorkPool
from tests.dataset.test_values import dataset

LARGE = np.zeros((2000, 2000), np.uint8)
SMALL = np.zeros((20, 20), np.uint8)
TYPES: list[tuple[ColumnType, Any, Any]] = [
    (Mask(), LARGE, SMALL),
    (Tensor("uint8", (None, None), "zstd"), LARGE, SMALL),
    (Sequence(Mask()), [np.random.default_rng(0).integers(0, 255, (200, 200))], [SMALL]),
]


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what the pool has been given to run."""
    run, found = WorkPool.run, []

    async def noted(self: WorkPool, work: Any, *arguments: Any) -> Any:
        found.append(work.__name__)
        return await run(self, work, *arguments)

    monkeypatch.setattr(WorkPool, "run", noted)
    return found


async def read_all(ds: Dataset, row: int) -> None:
    for decode in (True, False):
        for _ in range(2):  # from the store, then from the cache
            await ds.read(row, decode=decode)
        await ds.read([row], decode=decode)


@pytest.mark.parametrize(("type", "large", "small"), TYPES, ids=lambda value: str(value)[:20])
async def test_only_small_arrays_are_unpacked_on_the_loop(
    type: ColumnType, large: Any, small: Any, threaded: list[str]
) -> None:
    async with dataset({"x": type}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": large}, {"x": small}])
        threaded.clear()
        await read_all(ds, 1)
        assert threaded == []
        await read_all(ds, 0)
        assert len(threaded) == 6
