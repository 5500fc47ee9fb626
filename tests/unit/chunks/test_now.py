from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiolake.chunks.now import REGION_BYTES, ImmediateReads
from aiolake.chunks.plan import Fetch, Units
from aiolake.format.checksum import crc32c
from aiolake.stores.base import Buffer, Store
from aiolake.stores.local import LocalStore
from aiolake.stores.memory import MemoryStore
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler

DATA = np.random.default_rng(3).integers(0, 256, 3 * REGION_BYTES, np.uint8).tobytes()
RANGES = [
    *((at, at + 1000) for at in range(0, 200_000, 1000)),
    (REGION_BYTES, 3 * REGION_BYTES),
    (7, 7),
]


def _units(ranges: list[tuple[int, int]]) -> Units:
    start, stop = (np.asarray(column, np.int64) for column in zip(*ranges, strict=True))
    crc = np.asarray([crc32c(DATA[a:b]) for a, b in ranges], np.int64)
    return Units(("chunk",), np.zeros(len(start), np.int64), start, stop - start, crc)


async def _taken(store: Store, units: Units) -> tuple[list[Buffer], list[Fetch], int]:
    scheduled = ScheduledStore(store, Scheduler())
    out: list[Buffer] = [b""] * len(units)
    refused: list[Fetch] = []
    n_reads = len(list(ImmediateReads(scheduled).take(units, out, refused)))
    await scheduled.aclose()
    return out, refused, n_reads


@pytest.fixture(params=["memory", "local"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    store: Store = MemoryStore() if request.param == "memory" else LocalStore(tmp_path)
    await store.put("chunk", [DATA])
    await store.get_range("chunk", 0, 1)
    return store


async def test_each_unit_gets_its_bytes(store: Store) -> None:
    out, refused, n_reads = await _taken(store, _units(RANGES))
    assert not refused
    assert [bytes(data) for data in out] == [DATA[a:b] for a, b in RANGES]
    assert n_reads <= 3


async def test_wrong_bytes_are_left_to_a_request(store: Store) -> None:
    units = _units(RANGES)
    units.crc[3] ^= 1
    _, refused, _ = await _taken(store, units)
    assert [3 in fetch.units for fetch in refused] == [True]


async def test_a_missing_or_short_object_is_left_to_a_request(store: Store) -> None:
    units = _units([(0, 100), (100, 200), (2 * REGION_BYTES, 3 * REGION_BYTES)])
    await store.put("chunk", [DATA[:150]])
    out, refused, _ = await _taken(store, units)
    assert {u for fetch in refused for u in fetch.units} >= {1, 2}
    assert not out[2]
