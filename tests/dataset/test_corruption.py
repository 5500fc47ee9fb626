"""Damaged, cut and missing objects are reported with key and range, and never returned."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

import aiolake
from aiolake import Bytes, ClassLabel, CorruptDataError, Image, Json, Options, Tensor, Text
from aiolake.stores.base import Store
from aiolake.stores.memory import MemoryObjects, MemoryStore
from aiolake.testing import FakeClock, FaultStore, FlipBit, Rule, Truncate, kind_of
from tests.dataset.helpers import Backend, Near, Remote, new_url, png, same, stored
from tests.scale import pick

SCHEMA: dict[str, aiolake.ColumnType] = {
    "photo": Image(),
    "raw": Bytes(),
    "text": Text("zstd"),
    "json": Json(),
    "label": ClassLabel(["cat", "dog"]),
    "vector": Tensor("float32", (40,), "zstd"),
    "points": Tensor("int16", (None, 2)),
}
OPTIONS = Options(chunk_bytes=64 << 10, small_bytes=32 << 10)


def row_of(i: int) -> dict[str, Any]:
    """A row whose every byte is stored: no value is None or empty."""
    rng = np.random.default_rng(i)
    return {
        "photo": png(4, 5, i),
        "raw": b"%05d" % i + rng.bytes(i % 300 if i % 4 else 2050 + i),
        "text": f"number {i} " * (i % 30 + 1),
        "json": {"i": i, "tags": ["a", "b"]},
        "label": i % 2,
        "vector": rng.standard_normal(40).astype(np.float32),
        "points": rng.integers(-9, 9, (i % 5 + 1, 2)).astype(np.int16),
    }


@dataclass(frozen=True)
class Golden:
    """A dataset in memory, with what it holds."""

    objects: MemoryObjects
    sound: dict[str, bytes]
    url: str
    rows: list[dict[str, Any]]

    def store(self) -> MemoryStore:
        return MemoryStore(self.url, self.objects)

    def damage(self, key: str, data: bytes | None) -> None:
        if data is None:
            self.objects.delete(key)
        else:
            self.objects.put(key, memoryview(data))

    def heal(self, key: str) -> None:
        self.objects.put(key, memoryview(self.sound[key]))


async def golden(make: Callable[[aiolake.Dataset], Awaitable[list[dict[str, Any]]]]) -> Golden:
    url, objects = new_url(), MemoryObjects()
    backend = Backend(MemoryStore(url, objects))
    metadata = {f"key-{i}": "v" * 100 for i in range(50)}
    async with (
        backend.session(OPTIONS) as session,
        aiolake.create_dataset(url, SCHEMA, metadata=metadata, session=session) as ds,
    ):
        rows = await make(ds)
    return Golden(objects, await stored(MemoryStore(url, objects)), url, rows)


async def _dense(ds: aiolake.Dataset) -> list[dict[str, Any]]:
    """Every kind of object, and every byte of them needed."""
    rows = [row_of(i) for i in range(240)]
    async with ds.transaction() as tx:
        await tx.append(rows)
    for i in range(30):
        rows.append(row_of(1000 + i))
        async with ds.transaction() as tx:
            await tx.append(rows[-1])
    return rows


async def _huge(ds: aiolake.Dataset) -> list[dict[str, Any]]:
    """A sample in two parts, each an object of its own."""
    rows = [{**row_of(0), "raw": np.random.default_rng(0).bytes(9 << 20)}]
    async with ds.transaction() as tx:
        await tx.append(rows)
    return rows


async def _sparse(ds: aiolake.Dataset) -> list[dict[str, Any]]:
    """Long row runs, and bytes that nothing needs any more."""
    rows = [row_of(i) for i in range(1800)]
    async with ds.transaction() as tx:
        await tx.append(rows)
    async with ds.transaction() as tx:
        await tx.delete(slice(0, None, 2))
        await tx.update(1, {"raw": b"changed"})
    rows[1] = {**rows[1], "raw": b"changed"}
    return rows[1::2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dense() -> Golden:
    return await golden(_dense)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sparse() -> Golden:
    return await golden(_sparse)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def huge() -> Golden:
    return await golden(_huge)


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[aiolake.Dataset]:
    session = aiolake.Session(
        OPTIONS, store_factory=lambda *_args, **_kwargs: store, clock=FakeClock(runs=True)
    )
    async with session, aiolake.open_dataset(store.url, session=session) as ds:
        yield ds


async def read_all(store: Store) -> dict[str, Any]:
    async with opened(store) as ds:
        assert len(ds.metadata) == 50
        return await ds.read(slice(None), decode=False)


def check(found: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """What was read, undecoded, is what was written."""
    for name in SCHEMA:
        values = found[name]
        assert len(values) == len(rows)
        assert all(same(v, _raw(name, row[name])) for v, row in zip(values, rows, strict=True))


def _raw(name: str, value: Any) -> Any:
    match name:
        case "text":
            return value.encode()
        case "json":
            return json.dumps(value, separators=(",", ":")).encode()
        case "label":
            return np.int32(value)
        case _:
            return value


def damages(
    sound: dict[str, bytes], keys: Iterable[str], n_in_large: int = 1
) -> Iterator[tuple[str, int]]:
    """Each object with a place in it, in large ones more; in the soak lane many in all."""
    for i, key in enumerate(keys):
        n_bytes = len(sound[key])
        n = pick(n_in_large if n_bytes > 2000 else 1, 40)
        for k in range(n):
            yield key, (k * (n_bytes - 1) // max(1, n - 1) + i * 7) % n_bytes


def some(keys: Iterable[str]) -> list[str]:
    """Every object in the soak lane; else all but chunks, of which every fourth."""
    return [key for i, key in enumerate(keys) if kind_of(key) != "chunks" or i % pick(4, 1) == 0]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


async def needed_keys(golden: Golden) -> list[str]:
    """The objects that opening and reading everything asks for."""
    backend = Backend(golden.store())
    check(await read_all(Remote(backend.counting)), golden.rows)
    return sorted({r.key for r in backend.counting.counts.select("get", "get_range")})


def check_reported(error: CorruptDataError, key: str, at: int) -> None:
    """It names the object and a range of it that holds the byte."""
    assert error.key == key
    assert key in error.message
    assert error.start <= at < error.stop


@pytest.mark.asyncio(loop_scope="module")
async def test_everything_of_the_kind_is_there(dense: Golden) -> None:
    kinds = {kind_of(key) for key in await needed_keys(dense)}
    assert kinds == {"log", "lists", "manifests", "chunks"}
    async with opened(dense.store()) as ds:
        assert ds._state.snapshot.lists
    assert len([key for key in dense.sound if key.startswith("chunks/")]) > 25


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("wrap", [Remote, Near])
async def test_one_flipped_byte_is_reported_with_key_and_range(
    dense: Golden, wrap: type[Remote]
) -> None:
    keys = await needed_keys(dense)
    keys = keys if wrap is Remote else some(keys)
    for key, at in damages(dense.sound, keys, 3 if wrap is Remote else 1):
        dense.damage(key, flipped(dense.sound[key], at))
        try:
            with pytest.raises(CorruptDataError) as caught:
                await read_all(wrap(dense.store()))
        finally:
            dense.heal(key)
        check_reported(caught.value, key, at)


@pytest.mark.asyncio(loop_scope="module")
async def test_damage_is_reported_by_rows_and_streams_too(huge: Golden) -> None:
    raw = huge.rows[0]["raw"]
    (key,) = (key for key, data in huge.sound.items() if data == raw[len(raw) // 2 :])
    at, near = 1 << 20, len(raw) // 2 + (1 << 20)
    huge.damage(key, flipped(huge.sound[key], at))
    try:
        async with opened(Remote(huge.store())) as ds:
            assert await ds.read_bytes(0, "raw", 0, 9) == raw[:9], "another part"
            for read in (
                lambda: ds.read(0, columns=["raw"]),
                lambda: ds.read_bytes(0, "raw", near - 9, near + 9),
                lambda: _stream(ds),
            ):
                with pytest.raises(CorruptDataError) as caught:
                    await read()
                check_reported(caught.value, key, at)
    finally:
        huge.heal(key)


async def _stream(ds: aiolake.Dataset) -> None:
    async with ds.batches(50) as batches:
        async for _ in batches:
            pass


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
async def test_bytes_nothing_needs_do_no_harm_and_others_are_reported(sparse: Golden) -> None:
    kinds = set()
    for key, at in damages(sparse.sound, sparse.sound):
        sparse.damage(key, flipped(sparse.sound[key], at))
        try:
            check(await read_all(Remote(sparse.store())), sparse.rows)
        except CorruptDataError as error:
            check_reported(error, key, at)
            kinds.add(kind_of(key))
        finally:
            sparse.heal(key)
    assert kinds == {"log", "lists", "manifests", "chunks"}


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
async def test_truncated_objects_are_reported(dense: Golden) -> None:
    for key, length in damages(dense.sound, some(await needed_keys(dense))):
        dense.damage(key, dense.sound[key][:length])
        try:
            with pytest.raises(CorruptDataError) as caught:
                await read_all(Remote(dense.store()))
        finally:
            dense.heal(key)
        assert caught.value.key == key


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
async def test_missing_objects_are_reported(dense: Golden) -> None:
    for key in some(await needed_keys(dense)):
        if kind_of(key) == "log":
            continue  # without its newest entry a log ends one entry earlier
        dense.damage(key, None)
        try:
            with pytest.raises(CorruptDataError) as caught:
                await read_all(Remote(dense.store()))
        finally:
            dense.heal(key)
        assert caught.value.key == key
        assert "missing" in caught.value.message


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", [FlipBit(), Truncate(3)])
@pytest.mark.parametrize("kind", ["log", "lists", "manifests", "chunks"])
async def test_damage_on_the_way_is_healed_by_asking_again(
    dense: Golden, kind: str, fault: FlipBit | Truncate
) -> None:
    keys = [key for key in await needed_keys(dense) if kind_of(key) == kind]
    for key in keys[: pick(6, len(keys))]:
        rule = Rule(fault, key=key)
        store = FaultStore(dense.store(), [rule], seed=len(key))
        check(await read_all(store), dense.rows)
        assert store.script.n_struck(rule) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_damage_that_stays_is_reported_and_not_remembered(dense: Golden) -> None:
    """Bad bytes are kept in no cache: once the object is whole again, so are the values."""
    for kind in ("lists", "manifests", "chunks"):
        store = FaultStore(Remote(dense.store()))
        async with opened(store) as ds:
            store.script.add(Rule(FlipBit(0), key=f"{kind}/*", times=None))
            with pytest.raises(CorruptDataError):
                await ds.read(slice(None), decode=False)
            store.script.clear()
            check(await ds.read(slice(None), decode=False), dense.rows)


@pytest.mark.asyncio(loop_scope="module")
async def test_verify_is_clean_on_a_sound_dataset(
    dense: Golden, sparse: Golden, huge: Golden
) -> None:
    for golden in (dense, sparse, huge):
        async with opened(golden.store()) as ds:
            found = await aiolake.verify(ds)
        assert found.ok, found.problems
        assert found.n_objects == len([k for k in golden.sound if not k.startswith("log/")])


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
async def test_verify_finds_a_flip_in_every_object(dense: Golden) -> None:
    async with opened(Remote(dense.store())) as ds:
        for key, at in damages(dense.sound, some(dense.sound)):
            dense.damage(key, flipped(dense.sound[key], at))
            found = await aiolake.verify(ds)
            dense.heal(key)
            assert any(is_about(problem, key, at) for problem in found.problems), (key, at)


def is_about(problem: aiolake.Problem, key: str, at: int) -> bool:
    start, stop = problem.start, problem.stop
    return problem.key == key and start is not None and stop is not None and start <= at < stop


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
async def test_verify_finds_what_is_missing_or_cut(dense: Golden) -> None:
    async with opened(Remote(dense.store())) as ds:
        for i, key in enumerate(some(dense.sound)[:: pick(2, 1)]):
            dense.damage(key, dense.sound[key][:-1] if i % 2 else None)
            found = await aiolake.verify(ds)
            dense.heal(key)
            assert key in {problem.key for problem in found.problems}, (key, i % 2)
