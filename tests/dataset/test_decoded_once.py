"""A sample that is decoded off the event loop is read once for that."""

from pathlib import Path

import numpy as np
import pytest

from aiolake import ColumnType, Image, Session, Tensor, create_dataset, open_dataset

LARGE = np.random.default_rng(1).standard_normal((200, 400)).astype(np.float32)
PIXELS = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("column", "value"),
    [(Tensor("float32", (None, 400)), LARGE), (Image("png"), PIXELS)],
    ids=["large array", "picture"],
)
async def test_one_read_a_sample(column: ColumnType, value: np.ndarray, tmp_path: Path) -> None:
    async with create_dataset(tmp_path / "x", {"a": column}) as ds, ds.transaction() as tx:
        await tx.append([{"a": value} for _ in range(3)])

    async with Session() as session, open_dataset(tmp_path / "x", session=session) as ds:
        await ds.read(0)
        before = session.statistics()
        row = await ds.read(1)
        after = session.statistics()

    assert np.array_equal(row["a"], value)
    assert after.immediate_reads - before.immediate_reads == 1
    assert after.requests == before.requests
