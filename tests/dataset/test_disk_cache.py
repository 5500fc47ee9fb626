"""Bytes of a remote dataset kept on disk: for the next run, for other processes, never wrong."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import Bytes, InvalidInputError, Options, Tensor, Text
from aiolake.chunks import disk
from aiolake.chunks.disk import DiskCache, mirrors
from aiolake.stores.local import LocalStore
from tests.dataset.helpers import Backend

N_ROWS = 10_000
SCHEMA: dict[str, Any] = {"x": Tensor("int32", (16,)), "t": Text(), "b": Bytes()}


def options(directory: Path, **more: Any) -> Options:
    """Without a cache in memory, so that only the disk can help."""
    return Options(disk_cache=directory, cache_bytes=0, **more)


def blob(i: int) -> bytes:
    return np.random.default_rng(i).bytes(200 + i % 100)


async def write(backend: Backend, n_rows: int = N_ROWS, n_commits: int = 4) -> None:
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, SCHEMA, session=session) as ds,
    ):
        for part in np.array_split(np.arange(n_rows), n_commits):
            async with ds.transaction() as tx:
                await tx.append(
                    columns={
                        "x": [np.full(16, i, np.int32) for i in part],
                        "t": [f"row {i}" for i in part],
                        "b": [blob(int(i)) for i in part],
                    }
                )


async def read_all(backend: Backend, using: Options) -> aiolake.Session:
    """Every row, by a stream and by batches of scattered rows; the session, closed."""
    rng = np.random.default_rng(5)
    async with (
        backend.session(using) as session,
        aiolake.open_dataset(backend.url, session=session) as ds,
    ):
        n = 0
        async with ds.batches(500) as batches:
            async for batch in batches:
                assert batch["x"][:, 0].tolist() == list(range(n, n + len(batch["t"])))
                n += len(batch["t"])
        assert n == len(ds)
        for _ in range(5):
            rows = rng.integers(0, len(ds), 64).tolist()
            got = await ds.read(rows)
            assert got["t"] == [f"row {i}" for i in rows]
            assert got["b"] == [blob(i) for i in rows]
        for i in (0, len(ds) // 2, len(ds) - 1):
            assert (await ds.read(i))["b"] == blob(i)
        assert isinstance(session, aiolake.Session)
        return session


async def test_a_second_run_asks_for_no_bytes(tmp_path: Path) -> None:
    backend = Backend()
    await write(backend)
    await read_all(backend, options(tmp_path / "cache"))
    before = backend.counting.counts
    session = await read_all(backend, options(tmp_path / "cache"))
    after = backend.counting.counts.requests[len(before.requests) :]
    assert [each for each in after if each.kind != "log"] == []
    found = session.disk_cache_statistics()
    assert found is not None
    assert found.misses == 0
    assert found.hits > 100
    assert found.bytes_read > N_ROWS * 200


async def test_rows_read_one_by_one_serve_a_scan_and_the_other_way_round(tmp_path: Path) -> None:
    backend = Backend()
    await write(backend, 300, 1)
    using = options(tmp_path / "cache")
    async with (
        backend.session(using) as session,
        aiolake.open_dataset(backend.url, session=session) as ds,
    ):
        for i in range(0, 300, 2):
            await ds.read(i)
    async with (
        backend.session(using) as session,
        aiolake.open_dataset(backend.url, session=session) as ds,
    ):
        before = len(backend.counting.counts.select(kind="chunks"))
        got = await ds.read(list(range(0, 300, 2)), columns=["b"])
        assert got["b"] == [blob(i) for i in range(0, 300, 2)]
        assert len(backend.counting.counts.select(kind="chunks")) == before


def damage(root: Path, change: Any) -> int:
    found = [Path(each.path) for each in mirrors(root / "v1")]
    for path in found:
        data = bytearray(path.read_bytes())
        change(path, data)
    return len(found)


def flip(path: Path, data: bytearray) -> None:
    data[::97] = bytes(255 - byte for byte in data[::97])
    path.write_bytes(data)


def cut(path: Path, data: bytearray) -> None:
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path, data: bytearray) -> None:
    path.write_bytes(b"")


def zero(path: Path, data: bytearray) -> None:
    path.write_bytes(bytes(len(data)))


def folder(path: Path, data: bytearray) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [flip, cut, empty, zero])
async def test_damaged_files_are_fetched_again_and_mended(tmp_path: Path, change: Any) -> None:
    backend = Backend()
    await write(backend, 1000, 2)
    using = options(tmp_path / "cache")
    await read_all(backend, using)
    assert damage(tmp_path / "cache", change) >= 2
    session = await read_all(backend, using)
    found = session.disk_cache_statistics()
    assert found is not None
    assert found.misses > 0
    before = len(backend.counting.counts.requests)
    await read_all(backend, using)
    after = backend.counting.counts.requests[before:]
    assert [each for each in after if each.kind != "log"] == []


async def test_a_file_where_none_can_be_is_gone_around(tmp_path: Path) -> None:
    backend = Backend()
    await write(backend, 1000, 2)
    using = options(tmp_path / "cache")
    await read_all(backend, using)
    assert damage(tmp_path / "cache", folder)
    await read_all(backend, using)


async def settled(cache: DiskCache) -> None:
    while cache._queued:  # noqa: ASYNC110 a thread's
        await asyncio.sleep(0.001)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "aiolake.cache"]


async def test_a_full_disk_is_told_once_and_reading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    backend = Backend()
    await write(backend, 1000, 2)
    monkeypatch.setattr(disk, "_pwrite", full)
    await read_all(backend, options(tmp_path / "cache"))
    (words,) = told(caplog)
    assert "No space left" in words
    assert "goes on without" in words


async def test_a_directory_of_others_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = Backend()
    await write(backend, 1000, 2)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    await read_all(backend, options(tmp_path / "cache"))
    (words,) = told(caplog)
    assert "chmod 700" in words
    assert mirrors(tmp_path / "cache" / "v1") == []


async def test_no_directory_can_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = Backend()
    await write(backend, 1000, 2)
    (tmp_path / "file").write_bytes(b"x")
    await read_all(backend, options(tmp_path / "file" / "cache"))
    assert len(told(caplog)) == 1


async def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    backend = Backend()
    await write(backend, 100, 1)
    await read_all(backend, options(tmp_path / "cache"))
    paths = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(paths) > 1
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


async def test_the_bound_is_kept(tmp_path: Path) -> None:
    bound = 8 << 20
    cache = DiskCache(tmp_path / "cache", bound)
    most = 0
    for i in range(60):
        cache.keep("s3://b/p", f"chunks/{i}", 0, os.urandom(500_000))
        await settled(cache)
        most = max(most, sum(each.nbytes for each in mirrors(tmp_path / "cache" / "v1")))
    await cache.aclose()
    assert most <= bound
    assert most > bound // 2
    assert cache.statistics().evictions >= 40
    newest = DiskCache(tmp_path / "cache", bound)
    ranges = [("chunks/59", 0, 500_000), ("chunks/0", 0, 500_000)]
    there, gone = await newest.read("s3://b/p", ranges)
    assert there is not None
    assert gone is None
    await newest.aclose()


async def test_what_is_used_stays(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 8 << 20)
    paths = []
    for i in range(10):
        cache.keep("u", str(i), 0, b"x" * 500_000)
        await settled(cache)
        paths.append(str(cache._path("u", str(i), 0)))
        os.utime(paths[-1], (i, i))  # long ago
    assert await cache.read("u", [("0", 5, 10)]) == [b"xxxxx"]
    for i in range(10, 18):
        cache.keep("u", str(i), 0, b"y" * 500_000)
    await cache.aclose()
    left = [each.path for each in mirrors(tmp_path / "cache" / "v1")]
    assert paths[0] in left
    assert paths[1] not in left


async def test_stores_and_objects_are_told_apart(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 1 << 30)
    w = disk.WINDOW_NBYTES
    cache.keep("a", "k", w - 3, b"abcdef")
    cache.keep("b", "k", 0, b"123")
    await settled(cache)
    ranges = [("k", w - 3, w + 3), ("k", w + 1, w + 3), ("k", w + 1, w + 4), ("l", 0, 1)]
    assert await cache.read("a", ranges) == [b"abcdef", b"ef", None, None]
    assert await cache.read("b", [("k", 0, 3), ("k", 1, 2), ("k", 0, 4)]) == [b"123", b"2", None]
    assert await cache.read("c", [("k", 0, 3), ("k", 1, 2)]) == [None, None]
    await cache.aclose()
    assert await cache.read("b", [("k", 0, 3)]) == [None]
    cache.keep("b", "k", 0, b"456")


async def test_a_file_that_cannot_be_opened_now_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    cache = DiskCache(tmp_path / "cache", 1 << 30)
    cache.keep("u", "k", 0, b"abc")
    await settled(cache)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert await cache.read("u", [("k", 0, 3), ("k", 1, 2)]) == [None, None]
    assert await cache.read("u", [("k", 0, 3)]) == [b"abc"]
    await cache.aclose()


async def test_what_is_written_after_its_file_was_evicted_is_there(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 1 << 20)
    with cache._preparing:  # the thread finds them all together
        for i in range(3):
            cache.keep("u", "k", i * 500_000, bytes([i]) * 500_000)
    await settled(cache)
    assert cache.statistics().evictions > 0
    (found,) = await cache.read("u", [("k", 1_000_000, 1_500_000)])
    assert found is not None
    await cache.aclose()


async def test_without_a_thread_to_write_reading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> None:
        raise RuntimeError("can't start new thread")

    cache = DiskCache(tmp_path / "cache", 1 << 30)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        cache.keep("u", "k", 0, b"abc")
    monkeypatch.undo()
    (words,) = told(caplog)
    assert "can't start new thread" in words
    assert cache._queued == 0
    assert await cache.read("u", [("k", 0, 3)]) == [None]
    await cache.aclose()


async def test_a_disk_that_is_slow_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_QUEUE_NBYTES", 1000)
    write_one = disk._pwrite

    def slow(*args: Any) -> None:
        time.sleep(0.2)
        write_one(*args)

    monkeypatch.setattr(disk, "_pwrite", slow)
    cache = DiskCache(tmp_path / "cache", 1 << 30)
    began = time.monotonic()
    for i in range(20):
        cache.keep("u", str(i), 0, bytes(600))
    assert time.monotonic() - began < 0.1
    await cache.aclose()
    assert cache.statistics().dropped == 19 * 600


def test_local_datasets_need_none(tmp_path: Path) -> None:
    async def run() -> None:
        url = tmp_path / "d"
        using = options(tmp_path / "cache")
        async with aiolake.create_dataset(url, {"t": Text()}, options=using) as ds:
            async with ds.transaction() as tx:
                await tx.append({"t": "x"})
            assert (await ds.read(0))["t"] == "x"

    asyncio.run(run())
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True])
def test_a_bound_is_a_number_of_bytes(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="disk_cache_bytes"):
        Options(disk_cache="x", disk_cache_bytes=wrong)


def _read_in_process(root: str, cache: str, n_times: int) -> None:
    async def run() -> None:
        backend = Backend(LocalStore(root))
        for _ in range(n_times):
            await read_all(backend, options(Path(cache), disk_cache_bytes=1 << 20))

    asyncio.run(run())


async def test_processes_share_it_while_others_are_killed(tmp_path: Path) -> None:
    """Small enough that they evict what others read; whoever reads gets right bytes or none."""
    root, cache = str(tmp_path / "d"), str(tmp_path / "cache")
    store = LocalStore(root)
    await write(Backend(store), 2000, 3)
    spawning = multiprocessing.get_context("spawn")
    victim = spawning.Process(target=_read_in_process, args=(root, cache, 1000))
    steady = [spawning.Process(target=_read_in_process, args=(root, cache, 3)) for _ in range(2)]
    for process in (victim, *steady):
        process.start()
    try:
        while not mirrors(tmp_path / "cache" / "v1"):
            assert victim.is_alive()
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        for process in steady:
            while process.is_alive():  # noqa: ASYNC110 it says nothing when it ends
                await asyncio.sleep(0.02)
            assert process.exitcode == 0
    finally:
        for process in (victim, *steady):
            process.kill()
            process.join()
    await read_all(Backend(store), options(Path(cache), disk_cache_bytes=1 << 20))
    await store.aclose()
