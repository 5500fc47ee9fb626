from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from aiolake._aio import map_concurrently
from aiolake.errors import (
    ClosedError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
)
from aiolake.stores import local
from aiolake.stores.base import Buffer, CreateOutcome, Store
from aiolake.stores.local import IMMEDIATE_BYTES, LocalStore
from aiolake.testing import StoreContract
from tests.scale import pick


class TestLocalStore(StoreContract):
    n_made = 0

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    async def make_store(self) -> Store:
        self.n_made += 1
        return LocalStore(self.directory / f"{self.n_made}", durability="os")


class TestDurableLocalStore(TestLocalStore):
    n_many = 3
    big_nbytes = 10 << 20

    async def make_store(self) -> Store:
        self.n_made += 1
        return LocalStore(self.directory / "not" / "yet" / "there" / f"{self.n_made}")

    async def test_pages_are_full_and_go_on_after_their_token(self) -> None:
        """Listing does not depend on durability, and a thousand synced files take long."""


class TestPlaces:
    async def test_a_root_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for root in (tmp_path / "file", tmp_path / "file" / "below"):
            store = LocalStore(root)
            for call in (store.get("a"), store.list(""), store.create("a", [b"x"])):
                with pytest.raises(InvalidInputError, match="directory"):
                    await call
            await store.aclose()

    async def test_a_file_where_a_key_needs_a_directory_is_refused(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        await store.put("a", [b"x"])
        with pytest.raises(InvalidInputError, match="a file is where a directory is needed"):
            await store.create("a/b", [b"y"])
        with pytest.raises(NotFoundError):
            await store.get("a/b")
        await store.aclose()

    async def test_a_directory_where_an_object_should_be_is_refused(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        await store.put("a/b", [b"x"])
        for call in (store.create("a", [b"y"]), store.put("a", [b"y"])):
            with pytest.raises(InvalidInputError, match="directory"):
                await call
        assert _files(tmp_path) == ["a/b"]
        await store.aclose()

    async def test_temporaries_are_no_keys(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        for key in (".tmp", ".tmp/a"):
            with pytest.raises(InvalidInputError, match="reserved"):
                await store.put(key, [b"x"])
        await store.put("a/.tmp/b", [b"not at the top"])
        (tmp_path / ".tmp" / "left").write_bytes(b"")
        assert await _keys(store) == ["a/.tmp/b"]
        assert (await store.list(".tmp/")).objects == ()
        await store.aclose()

    async def test_the_root_may_be_reached_by_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        store = LocalStore(tmp_path / "link")
        await store.put("d/a", [b"x"])
        assert bytes(await store.get_range("d/a", 0, 1)) == b"x"
        assert _files(tmp_path / "real") == ["d/a"]
        await store.aclose()

    async def test_a_root_removed_and_made_again_is_found(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path / "root")
        for text in (b"one", b"two"):
            await store.put("d/a", [text])
            await store.put("d/b", [text])
            assert bytes(await store.get_range("d/a", 0, 3)) == text
            assert store.get_range_now("d/b", 0, 3) == text
            await store.delete(["d/a", "d/b"])
            for path in sorted((tmp_path / "root").rglob("*"), reverse=True):
                path.rmdir()
            (tmp_path / "root").rmdir()
            with pytest.raises(NotFoundError):
                await store.get_range("d/a", 0, 3)
        await store.aclose()

    async def test_files_that_are_no_objects_are_not_listed(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "empty").mkdir()
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/not-utf8-\xff")).write_bytes(b"")
        store = LocalStore(tmp_path)
        await store.put("a", [b"x"])
        assert await _keys(store) == ["a"]
        with pytest.raises(NotFoundError):
            await asyncio.wait_for(store.get("pipe"), 5)  # noqa: TID251
        await store.aclose()

    async def test_deleting_removes_empty_directories_but_not_the_root(
        self, tmp_path: Path
    ) -> None:
        store = LocalStore(tmp_path)
        await store.put("chunks/1/a", [b"x"])
        await store.put("chunks/2/b", [b"x"])
        await store.delete(["chunks/1/a"])
        assert sorted(path.name for path in (tmp_path / "chunks").iterdir()) == ["2"]
        await store.delete(["chunks/2/b"])
        assert tmp_path.is_dir()
        assert not (tmp_path / "chunks").exists()
        await store.aclose()


class TestLinks:
    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").write_bytes(b"secret")
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "away").symlink_to(tmp_path / "outside")
        (tmp_path / "root" / "one").symlink_to(tmp_path / "outside" / "secret")
        return tmp_path / "outside"

    @pytest.fixture
    def store(self, tmp_path: Path, outside: Path) -> LocalStore:
        return LocalStore(tmp_path / "root")

    async def test_nothing_is_read_through_a_link(self, store: LocalStore) -> None:
        for key in ("away/secret", "one"):
            assert store.get_range_now(key, 0, 6) is None
            for call in (store.get(key), store.get_range(key, 0, 6), store.head(key)):
                with pytest.raises(PermissionDeniedError, match="symbolic link"):
                    await call
        assert await _keys(store) == []
        assert (await store.list("away/")).objects == ()
        await store.aclose()

    async def test_nothing_is_written_through_a_link(
        self, store: LocalStore, outside: Path
    ) -> None:
        for key in ("away/secret", "away/new", "away/deep/new", "one"):
            for call in (store.create(key, [b"x"]), store.put(key, [b"x"])):
                with pytest.raises(PermissionDeniedError, match="symbolic link"):
                    await call
        with pytest.raises(PermissionDeniedError, match="symbolic link"):
            await store.delete(["away/secret"])
        await store.delete(["one"])
        assert _files(outside) == ["secret"]
        assert (outside / "secret").read_bytes() == b"secret"
        await store.aclose()


class TestListing:
    @pytest.mark.soak
    async def test_the_newest_of_many_entries_is_found_in_few_directories(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [f"{low:03d}" for low in range(1000)]
        for high in range(999_999_900, 999_999_900 + pick(6, 100)):
            (tmp_path / "log" / str(high)).mkdir(parents=True)
            fd = os.open(tmp_path / "log" / str(high), os.O_RDONLY)
            for name in names:
                os.mknod(name, dir_fd=fd)
            os.close(fd)
        n_scans = 0
        scandir = os.scandir

        def counting(fd: int) -> object:
            nonlocal n_scans
            n_scans += 1
            return scandir(fd)

        monkeypatch.setattr(os, "scandir", counting)
        store = LocalStore(tmp_path)
        page = await store.list("log/", limit=1)
        assert [meta.key for meta in page.objects] == ["log/999999900/000"]
        assert n_scans == 2
        middle = await store.list("log/", limit=3, token="log/999999903/998")
        assert [meta.key[-3:] for meta in middle.objects] == ["999", "000", "001"]
        assert n_scans == 5
        await store.aclose()


class TestImmediateReads:
    async def test_every_range_has_the_right_bytes(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        whole = os.urandom(70)
        await store.put("d/a", [whole])
        n_now = 0
        for start in range(80):
            for stop in range(start, 80):
                data = store.get_range_now("d/a", start, stop)
                n_now += data is not None
                assert bytes(await store.get_range("d/a", start, stop)) == whole[start:stop]
                assert data is None or bytes(data) == whole[start:stop]
        assert n_now > 3000
        await store.aclose()

    async def test_long_reads_are_left_to_threads(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        whole = os.urandom(IMMEDIATE_BYTES + 10)
        await store.put("a", [whole])
        assert store.get_range_now("a", 0, IMMEDIATE_BYTES + 1) is None
        assert bytes(await store.get_range("a", 0, IMMEDIATE_BYTES + 1)) == whole[:-9]
        assert store.get_range_now("a", 5, IMMEDIATE_BYTES + 5) == whole[5:-5]
        await store.aclose()

    async def test_replaced_and_deleted_objects_are_not_read_from_old_files(
        self, tmp_path: Path
    ) -> None:
        store = LocalStore(tmp_path)
        for n in range(5):
            await store.put("hint", [b"%d" % n])
            assert bytes(await store.get_range("hint", 0, 1)) == b"%d" % n
        await store.delete(["hint"])
        assert store.get_range_now("hint", 0, 1) is None
        await store.aclose()

    async def test_a_system_without_them_reads_in_threads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        n_asked = 0

        def unsupported(*args: object) -> int:
            nonlocal n_asked
            n_asked += 1
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(local, "_preadv", unsupported)
        store = LocalStore(tmp_path)
        await store.put("a", [b"0123456789"])
        for start in range(9):
            assert bytes(await store.get_range("a", start, 10)) == b"0123456789"[start:]
        assert n_asked == 1
        await store.aclose()

    async def test_what_is_not_in_the_page_cache_is_read_in_threads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def would_block(*args: object) -> int:
            raise BlockingIOError

        store = LocalStore(tmp_path)
        await store.put("a", [b"0123456789"])
        with monkeypatch.context() as patch:
            patch.setattr(local, "_preadv", would_block)
            assert store.get_range_now("a", 2, 4) is None
            assert bytes(await store.get_range("a", 2, 4)) == b"23"
        assert store.get_range_now("a", 2, 4) == b"23"
        await store.aclose()

    async def test_open_files_are_bounded_and_closed(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path, durability="os")
        keys = [f"d/{n}" for n in range(300)]
        await map_concurrently(lambda key: store.put(key, [key.encode()]), keys)
        before = _n_descriptors()
        for _ in range(2):
            for key in keys:
                assert bytes(await store.get_range(key, 0, 9)) == key.encode()
        assert _n_descriptors() - before <= 130
        assert store.get_range_now("d/299", 0, 9) == b"d/299"
        await store.aclose()
        assert _n_descriptors() <= before
        with pytest.raises(ClosedError):
            store.get_range_now("d/299", 0, 9)

    async def test_a_file_often_read_stays_open(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path, durability="os")
        keys = [f"d/{n}" for n in range(400)]
        await map_concurrently(lambda key: store.put(key, [b"x"]), ["hot", *keys])
        await store.get_range("hot", 0, 1)
        hot = store._files.get("hot")
        for key in keys:
            assert store.get_range_now("hot", 0, 1) == b"x"
            await store.get_range(key, 0, 1)
        assert store._files.get("hot") is hot
        await store.aclose()


class TestTemporaries:
    async def test_old_ones_are_removed_and_young_ones_left(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        assert await store.clean_temporaries(timedelta(0)) == 0
        await store.put("a", [b"x"])
        for name, age_s in (("old", 7200), ("young", 10)):
            path = tmp_path / ".tmp" / name
            path.write_bytes(b"half")
            os.utime(path, (path.stat().st_mtime - age_s,) * 2)
        assert await store.clean_temporaries(timedelta(hours=1)) == 1
        assert [path.name for path in (tmp_path / ".tmp").iterdir()] == ["young"]
        assert await _keys(store) == ["a"]
        await store.aclose()


class TestRaces:
    async def test_directories_removed_under_writers_lose_nothing(self, tmp_path: Path) -> None:
        store, other = LocalStore(tmp_path, durability="os"), LocalStore(tmp_path, durability="os")

        async def come_and_go(n: int) -> None:
            mine = (store, other)[n % 2]
            for round in range(20):
                key = f"d/e/{n}-{round}"
                assert await mine.create(key, [b"x"]) is CreateOutcome.CREATED
                await mine.delete([key])

        await map_concurrently(come_and_go, range(8))
        assert _files(tmp_path) == []
        await store.aclose()
        await other.aclose()

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    async def test_after_a_fork_an_inherited_store_makes_threads_of_its_own(
        self, tmp_path: Path
    ) -> None:
        store = LocalStore(tmp_path)
        await store.put("a", [b"x"])
        await asyncio.sleep(0.05)  # a thread of the parent is idle now, as the child would believe
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            os._exit(0 if bytes(asyncio.run(_get(store, "a"))) == b"x" else 1)
        assert await asyncio.to_thread(os.waitpid, pid, 0) == (pid, 0)
        assert bytes(await store.get("a")) == b"x"
        await store.aclose()

    async def test_a_disk_error_while_reading_is_reported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: object) -> bytearray:
            raise OSError(5, "Input/output error")

        store = LocalStore(tmp_path)
        await store.put("a", [b"x" * 100_000])
        monkeypatch.setattr(local, "read_blocking", broken)
        with pytest.raises(StoreError, match=r"cannot read 'a' in .*EIO"):
            await store.get("a")
        await store.aclose()


def _files(root: Path) -> list[str]:
    """The files there are, finished or not."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _n_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def _get(store: Store, key: str) -> Buffer:
    return await store.get(key)


async def _keys(store: Store) -> list[str]:
    return [meta.key for meta in (await store.list("")).objects]
