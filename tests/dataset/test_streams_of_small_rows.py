"""Streams of small rows, which are read many batches at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiolake
from aiolake import ColumnType, Dataset, Json, Options, Tensor, Text

N = 9000
SCHEMA: dict[str, ColumnType] = {
    "t": Text(),
    "z": Text("zstd"),
    "j": Json(),
    "n": Tensor("int64", ()),
    "v": Tensor("float32", (3,)),
    "r": Tensor("int16", (None,)),
}


def row_of(i: int) -> dict[str, Any]:
    # In the middle rows suddenly become long, and one is longer than a page can be.
    size = 70_000 if i == 5000 else 3000 if 4000 <= i < 4300 else i % 60
    text = None if i % 97 == 0 else ("ü" if i % 5 == 0 else "u") * size + str(i)
    return {
        "t": text,
        "z": text,
        "j": {"i": i},
        "n": None if i % 1001 == 7 else i,
        "v": np.full(3, i, np.float32),
        "r": np.arange(i % 7, dtype=np.int16),
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "ds"
    asyncio.run(write(path))
    return path


async def write(path: Path) -> None:
    async with aiolake.create_dataset(path, SCHEMA, options=Options(durability="os")) as ds:
        for first, last in ((0, 8000), (8000, 8001), (8001, N)):
            async with ds.transaction() as tx:
                await tx.append([row_of(i) for i in range(first, last)])


def check(batch: dict[str, Any], rows: list[int]) -> None:
    expected = [row_of(i) for i in rows]
    for name in ("t", "z", "j"):
        assert batch[name] == [row[name] for row in expected]
    assert batch["n"].tolist() == [row["n"] for row in expected]
    assert np.array_equal(batch["v"], np.asarray([row["v"] for row in expected]))
    assert [r.tolist() for r in batch["r"]] == [row["r"].tolist() for row in expected]


async def check_stream(ds: Dataset, rows: list[int], size: int) -> None:
    at = 0
    async with ds[rows].batches(size) as batches:
        async for batch in batches:
            check(batch, rows[at : at + size])
            at += size
    assert at >= len(rows)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None
)
@given(
    size=st.sampled_from([1, 7, 64, 1000, 20_000]),
    first=st.integers(0, N - 1),
    n=st.integers(0, 3000),
    shuffle=st.none() | st.randoms(use_true_random=False),
)
async def test_any_rows_in_batches_of_any_size(
    path: Path, size: int, first: int, n: int, shuffle: Any
) -> None:
    rows = list(range(first, min(N, first + n)))
    if shuffle is not None:
        shuffle.shuffle(rows)
    async with aiolake.open_dataset(path) as ds:
        await check_stream(ds, rows, size)


async def test_a_pass_over_all_of_it(path: Path) -> None:
    async with aiolake.open_dataset(path) as ds:
        await check_stream(ds, list(range(N)), 64)


async def test_a_small_window_makes_small_steps(path: Path) -> None:
    options = Options(max_inflight_bytes=64 << 10)
    async with aiolake.open_dataset(path, options=options) as ds:
        await check_stream(ds, list(range(3900, 5100)), 16)


async def test_several_consumers_share_a_stream(path: Path) -> None:
    seen: list[int] = []

    async def consume(batches: Any) -> None:
        async for batch in batches:
            seen.extend(batch["n"].tolist())
            await asyncio.sleep(0)

    async with (
        aiolake.open_dataset(path) as ds,
        ds[:3000].select("n").batches(10) as batches,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(3):
            group.create_task(consume(batches))
    assert [n for n in seen if n is not None] == [i for i in range(3000) if i % 1001 != 7]


async def test_the_loop_turns_between_batches_that_are_at_hand(path: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with aiolake.open_dataset(path) as ds, ds.select("n").batches(1) as batches:
        await anext(batches)
        counting = asyncio.get_running_loop().create_task(count())
        n = 0
        while n < 40:
            before = turns
            await anext(batches)
            n += 1
            deadline = asyncio.get_running_loop().time() + 0.006
            while asyncio.get_running_loop().time() < deadline:
                pass
            if n > 1:
                assert turns > before
        counting.cancel()
