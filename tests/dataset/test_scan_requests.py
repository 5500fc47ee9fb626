"""The request contract of passes over a dataset, and of very many small commits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import Bytes, ClassLabel, Options, Tensor, Text
from aiolake.format.manifest import BLOCK_ENTRIES
from tests.dataset.counted import KIB, OPEN, READS, append, created, opened, summary
from tests.dataset.helpers import Backend
from tests.scale import pick


@pytest.fixture
def remote() -> Backend:
    return Backend()


async def _scan(ds: aiolake.Dataset, n: int) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in ds.schema}
    async with ds.batches(n) as batches:
        async for batch in batches:
            for name, values in batch.items():
                found[name].extend(values)
    return found


async def test_a_scan_is_about_one_get_a_chunk(remote: Backend) -> None:
    options = Options(chunk_bytes=512 * KIB, small_bytes=128 * KIB)
    rng = np.random.default_rng(0)
    samples = [rng.bytes(int(size)) for size in rng.integers(200, 3000, 6000)]
    vectors = rng.standard_normal((6000, 32)).astype(np.float32)
    small = [b"little" * 5] * 10
    async with created(remote, {"b": Bytes(), "v": Tensor("float32", (32,))}, options) as ds:
        await append(ds, b=samples, v=vectors)
        for i in range(5):
            await append(ds, b=small, v=np.full((10, 32), i, np.float32))
    nbytes = {"b": sum(map(len, samples)), "v": vectors.nbytes}
    bound = sum(math.ceil(size / options.chunk_bytes) * 1.2 for size in nbytes.values()) + 5
    async with opened(remote, options) as ds:
        remote.counting.reset()
        found = await _scan(ds, 100)
        assert found["b"] == samples + small * 5
        assert np.array_equal(np.asarray(found["v"])[:6000], vectors)
        counts = remote.counting.counts
        assert counts.n(*READS, kind="chunks") <= bound, str(counts)
        assert counts.n(*READS, kind="manifests") <= math.ceil(6000 / BLOCK_ENTRIES) + 1


FIVE = {
    "image": Bytes(),
    "label": ClassLabel(["cat", "dog"]),
    "caption": Text(),
    "box": Tensor("float32", (4,)),
    "points": Tensor("int16", (None, 2)),
}


def _five(i: int) -> dict[str, Any]:
    return {
        "image": b"%05d" % i * 20,
        "label": i % 2,
        "caption": f"picture {i}",
        "box": np.full(4, i, np.float32),
        "points": np.full((i % 4, 2), i % 1000, np.int16),
    }


async def _check_five(ds: aiolake.Dataset, i: int) -> None:
    row, expected = await ds.read(i), _five(i)
    for name in ("image", "label", "caption"):
        assert row[name] == expected[name]
    assert np.array_equal(row["box"], expected["box"])
    assert np.array_equal(row["points"], expected["points"])


@pytest.mark.soak
async def test_many_one_row_appends(remote: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    n = pick(600, 10_000)
    async with created(remote, FIVE) as ds:
        remote.counting.reset()
        for i in range(n):
            async with ds.transaction() as tx:
                await tx.append(_five(i))
        counts = remote.counting.reset()
    n_puts, log = counts.n("put", "create"), counts.nbytes("create")
    with capsys.disabled():
        print(
            f"\n{n:,} one-row appends: {n_puts:,} puts, {counts.nbytes('put', 'create'):,} bytes "
            f"written ({log:,} log, {counts.nbytes('put', kind='lists'):,} lists, "
            f"{counts.nbytes('put', kind='chunks'):,} chunks); {counts}"
        )
    assert n_puts <= 2 * n * 1.05
    # Writing n times the data is a defect: 10,000 appends write about 100 MB of log.
    assert log <= 12 * KIB * n
    assert max(request.nbytes for request in counts.select("create")) <= 64 * KIB
    rng = np.random.default_rng(0)
    for row in [0, n - 1, *rng.integers(0, n, 10).tolist()]:
        for column in FIVE:
            async with opened(remote) as ds:
                assert len(ds) == n
                assert summary(remote.counting.reset()) == OPEN
                await ds.read(row, columns=[column])
                assert remote.counting.counts.n() <= 3, str(remote.counting.counts)
        async with opened(remote) as ds:
            await _check_five(ds, row)
    await _check_optimized(remote, n)


async def _check_optimized(remote: Backend, n: int) -> None:
    """After optimize a scan costs no more than its chunks, a sample its block and itself."""
    options = Options(chunk_bytes=16 * KIB, small_bytes=1)
    async with opened(remote, options) as ds:
        await aiolake.optimize(ds)
    nbytes = {"image": 100 * n, "label": 4 * n, "caption": 8 * n + 5 * n, "box": 16 * n}
    nbytes["points"] = 4 * sum(i % 4 for i in range(n))
    chunks = sum(math.ceil(size / options.chunk_bytes) for size in nbytes.values())
    async with opened(remote, options) as ds:
        remote.counting.reset()
        found = await _scan(ds, 64)
        assert found["caption"] == [f"picture {i}" for i in range(n)]
        counts = remote.counting.reset()
        assert counts.n(*READS, kind="chunks") <= chunks * 1.2, str(counts)
    for column in FIVE:
        async with opened(remote, options) as ds:
            remote.counting.reset()
            await ds.read(n // 2, columns=[column])
            assert remote.counting.counts.n() <= 2, str(remote.counting.counts)
