"""Rows by key: against a dict, through every way a snapshot comes about, and what it costs."""

from __future__ import annotations

import pickle
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pytest

import aiolake
from aiolake import (
    AlreadyExistsError,
    Bytes,
    ColumnType,
    ConflictError,
    Dataset,
    InvalidInputError,
    NotFoundError,
    Tensor,
    Text,
)
from aiolake._aio import map_concurrently
from aiolake.versions import keys as indexing
from tests.dataset.counted import READS, opened
from tests.dataset.helpers import Backend
from tests.scale import pick

NAMED: dict[str, ColumnType] = {"name": Text(), "x": Tensor("int64")}


@asynccontextmanager
async def keyed(
    backend: Backend,
    schema: dict[str, ColumnType] = NAMED,
    key: str = "name",
    on_duplicate: Literal["refuse", "replace"] = "refuse",
) -> AsyncIterator[Dataset]:
    async with (
        backend.session() as session,
        aiolake.create_dataset(
            backend.url, schema, key=key, on_duplicate=on_duplicate, session=session
        ) as ds,
    ):
        yield ds


async def append(ds: Dataset, *names: Any, x: int = 0) -> None:
    async with ds.transaction() as tx:
        await tx.append([{"name": name, "x": x} for name in names])


KEYS: list[tuple[ColumnType, list[Any]]] = [
    (Text(), ["", "a", "é漢😀", "x" * 1024, "a\0b"]),
    (Text("zstd"), ["", "a", "é漢😀", "x" * 1024]),
    (Bytes(), [b"", b"a", b"\0", bytes(1024)]),
    (Bytes("zstd"), [b"", b"a", b"\0", bytes(1024)]),
    (Tensor("int8"), [-128, -1, 0, 127]),
    (Tensor("int64", (), "zstd"), [-(1 << 63), -1, 0, (1 << 63) - 1]),
    (Tensor("uint64"), [0, 1, (1 << 63), (1 << 64) - 1]),
    (Text(max_bytes=9), ["", "a", "é漢", "9 bytes 9"]),
]


@pytest.mark.parametrize(("type", "values"), KEYS, ids=lambda value: str(value)[:40])
async def test_every_type_of_key(backend: Backend, type: ColumnType, values: list[Any]) -> None:
    async with keyed(backend, {"k": type, "x": Tensor("int64")}, "k") as ds:
        assert ds.key == "k"
        async with ds.transaction() as tx:
            await tx.append(columns={"k": values, "x": range(len(values))})
        for i, value in enumerate(values):
            assert await ds.get(value) == {"k": value, "x": i}
        batch = await ds.get(values[::-1], columns=["x"])
        assert batch["x"].tolist() == list(range(len(values)))[::-1]
        with pytest.raises(AlreadyExistsError, match="already") as caught:
            async with ds.transaction() as tx:
                await tx.append({"k": values[1], "x": 9})
        assert repr(values[1]) in caught.value.message
        async with ds.transaction() as tx:
            await tx.update(1, {"k": values[1], "x": 7})
        assert (await ds.get(values[1]))["x"] == 7


@pytest.mark.parametrize(
    ("type", "key", "message"),
    [
        (Text(), 3, "3 is no key of column 'k': expected text"),
        (Text(), None, "a key is None"),
        (Text(), "x" * 1025, "1,025 bytes"),
        (Tensor("int8"), 200, "200 is no key of column 'k'"),
        (Tensor("int8"), "a", "'a' is no key of column 'k'"),
        (Bytes(), "a", "'a' is no key of column 'k': expected bytes"),
    ],
)
async def test_what_is_no_key(backend: Backend, type: ColumnType, key: Any, message: str) -> None:
    async with keyed(backend, {"k": type}, "k") as ds:
        with pytest.raises(InvalidInputError, match=message):
            await ds.get(key)
        with pytest.raises(InvalidInputError, match="column 'k', row 0"):
            async with ds.transaction() as tx:
                await tx.append({"k": key})
        assert len(ds) == 0


