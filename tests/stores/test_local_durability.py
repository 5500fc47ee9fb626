"""In what order a local store writes, and what is left where a call fails."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from aiolake._aio import map_concurrently
from aiolake.errors import AiolakeError, PermissionDeniedError, ReadOnlyError, StoreError
from aiolake.stores.base import Buffer, CreateOutcome
from aiolake.stores.local import LocalStore
from aiolake.testing import RecordingFileSystem, cancel_at_each_step

CHANGES = (
    "mkdir",
    "create_file",
    "write",
    "fsync",
    "fsync_directory",
    "link",
    "replace",
    "rename_exclusive",
    "unlink",
)


@pytest.fixture
def disk() -> RecordingFileSystem:
    return RecordingFileSystem()


@pytest.fixture
def store(tmp_path: Path, disk: RecordingFileSystem) -> LocalStore:
    return LocalStore(tmp_path / "root", filesystem=disk)


def _files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _changes(disk: RecordingFileSystem) -> list[tuple[str, str]]:
    """What was done to the disk, the temporary file's name left out."""
    return [
        (call.verb, ".tmp/*" if call.path.startswith(".tmp/") else call.path)
        for call in disk.calls
        if call.verb in CHANGES
    ]


class TestOrder:
    async def test_create_syncs_directories_then_file_then_links_then_syncs_the_entry(
        self, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        assert await store.create("log/000/001", [b"entry"]) is CreateOutcome.CREATED
        assert _changes(disk)[-11:] == [
            ("mkdir", "log"),
            ("fsync_directory", "."),
            ("mkdir", "log/000"),
            ("fsync_directory", "log"),
            ("mkdir", ".tmp"),
            ("create_file", ".tmp/*"),
            ("write", ".tmp/*"),
            ("fsync", ".tmp/*"),
            ("link", "log/000/001"),
            ("fsync_directory", "log/000"),
            ("unlink", ".tmp/*"),
        ]
        assert _changes(disk)[:-11] == [("mkdir", "root"), ("fsync_directory", ".")]

    async def test_a_second_create_syncs_no_more_than_it_must(
        self, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        for n in range(3):
            disk.calls.clear()
            await store.create(f"log/000/{n:03d}", [b"entry"])
        assert _changes(disk) == [
            ("create_file", ".tmp/*"),
            ("write", ".tmp/*"),
            ("fsync", ".tmp/*"),
            ("link", "log/000/002"),
            ("fsync_directory", "log/000"),
            ("unlink", ".tmp/*"),
        ]

    async def test_directories_made_by_another_process_are_synced_once(
        self, tmp_path: Path, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        (tmp_path / "root" / "log").mkdir(parents=True)
        await store.create("log/1", [b"x"])
        await store.create("log/2", [b"x"])
        synced = [path for verb, path in _changes(disk) if verb == "fsync_directory"]
        assert synced == [".", "log", "log"]

    async def test_exists_is_answered_after_a_sync(
        self, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        await store.create("log/1", [b"x"])
        disk.calls.clear()
        assert await store.create("log/1", [b"y"]) is CreateOutcome.EXISTS
        assert _changes(disk) == [("fsync_directory", "log")]

    async def test_put_syncs_the_file_before_and_the_directory_after_the_replace(
        self, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        await store.put("hint", [b"old"])
        disk.calls.clear()
        await store.put("hint", [b"new"])
        order = [verb for verb, _ in _changes(disk)]
        assert order[1:] == ["write", "fsync", "replace", "fsync_directory", "unlink"]

    async def test_durability_os_syncs_nothing(
        self, tmp_path: Path, disk: RecordingFileSystem
    ) -> None:
        store = LocalStore(tmp_path, durability="os", filesystem=disk)
        await store.create("log/1", [b"x"])
        await store.put("log/2", [b"x"])
        assert disk.verbs("fsync", "fsync_directory") == []
        assert disk.verbs("link", "replace") == ["link", "replace"]


class TestFullDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    async def test_at_every_call_of_create(self, tmp_path: Path, number: int) -> None:
        n_refused = n_unknown = 0
        for n in range(100):
            disk = RecordingFileSystem()
            root = tmp_path / f"{n}"
            store = LocalStore(root, filesystem=disk)
            disk.fail_at(n, number)
            try:
                outcome = await store.create("log/000/1", [b"entry"])
            except StoreError as error:
                n_refused += "full" in str(error)
                assert _files(root) == []
            else:
                assert (root / "log/000/1").read_bytes() == b"entry"
                n_unknown += outcome is CreateOutcome.UNKNOWN
            if n >= len(disk.calls):
                break
            disk.heal()
            await store.clean_temporaries(_at_once())
            assert await store.create("log/000/1", [b"entry"]) is not CreateOutcome.UNKNOWN
            assert _files(root) == ["log/000/1"]
            await store.aclose()
        assert n_refused > 10
        assert n_unknown == 1

    async def test_at_every_call_of_put(self, tmp_path: Path) -> None:
        for n in range(100):
            disk = RecordingFileSystem()
            store = LocalStore(tmp_path, filesystem=disk)
            await store.put("hint", [b"old"])
            before = len(disk.calls)
            disk.fail_at(n, errno.ENOSPC)
            try:
                await store.put("hint", [b"new"])
            except StoreError:
                assert (tmp_path / "hint").read_bytes() in (b"old", b"new")
                assert _files(tmp_path) == ["hint"]
            else:
                assert (tmp_path / "hint").read_bytes() == b"new"
            if n >= len(disk.calls) - before:
                break
            disk.heal()
            await store.clean_temporaries(_at_once())
            await store.aclose()

    async def test_part_way_through_a_big_object(self, tmp_path: Path) -> None:
        class Filling(RecordingFileSystem):
            room = 10 << 20

            def write(self, fd: int, parts: Sequence[Buffer]) -> int:
                written = super().write(fd, parts)
                self.room -= written
                if self.room < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return written

        store = LocalStore(tmp_path, filesystem=Filling())
        with pytest.raises(StoreError, match="full"):
            await store.create("chunks/1", [bytes(4 << 20)] * 5)
        assert _files(tmp_path) == []

    async def test_short_writes_go_on(self, tmp_path: Path) -> None:
        class Slow(RecordingFileSystem):
            def write(self, fd: int, parts: Sequence[Buffer]) -> int:
                return super().write(fd, [memoryview(parts[0])[:7]])

        store = LocalStore(tmp_path, filesystem=Slow())
        parts = [b"", b"0123456789" * 5, b"x", b"", b"the end"]
        await store.create("a", parts)
        assert bytes(await store.get("a")) == b"".join(parts)


class TestRefusals:
    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            (errno.EROFS, ReadOnlyError),
            (errno.EACCES, PermissionDeniedError),
            (errno.EPERM, PermissionDeniedError),
        ],
    )
    @pytest.mark.parametrize("verb", ["mkdir", "create_file"])
    async def test_a_place_one_may_not_write_is_named(
        self,
        tmp_path: Path,
        store: LocalStore,
        disk: RecordingFileSystem,
        verb: str,
        number: int,
        kind: type[AiolakeError],
    ) -> None:
        disk.fail_on(verb, number)
        for call in (store.create("log/1", [b"x"]), store.put("hint", [b"x"])):
            with pytest.raises(kind) as caught:
                await call
            assert str(tmp_path / "root") in str(caught.value)
        assert _files(tmp_path) == []

    async def test_a_link_that_is_denied_is_a_refusal(
        self, tmp_path: Path, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        disk.fail_on("link", errno.EACCES)
        with pytest.raises(PermissionDeniedError):
            await store.create("log/1", [b"x"])
        assert _files(tmp_path) == []

    async def test_a_link_whose_answer_is_unclear_is_unknown(
        self, store: LocalStore, disk: RecordingFileSystem
    ) -> None:
        disk.fail_on("link", errno.EIO)
        assert await store.create("log/1", [b"x"]) is CreateOutcome.UNKNOWN

    async def test_a_link_made_though_the_answer_says_exists_is_created(
        self, tmp_path: Path
    ) -> None:
        class Repeating(RecordingFileSystem):
            def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
                for _ in range(2):
                    super().link(source, target, source_fd=source_fd, target_fd=target_fd)

        store = LocalStore(tmp_path, filesystem=Repeating())
        assert await store.create("log/1", [b"x"]) is CreateOutcome.CREATED


class TestNoHardLinks:
    @pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
    async def test_renaming_without_replacing_takes_their_place(
        self, tmp_path: Path, store: LocalStore, disk: RecordingFileSystem, number: int
    ) -> None:
        disk.fail_on("link", number)

        async def create(n: int) -> CreateOutcome:
            return await store.create("log/1", [b"%d" % n])

        outcomes = await map_concurrently(create, range(20))
        assert outcomes.count(CreateOutcome.CREATED) == 1
        assert outcomes.count(CreateOutcome.EXISTS) == 19
        assert bytes(await store.get("log/1")) == b"%d" % outcomes.index(CreateOutcome.CREATED)
        assert _files(tmp_path / "root") == ["log/1"]
        order = [verb for verb, _ in _changes(disk)]
        assert order.index("fsync") < order.index("rename_exclusive")
        assert "fsync_directory" in order[order.index("rename_exclusive") :]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
    async def test_without_that_either_the_store_refuses(self, tmp_path: Path, number: int) -> None:
        class Poor(RecordingFileSystem):
            def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
                raise OSError(errno.EPERM, "Operation not permitted")

            def rename_exclusive(
                self, source: str, target: str, *, source_fd: int, target_fd: int
            ) -> None:
                raise OSError(number, "no such flag")

        store = LocalStore(tmp_path, filesystem=Poor())
        with pytest.raises(StoreError, match="neither hard links nor"):
            await store.create("log/1", [b"x"])
        assert _files(tmp_path) == []


class TestCancellation:
    async def test_no_step_leaves_a_temporary(self, tmp_path: Path, store: LocalStore) -> None:
        def check() -> None:
            # A thread that was busy may not even have begun: then the directory is not there.
            assert list((tmp_path / "root").glob(".tmp/*")) == []

        await cancel_at_each_step(lambda: store.put("hint", [bytes(1 << 20)] * 9), check)
        await cancel_at_each_step(lambda: store.create("log/1", [b"x"]), check)

    async def test_a_write_in_its_middle_stops_and_cleans_up_first(self, tmp_path: Path) -> None:
        reached, go_on = threading.Event(), threading.Event()

        class Stuck(RecordingFileSystem):
            def write(self, fd: int, parts: Sequence[Buffer]) -> int:
                written = super().write(fd, parts)
                reached.set()
                go_on.wait(10)
                return written

        disk = Stuck()
        store = LocalStore(tmp_path, filesystem=disk)

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(store.create("a", [bytes(8 << 20)] * 4))
            await asyncio.to_thread(reached.wait, 10)
            for _ in range(3):
                writing.cancel()
                await asyncio.sleep(0)
            assert not writing.done()
            go_on.set()
        assert writing.cancelled()
        assert disk.verbs("write") == ["write"]
        assert _files(tmp_path) == []


def _at_once() -> timedelta:
    return timedelta(seconds=-1)
