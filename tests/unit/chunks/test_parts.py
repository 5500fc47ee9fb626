"""Payloads in parts, put together: any range of them, and no turn of the loop for long."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aiolake.chunks.located import Parted
from aiolake.chunks.parts import read_parts
from aiolake.chunks.plan import Fetch, Units
from aiolake.stores.base import Buffer


class Parts:
    """A payload in parts that lie one behind the other; stands for a ``Fetcher``."""

    def __init__(self, lengths: list[int]) -> None:
        self.data = random.Random(1).randbytes(sum(lengths))
        sizes = np.array(lengths, np.int64)
        n = len(lengths)
        self.units = Units(
            ("k",), np.zeros(n, np.int64), np.cumsum(sizes) - sizes, sizes, np.zeros(n, np.int64)
        )
        self.parted = Parted(0, n, len(self.data), False)

    async def fetch_kept(self, fetch: Fetch, units: Units, *, keep: bool) -> list[Buffer]:
        starts, lengths = units.start.tolist(), units.length.tolist()
        return [self.data[starts[u] : starts[u] + lengths[u]] for u in fetch.units]

    async def read(self, start: int, stop: int) -> bytes:
        fetcher: Any = self
        return await read_parts(fetcher, self.units, self.parted, start, stop, keep=False)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 450), st.integers(0, 450)
)
def test_any_range_is_cut_at_the_end(lengths: list[int], start: int, stop: int) -> None:
    parts = Parts(lengths)
    assert asyncio.run(parts.read(start, stop)) == parts.data[start:stop]


async def test_others_have_a_turn_for_each_mebibyte() -> None:
    """Into fresh pages, 8 MiB can take 20 ms."""
    parts, turns = Parts([6 << 20, 6 << 20]), 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.get_running_loop().create_task(count())
    try:
        assert await parts.read(0, 12 << 20) == parts.data
    finally:
        counting.cancel()
    assert turns >= 12