async def test_a_key_is_chosen_at_creation_and_stays(backend: Backend) -> None:
    for given, message in (
        ({"key": "nam"}, "key='nam' is no column"),
        ({"key": "v"}, "cannot be the key"),
        ({"key": "name", "on_duplicate": "ignore"}, "'refuse' or 'replace', got 'ignore'"),
        ({"on_duplicate": "replace"}, "with a key"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            aiolake.create_dataset(
                backend.url,
                {"name": Text(), "v": Tensor("float32")},
                **given,  # type: ignore[arg-type]
            )
    async with keyed(backend) as ds:
        with pytest.raises(InvalidInputError, match="is the key of this dataset"):
            async with ds.transaction() as tx:
                tx.drop_column("name")
        async with ds.transaction() as tx:
            await tx.append({"name": "a", "x": 1})
            tx.rename_column("name", "id")
        assert ds.key == "id"
        assert await ds.get("a") == {"id": "a", "x": 1}


async def test_a_dataset_without_a_key_says_so(flowers: Dataset) -> None:
    assert flowers.key is None
    with pytest.raises(InvalidInputError, match="no key column"):
        await flowers.get("a")


async def test_a_missing_key_is_named_or_answered_by_the_default(backend: Backend) -> None:
    async with keyed(backend) as ds:
        await append(ds, "a")
        with pytest.raises(NotFoundError, match="'b' in column 'name'"):
            await ds.get("b")
        with pytest.raises(NotFoundError, match="'b' in column 'name'"):
            await ds.get(["a", "b"])
        assert await ds.get("b", default=None) is None
        with pytest.raises(InvalidInputError, match="single key"):
            await ds.get(["b"], default=None)
        assert (await ds.get([]))["name"] == []


async def test_twice_in_one_transaction(backend: Backend) -> None:
    async with keyed(backend) as ds:
        with pytest.raises(InvalidInputError, match="'b' is given twice"):
            await append(ds, "a", "b", "c", "b")
        await append(ds, "a", "b")
        with pytest.raises(InvalidInputError, match="'d' is given twice"):
            await update_and_append(ds, "d", "d")
        with pytest.raises(AlreadyExistsError, match="'b'"):
            async with ds.transaction() as tx:
                await tx.update(0, {"name": "b"})
        assert len(ds) == 2
        async with ds.transaction() as tx:  # each gives its key to the other
            await tx.update([0, 1], {"name": ["b", "a"]})
        assert await ds.read(0) == await ds.get("b")


async def update_and_append(ds: Dataset, updated: str, appended: str) -> None:
    async with ds.transaction() as tx:
        await tx.update(0, {"name": updated})
        await tx.append({"name": appended, "x": 1})


async def append_after(ds: Dataset, other: Coroutine[Any, Any, None], name: str) -> None:
    """Append a row while another handle commits first."""
    async with ds.transaction() as tx:
        await tx.append({"name": name, "x": 1})
        await other


async def test_concurrent_appends_of_one_key(backend: Backend) -> None:
    async with keyed(backend) as ds, opened(backend) as other:
        with pytest.raises(AlreadyExistsError, match="'k'"):
            await append_after(ds, append(other, "k", "l", x=2), "k")
        await ds.refresh()
        assert (await ds.get("k"))["x"] == 2
        assert len(ds) == 2
        await append_after(ds, append(other, "n", x=2), "m")
        assert (await ds.get(["m", "n"], columns=["x"]))["x"].tolist() == [1, 2]


async def test_of_two_rows_of_a_transaction_the_later_stays(backend: Backend) -> None:
    async with keyed(backend, on_duplicate="replace") as ds:
        await append(ds, "a", "b", "c", "d")
        async with ds.transaction() as tx:
            await tx.update(2, {"name": "k", "x": 1})
            await tx.update(0, {"name": "k", "x": 2})
        assert (await ds.read(slice(None)))["name"] == ["k", "b", "d"]
        assert (await ds.get("k"))["x"] == 2
        async with ds.transaction() as tx:
            await tx.append([{"name": "k", "x": 3}, {"name": "k", "x": 4}])
            await tx.update(1, {"name": "k", "x": 5})
        assert (await ds.read(slice(None)))["name"] == ["d", "k"]
        assert (await ds.get("k"))["x"] == 4


async def test_concurrent_upserts_of_one_key(backend: Backend) -> None:
    async with keyed(backend, on_duplicate="replace") as ds, opened(backend) as other:
        await append_after(ds, append(other, "k", x=2), "k")
        assert len(ds) == 1
        assert (await ds.get("k"))["x"] == 1
        await other.refresh()
        tx = other.transaction()
        await tx.__aenter__()
        await tx.update(0, {"x": 5})
        await append(ds, "k", x=6)
        with pytest.raises(ConflictError):  # the row it updates was replaced
            await tx.__aexit__(None, None, None)
        assert (await ds.get("k"))["x"] == 6


class Oracle:
    """Rows as (id, name, x), and a snapshot of them for each commit."""

    def __init__(self, replace: bool) -> None:
        self.replace = replace
        self.rows: list[tuple[str, int]] = []
        self.snapshots: dict[int, list[tuple[str, int]]] = {}

    def append(self, new: list[tuple[str, int]]) -> bool:
        """Whether it is allowed."""
        names = [name for name, _ in new]
        taken = {name for name, _ in self.rows}
        if not self.replace and (len(set(names)) < len(names) or taken & set(names)):
            return False
        last = {name: i for i, name in enumerate(names)}
        kept = [row for row in self.rows if row[0] not in last]
        self.rows = kept + [row for i, row in enumerate(new) if last[row[0]] == i]
        return True


async def check(ds: Dataset, rows: list[tuple[str, int]]) -> None:
    assert len(ds) == len(rows)
    batch = await ds.read(slice(None))
    assert list(zip(batch["name"], batch["x"].tolist(), strict=True)) == rows
    found = await ds.get([name for name, _ in rows])
    assert found["name"] == batch["name"]
    assert (found["x"] == batch["x"]).all()
    there = {name for name, _ in rows}
    for name in ("n0", "n1", "n2", "n3"):
        row = await ds.get(name, default=None)
        assert (row is not None) == (name in there)


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("seed", range(pick(6, 60)))
async def test_it_is_a_dict(
    backend: Backend, seed: int, replace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "INLINE_BYTES", 72)
    monkeypatch.setattr(indexing, "WHOLE_RECORDS", 16)
    monkeypatch.setattr(indexing, "HELD_RECORDS", 24)
    rng, oracle = random.Random(seed), Oracle(replace)
    async with keyed(backend, on_duplicate="replace" if replace else "refuse") as ds:
        for step in range(60):
            await _step(ds, rng, oracle, step)
            oracle.snapshots[ds.snapshot] = list(oracle.rows)
            if step % 10 == 9:
                await check(ds, oracle.rows)
        old = rng.choice(list(oracle.snapshots))
        async with opened(backend, snapshot=old) as past:
            await check(past, oracle.snapshots[old])
        await ds.history.restore(old)
        await check(ds, oracle.snapshots[old])
        await aiolake.optimize(ds)
        await check(ds, oracle.snapshots[old])
        await aiolake.expire(ds, below=ds.snapshot)
        await aiolake.gc(ds, grace=timedelta(0))
        async with opened(backend) as fresh:
            await check(fresh, oracle.snapshots[old])
            assert (await aiolake.verify(fresh)).ok


async def _step(ds: Dataset, rng: random.Random, oracle: Oracle, step: int) -> None:
    what = rng.random()
    if what < 0.6 or not oracle.rows:
        n = rng.choice((1, 1, 2, 5))
        new = [(f"n{rng.randrange(80)}", 100 * step + i) for i in range(n)]
        allowed = oracle.append(new)
        try:
            async with ds.transaction() as tx:
                await tx.append([{"name": name, "x": x} for name, x in new])
        except (AlreadyExistsError, InvalidInputError):
            assert not allowed
        else:
            assert allowed
    elif what < 0.75:
        at = rng.randrange(len(oracle.rows))
        async with ds.transaction() as tx:
            await tx.delete(at)
        del oracle.rows[at]
    elif what < 0.95:
        await _update(ds, rng, oracle, step)
    else:
        await aiolake.optimize(ds)


async def _update(ds: Dataset, rng: random.Random, oracle: Oracle, step: int) -> None:
    at, name = rng.randrange(len(oracle.rows)), f"n{rng.randrange(80)}"
    others = [i for i, row in enumerate(oracle.rows) if row[0] == name and i != at]
    try:
        async with ds.transaction() as tx:
            await tx.update(at, {"name": name, "x": step})
    except AlreadyExistsError:
        assert others
        assert not oracle.replace
        return
    assert oracle.replace or not others
    oracle.rows[at] = name, step
    oracle.rows = [row for i, row in enumerate(oracle.rows) if i not in others]


async def test_a_branch_has_keys_of_its_own(backend: Backend) -> None:
    async with keyed(backend) as ds:
        await append(ds, "a")
        await ds.branches.create("dev")
        async with opened(backend, branch="dev") as dev:
            await append(dev, "b", x=1)
            await append(ds, "b", x=2)
            assert (await dev.get("b"))["x"] == 1
            assert (await ds.get("b"))["x"] == 2


async def append_with_worker(ds: Dataset, backend: Backend, own: str, *names: str) -> None:
    async with ds.transaction() as tx, backend.session() as session:
        async with tx.fork().open(session=session) as rows:
            await rows.append([{"name": name, "x": i + 1} for i, name in enumerate(names)])
        await tx.append({"name": own, "x": 0})
        await tx.merge(pickle.loads(pickle.dumps(rows.receipt)))


async def test_workers_of_a_transaction_bring_their_keys(backend: Backend) -> None:
    async with keyed(backend) as ds:
        await append_with_worker(ds, backend, "own", "w1", "w2")
        for i, name in enumerate(("own", "w1", "w2")):
            assert await ds.get(name) == {"name": name, "x": i} == await ds.read(i)
        with pytest.raises(InvalidInputError, match="'w3' is given twice"):
            await append_with_worker(ds, backend, "w3", "w3")


# Costs


@pytest.fixture(params=["remote", "memory"])
def either(request: pytest.FixtureRequest) -> Backend:
    return Backend(near=request.param == "memory")


async def test_get_is_at_most_one_request_more_after_a_thousand_commits(either: Backend) -> None:
    n, n_commits = 70_000, pick(300, 1000)
    async with keyed(either) as ds:
        async with ds.transaction() as tx:
            await tx.append(columns={"name": [f"bulk{i}" for i in range(n)], "x": np.arange(n)})
        for i in range(n_commits):
            await append(ds, f"small{i}", x=i)
    async with opened(either) as ds:
        assert len(ds) == n + n_commits
        await ds.read(0)
        await ds.read(slice(n - 2, None))
        await ds.get("bulk0")
        await ds.get("small0")
        rng = random.Random(1)
        most = 0
        for i in [rng.randrange(n) for _ in range(40)]:
            either.counting.reset()
            assert (await ds.get(f"bulk{i}"))["x"] == i
            most = max(most, either.counting.counts.n(*READS))
            assert either.counting.counts.n(*READS, kind="lists") <= 1
            either.counting.reset()
            await ds.get(f"bulk{i}", columns=["x"])
            assert either.counting.counts.n(*READS) <= 1
        assert most <= 1 + 2, "a row of two columns is two requests"
        for i in [rng.randrange(n_commits) for _ in range(20)]:
            either.counting.reset()
            assert (await ds.get(f"small{i}"))["x"] == i
            assert either.counting.counts.n(*READS, kind="lists") == 0
        either.counting.reset()
        assert await ds.get("nobody", default=0) == 0
        assert either.counting.counts.n(*READS) <= 1
        row_sums = [await ds.get([f"bulk{i}" for i in range(j, j + 4)]) for j in (5, 900)]
        assert [int(found["x"].sum()) for found in row_sums] == [26, 3606]


async def test_a_first_get_is_asked_for_once_by_many(backend: Backend) -> None:
    async with keyed(backend) as ds:
        await append(ds, *(f"n{i}" for i in range(5000)))
    async with opened(backend) as ds:
        await ds.read(0)
        backend.counting.reset()
        found = await map_concurrently(lambda i: ds.get(f"n{i}", columns=["x"]), range(50))
        assert len(found) == 50
        assert backend.counting.counts.n(*READS, kind="lists") == 1


async def test_bulk_on_bulk_reads_the_index_once(backend: Backend) -> None:
    n = pick(100_000, 1_000_000)
    async with keyed(backend, {"k": Tensor("int64")}, "k") as ds, ds.transaction() as tx:
        await tx.append(columns={"k": np.arange(n)})
    async with opened(backend) as ds:
        backend.counting.reset()
        async with ds.transaction() as tx:
            await tx.append(columns={"k": np.arange(n, 2 * n)})
        counts = backend.counting.counts
        # To look for the keys, and to merge the runs.
        assert counts.nbytes(*READS, kind="lists") <= 2 * 24.1 * n
        assert (await ds.get(2 * n - 1))["k"] == 2 * n - 1
        backend.counting.reset()
        with pytest.raises(AlreadyExistsError, match="17"):
            async with ds.transaction() as tx:
                await tx.append(columns={"k": np.concatenate([np.arange(2 * n, 3 * n), [17]])})
        assert backend.counting.counts.n("create") == 0


async def test_ten_thousand_commits_write_a_hundred_megabytes() -> None:
    backend, n = Backend(), pick(500, 10_000)
    async with keyed(backend) as ds:
        backend.counting.reset()
        for i in range(n):
            await append(ds, f"n{i}")
        nbytes = backend.counting.counts.nbytes("create") + backend.counting.counts.nbytes("put")
        assert nbytes < n * 11_000
