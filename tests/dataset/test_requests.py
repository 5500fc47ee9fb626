"""The request contract: how many requests each thing costs, counted under the session."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from aiolake import Bytes, ClassLabel, InvalidInputError, Options, Tensor, Text
from aiolake.format.manifest import BLOCK_ENTRIES
from aiolake.stores.local import LocalStore
from aiolake.stores.memory import MemoryStore
from tests.dataset.counted import OPEN, READS, append, created, opened, summary
from tests.dataset.helpers import Backend, new_url


@pytest.fixture(params=["remote", "memory", "local"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """The same contract on a store that is waited for and on those that answer at once."""
    if request.param == "local":
        return Backend(LocalStore(str(tmp_path / "flowers"), durability="os"), near=True)
    return Backend(MemoryStore(new_url()), near=request.param == "memory")


@pytest.fixture
def remote() -> Backend:
    return Backend()


async def test_open_is_one_list_and_one_get(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64"), "t": Text()}) as ds:
        await append(ds, x=np.arange(10), t=["a"] * 10)
    async with opened(backend) as ds:
        assert len(ds) == 10
        assert summary(backend.counting.counts) == OPEN


async def test_open_behind_a_tag_entry_is_one_get_more(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}) as ds:
        await append(ds, x=np.arange(10))
        await ds.tags.create("v1")
    async with opened(backend) as ds:
        assert len(ds) == 10
        assert summary(backend.counting.counts) == {"list": 1, "get": 2}


async def test_a_long_description_is_one_get_more(backend: Backend) -> None:
    schema = {f"measured/channel-{i:04}": Tensor("float32", (3,)) for i in range(100)}
    async with created(backend, schema):
        pass
    async with opened(backend) as ds:
        assert len(ds.schema) == 100
        assert summary(backend.counting.counts) == {"list": 1, "get": 2}


async def test_long_row_runs_are_one_get_more(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}) as ds:
        await append(ds, x=np.arange(4000))
        async with ds.transaction() as tx:
            await tx.delete(slice(0, 4000, 2))
    async with opened(backend) as ds:
        assert len(ds) == 2000
        assert summary(backend.counting.counts) == {"list": 1, "get": 2}


async def test_a_long_branch_table_is_one_get_more(remote: Backend) -> None:
    async with created(remote, {"x": Tensor("int64")}) as ds:
        for i in range(50):
            await ds.tags.create(f"{i:03}-{'a' * 120}")
        await append(ds, x=[1])
    async with opened(remote) as ds:
        assert summary(remote.counting.counts) == OPEN, "main is in the entry after its own commit"
    async with opened(remote, tag=f"003-{'a' * 120}") as ds:
        assert len(ds) == 0
        # The newest entry, the table, the tagged snapshot.
        assert summary(remote.counting.counts) == {"list": 1, "get": 3}


async def test_first_sample_with_an_inline_table_is_one_more(backend: Backend) -> None:
    samples = _scattered(40)
    async with created(backend, {"b": Bytes(), "x": Tensor("int64")}) as ds:
        await append(ds, b=samples, x=np.arange(40))
    async with opened(backend) as ds:
        backend.counting.reset()
        assert await ds.read(7, columns=["b"]) == {"b": samples[7]}
        assert summary(backend.counting.counts) == {"get": 1}
        assert await ds.read(8, columns=["b"]) == {"b": samples[8]}
        assert summary(backend.counting.counts) == {"get": 2}
        assert await ds.read(8, columns=["x"]) == {"x": 8}
        assert summary(backend.counting.counts) == {"get": 3}


def _scattered(n: int) -> list[bytes]:
    """Samples of sizes that leave gaps too wide to bridge, and tables too long for an entry."""
    return [b"%06d" % i + bytes(6000 + i % 97) for i in range(n)]


async def test_a_row_of_a_page_of_short_values_is_one_and_its_neighbours_none(
    remote: Backend,
) -> None:
    texts = [f"text {i}" for i in range(20_000)]
    async with created(remote, {"t": Text("zstd")}) as ds:
        await append(ds, t=[*texts, *[None] * 3000])
    async with opened(remote) as ds:
        remote.counting.reset()
        assert (await ds.read(7))["t"] == texts[7]
        assert (await ds.read(8))["t"] == texts[8]
        assert summary(remote.counting.counts) == {"get": 1}
        assert (await ds.read([19_999, 1, 19_998]))["t"] == [texts[19_999], texts[1], texts[19_998]]
        assert summary(remote.counting.counts) == {"get": 2}
        assert (await ds.read([-1, -1500]))["t"] == [None, None]
        assert summary(remote.counting.counts) == {"get": 2}, "a page of Nones is not read"


async def test_first_sample_with_a_block_is_two_then_one_each(backend: Backend) -> None:
    samples = _scattered(1000)
    async with created(backend, {"b": Bytes()}) as ds:
        await append(ds, b=samples)
    async with opened(backend) as ds:
        backend.counting.reset()
        assert (await ds.read(500))["b"] == samples[500]
        assert backend.counting.counts.n(kind="manifests") == 1
        assert summary(backend.counting.reset()) == {"get": 2}
        for i in (3, 999, 250):
            assert (await ds.read(i))["b"] == samples[i]
        assert summary(backend.counting.counts) == {"get": 3}


async def test_first_sample_with_a_block_behind_a_list_is_three_then_one_each(
    remote: Backend,
) -> None:
    samples = _scattered(1000)
    async with created(remote, {"b": Bytes()}) as ds:
        await append(ds, b=samples)
        for i in range(250):
            await append(ds, b=[b"%d" % i])
        assert ds._state.snapshot.lists
    async with opened(remote) as ds:
        remote.counting.reset()
        assert (await ds.read(500))["b"] == samples[500]
        counts = remote.counting.reset()
        assert [request.kind for request in counts.requests] == ["lists", "manifests", "chunks"]
        for i in (3, 999, 250):
            assert (await ds.read(i))["b"] == samples[i]
        assert summary(remote.counting.counts) == {"get": 3}


async def test_nothing_to_fetch_costs_nothing(backend: Backend) -> None:
    async with created(backend, {"b": Bytes(), "x": Tensor("int64")}) as ds:
        await append(ds, b=[None, bytes(3000), b""], x=[1, 2, 3])
        async with ds.transaction() as tx:
            tx.add_column("split", Text(), default="train")
            tx.add_column("score", Tensor("float32"), default=0.5)
            tx.add_column("nothing", Bytes())
    constants = ["split", "score", "nothing"]
    async with opened(backend) as ds:
        backend.counting.reset()
        assert await ds.read(0, columns=["b"]) == {"b": None}
        assert await ds.read(2, columns=["b"]) == {"b": b""}
        for i in range(3):
            row = await ds.read(i, columns=constants)
            assert row == {"split": "train", "score": 0.5, "nothing": None}
        batch = await ds.read(slice(None), columns=constants)
        assert batch["split"] == ["train"] * 3
        assert backend.counting.counts.requests == ()


async def test_what_was_read_is_cached(remote: Backend) -> None:
    samples = _scattered(64)
    async with created(remote, {"b": Bytes()}) as ds:
        await append(ds, b=samples)
    async with opened(remote) as ds:
        await ds.read(slice(None))
        remote.counting.reset()
        assert (await ds.read(9))["b"] == samples[9]
        assert (await ds.read([5, 60, 5]))["b"] == [samples[5], samples[60], samples[5]]
        assert remote.counting.counts.requests == ()


async def test_a_huge_sample_is_one_get_for_each_part(remote: Backend) -> None:
    huge = np.random.default_rng(1).bytes(20 << 20)
    async with created(remote, {"b": Bytes()}) as ds:
        await append(ds, b=[huge, b"small"])
    async with opened(remote) as ds:
        await ds.read(1)
        remote.counting.reset()
        assert (await ds.read(0))["b"] == huge
        n_parts = remote.counting.reset().n(*READS)
        assert 1 <= n_parts <= math.ceil(len(huge) / (8 << 20))
    async with opened(remote) as ds:
        remote.counting.reset()
        middle = await ds.read_bytes(0, "b", 10 << 20, (10 << 20) + 5)
        assert middle == huge[10 << 20 : (10 << 20) + 5]
        assert summary(remote.counting.counts) == {"get": 1}


async def test_a_batch_is_at_most_one_get_a_sample_and_block(backend: Backend) -> None:
    samples = _scattered(2 * BLOCK_ENTRIES + 100)
    options = Options(chunk_bytes=4 << 20)
    async with created(backend, {"b": Bytes()}, options) as ds:
        await append(ds, b=samples)
    rng = np.random.default_rng(0)
    rows = rng.choice(len(samples), 64, replace=False)
    async with opened(backend) as ds:
        backend.counting.reset()
        batch = await ds.read(rows)
        assert batch["b"] == [samples[i] for i in rows]
        counts = backend.counting.reset()
        assert counts.n(kind="manifests") == 3
        assert counts.n(*READS, kind="chunks") <= 64
        assert summary(counts)["get"] <= 64 + 3
        again = await ds.read(rng.choice(len(samples), 64, replace=False))
        assert len(again["b"]) == 64
        assert summary(backend.counting.counts)["get"] <= 64


async def test_neighbours_are_read_together(remote: Backend) -> None:
    async with created(remote, {"b": Bytes()}) as ds:
        await append(ds, b=[bytes([i]) * 100 for i in range(200)])
    async with opened(remote) as ds:
        await ds.read(199)
        remote.counting.reset()
        await ds.read(slice(0, 150))
        assert summary(remote.counting.counts) == {"get": 1}


async def test_the_first_commit_of_a_process_is_one_create_more(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}):
        counts = backend.counting.reset()
        assert counts.keys("create") == ["log/999999999/998"] * 2
        assert counts.n("put") == 0


async def test_an_uncontended_append(backend: Backend) -> None:
    schema = {"b": Bytes(), "x": Tensor("int64"), "l": ClassLabel(["cat", "dog"])}
    async with created(backend, schema) as ds:
        backend.counting.reset()
        await append(ds, b=[b"1", b"2"], x=[1, 2], l=["dog", None])
        counts = backend.counting.reset()
        assert summary(counts) == {"put": 1, "create": 1, "get": 1}, "one object of all columns"
        await append(ds, b=_scattered(1000), x=np.arange(1000), l=["cat"] * 1000)
        counts = backend.counting.reset()
        assert counts.n("put", kind="manifests") == 1
        assert summary(counts) == {"put": 2, "create": 1, "get": 1}


async def test_a_large_append_writes_each_byte_once(remote: Backend) -> None:
    samples = _scattered(2000)
    options = Options(chunk_bytes=1 << 20, small_bytes=1 << 20)
    async with created(remote, {"b": Bytes(), "x": Tensor("int64")}, options) as ds:
        remote.counting.reset()
        await append(ds, b=samples, x=np.arange(2000))
        counts = remote.counting.reset()
        nbytes = sum(map(len, samples)) + 2000 * 8
        assert counts.n("put", kind="chunks") <= nbytes // (1 << 20) + 2
        assert counts.nbytes("put", kind="chunks") == nbytes
        assert counts.n("create") == 1
        assert counts.n(*READS) == 1


async def test_an_abandoned_transaction_commits_nothing(remote: Backend) -> None:
    async with created(remote, {"x": Tensor("int64")}) as ds:
        remote.counting.reset()
        with pytest.raises(InvalidInputError):
            async with ds.transaction() as tx:
                await tx.append({"x": [1]})
        assert remote.counting.counts.n("create") == 0
        async with ds.transaction():
            pass
        assert remote.counting.counts.requests == (), "an empty transaction asks nothing"


async def test_refresh_without_news_is_one_get(backend: Backend) -> None:
    async with created(backend, {"x": Tensor("int64")}) as ds:
        backend.counting.reset()
        assert not await ds.refresh()
        assert summary(backend.counting.counts) == {"get": 1}


async def test_a_million_rows_open_with_the_same_two_requests(remote: Backend) -> None:
    n = 1_000_000
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, 4)).astype(np.float32)
    schema = {"x": Tensor("int64"), "v": Tensor("float32", (4,))}
    async with created(remote, schema) as ds:
        await append(ds, x=np.arange(n), v=vectors)
        async with ds.transaction() as tx:
            tx.add_column("split", Text(), default="train")
    async with opened(remote) as ds:
        assert len(ds) == n
        assert summary(remote.counting.reset()) == OPEN
        rows = rng.choice(n, 64, replace=False)
        batch = await ds.read(rows, columns=["v"])
        assert np.array_equal(batch["v"], vectors[rows])
        assert remote.counting.counts.n(*READS) <= 64 + 1
