"""Bytes of immutable objects kept on a local disk, shared by processes, checked by who reads them.

A file mirrors 64 MiB of an object: what was fetched is written where it lies in the object, the
rest is a hole. No index says what is there: a reader knows the checksum of what it wants, and takes
what has it. So a torn write, a hole and a damaged file are one case, a miss. Why:
``docs/design/009-disk-cache.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from aiolake._aio import WorkPool, keep_in_child
from aiolake.errors import ClosedError
from aiolake.stores.base import Buffer, Range

__all__ = ["DiskCache", "DiskCacheStatistics", "Mirror", "evicted", "mirrors", "windows"]

_log = logging.getLogger("aiolake.cache")

WINDOW_NBYTES = 64 << 20
"""What one file mirrors: large enough that files are few, small enough to be let go of whole."""

_QUEUE_NBYTES = 64 << 20
_READERS = 4
_TOUCH_S = 60.0
_LOW = 7, 8
"""Eviction leaves so much of the bound: the rest is room for what processes write between scans."""

_SCANS = 64
"""A process looks at the whole directory after writing this fraction of the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskCacheStatistics:
    """What a disk cache has done for this process.

    Attributes:
        hits: Ranges taken from it.
        misses: Ranges it did not have.
        bytes_read: Of the ranges taken.
        bytes_written: Put there.
        dropped: Bytes not put there, since the disk was slower than the network.
        evictions: Files removed to keep the bound.
    """

    hits: int
    misses: int
    bytes_read: int
    bytes_written: int
    dropped: int
    evictions: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """A file of the cache: its disk blocks' bytes, and when it was used last."""

    path: str
    nbytes: int
    used: float


def windows(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The windows a range has bytes in, and its first byte in each. Pure."""
    for window in range(start // WINDOW_NBYTES, (stop - 1) // WINDOW_NBYTES + 1):
        yield window, max(start, window * WINDOW_NBYTES)


def evicted(found: list[Mirror], max_bytes: int) -> list[Mirror]:
    """The files to remove, least recently used first, if all together come near the bound. Pure."""
    low = max_bytes * _LOW[0] // _LOW[1]
    total = sum(mirror.nbytes for mirror in found)
    gone = []
    for mirror in sorted(found, key=lambda mirror: mirror.used):
        if total <= low:
            break
        total -= mirror.nbytes
        gone.append(mirror)
    return gone


def mirrors(root: Path) -> list[Mirror]:
    """Every file of a cache."""
    found = []
    for directory in _entries(root):
        if not directory.is_dir(follow_symlinks=False):
            continue
        for entry in _entries(Path(directory.path)):
            with contextlib.suppress(FileNotFoundError):
                known = entry.stat(follow_symlinks=False)
                found.append(Mirror(entry.path, known.st_blocks * 512, known.st_mtime))
    return found


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


class DiskCache:
    """A directory, mode 0700, of bytes that may always be fetched again.

    Any number of processes may use it. Whatever goes wrong with the disk costs a fetch, and one
    warning in the log.

    Args:
        directory: Made when first used; must belong to this user, and be writable to nobody else.
        max_bytes: Bound of the bytes on disk, of all processes together.
    """

    def __init__(self, directory: str | os.PathLike[str], max_bytes: int) -> None:
        self._top = Path(directory).expanduser()
        self._root = self._top / "v1"
        self._max_bytes = max_bytes
        self._reading = WorkPool(_READERS)
        self._writing: ThreadPoolExecutor | None = None
        self._waiting: list[_Kept] = []
        self._queued = 0
        self._since_scan: int | None = None
        self._usable: bool | None = None
        self._preparing = threading.Lock()
        # The loop queues what the thread writes, and ``+=`` is no single step.
        self._counting = threading.Lock()
        self._writable = True
        self._closed = False
        self._hits = self._misses = self._bytes_read = 0
        self._bytes_written = self._dropped = self._evictions = 0

    def statistics(self) -> DiskCacheStatistics:
        """What it has done so far."""
        return DiskCacheStatistics(
            hits=self._hits,
            misses=self._misses,
            bytes_read=self._bytes_read,
            bytes_written=self._bytes_written,
            dropped=self._dropped,
            evictions=self._evictions,
        )

    async def read(self, url: str, ranges: Sequence[Range]) -> list[bytes | None]:
        """What lies where ranges would, to be checked; ``None`` where it cannot be there.

        Cost: one hop to a thread; those of one object had better follow each other.
        """
        if self._usable is not False:
            with contextlib.suppress(ClosedError):
                return await self._reading.run(self._read, url, ranges)
        return [None] * len(ranges)

    def count(self, *, hits: int, misses: int, nbytes: int) -> None:
        """Note how many of the ranges read were what was wanted."""
        self._hits += hits
        self._misses += misses
        self._bytes_read += nbytes

    def keep(self, url: str, key: str, start: int, data: Buffer) -> None:
        """Write a range in the background; dropped where the disk cannot follow."""
        nbytes = len(data)
        if self._closed or not self._writable or self._usable is False or not nbytes:
            return
        if self._queued and self._queued + nbytes > _QUEUE_NBYTES:
            self._dropped += nbytes
            return
        if self._writing is None:
            self._writing = ThreadPoolExecutor(1, "aiolake-cache")
            keep_in_child(self._writing)
        with self._counting:
            self._queued += nbytes
            self._waiting.append(_Kept(url, key, start, data))
            is_first = len(self._waiting) == 1
        if is_first:
            self._begin_to_write(self._writing)

    async def aclose(self) -> None:
        """Finish what is being written; idempotent.

        Cancellation: goes on at once; the thread ends on its own.
        """
        self._closed = True
        writing, self._writing = self._writing, None
        if writing is not None:
            last = writing.submit(_nothing)
            writing.shutdown(wait=False)
            await asyncio.wrap_future(last)
        await self._reading.aclose()

    def _path(self, url: str, key: str, window: int) -> Path:
        name = hashlib.sha256(f"{url}\0{key}\0{window}".encode()).hexdigest()[:40]
        return self._root / name[:2] / name[2:]

    def _read(self, url: str, ranges: Sequence[Range]) -> list[bytes | None]:
        if not self._prepared():
            return [None] * len(ranges)
        with _Opened(partial(self._path, url), os.O_RDONLY, touch=True) as opened:
            return [self._read_one(opened, url, *each) for each in ranges]

    def _read_one(self, opened: _Opened, url: str, key: str, start: int, stop: int) -> bytes | None:
        window = start // WINDOW_NBYTES
        try:
            fd = opened.file(key, window)
        except OSError:  # it is not there, or too many are open
            return None
        try:
            return _pread(fd, stop - start, start - window * WINDOW_NBYTES)
        except OSError:  # the disk is failing there
            with contextlib.suppress(OSError):
                self._path(url, key, window).unlink()
            return None

    def _begin_to_write(self, writing: ThreadPoolExecutor) -> None:
        try:
            writing.submit(self._write_waiting)
        except RuntimeError as error:  # no thread can be started
            self._write_no_more(error)
            self._write_waiting()  # which lets go of it
            self._writing = None
            writing.shutdown(wait=False)

    def _write_no_more(self, error: Exception) -> None:
        self._writable = False
        _log.warning(
            "the disk cache %s is written no more (%s); reading goes on without",
            self._top,
            error,
        )

    def _write_waiting(self) -> None:
        """Write all that waits."""
        with self._counting:
            waiting, self._waiting = self._waiting, []
        try:
            if self._writable and self._prepared():  # the disk was found full since, say
                self._write(waiting)
        except OSError as error:
            self._write_no_more(error)
        finally:
            with self._counting:
                self._queued -= sum(len(each.data) for each in waiting)

    def _write(self, waiting: Sequence[_Kept]) -> None:
        for url, some in groupby(waiting, attrgetter("url")):
            with _Opened(partial(self._path, url), os.O_WRONLY | os.O_CREAT) as opened:
                for each in some:
                    stop = each.start + len(each.data)
                    for window, first in windows(each.start, stop):
                        part = memoryview(each.data)[first - each.start :]
                        _pwrite(opened.file(each.key, window), part, first - window * WINDOW_NBYTES)
                    self._bytes_written += len(each.data)
                    if self._keep_bound(len(each.data)):
                        opened.close()  # it may be gone

    def _prepared(self) -> bool:
        with self._preparing:
            if self._usable is None:
                problem = _prepare(self._top, self._root)
                self._usable = problem is None
                if problem is not None:
                    _log.warning("the disk cache %s is not used: %s", self._top, problem)
            return self._usable

    def _keep_bound(self, nbytes: int) -> bool:
        """Look at the whole directory now and then, and at first; one process at a time does.

        Returns:
            Whether it did.
        """
        if self._since_scan is not None:
            self._since_scan += nbytes
            if self._since_scan < self._max_bytes // _SCANS:
                return False
        self._since_scan = 0
        fd = os.open(self._top / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            for mirror in evicted(mirrors(self._root), self._max_bytes):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(mirror.path)
                self._evictions += 1
        finally:
            os.close(fd)  # gives the lock back
        return True


def _prepare(top: Path, root: Path) -> str | None:
    """Make the directories; what is wrong with them, if something is."""
    try:
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
        found = top.stat()
    except OSError as error:
        return str(error)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        return (
            "others may write there, and could change what is read; chmod 700 it, or choose "
            "another in Options.disk_cache"
        )
    return None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A range that waits to be written."""

    url: str
    key: str
    start: int
    data: Buffer


class _Opened:
    """The file used last stays open: ranges of one object come together.

    Args:
        path: Of a key and a window.
        flags: To open it with.
        touch: Note that it was used, now and then.
    """

    def __init__(
        self, path: Callable[[str, int], Path], flags: int, *, touch: bool = False
    ) -> None:
        self._path = path
        self._flags = flags | os.O_CLOEXEC | os.O_NOFOLLOW
        self._touch = touch
        self._of: tuple[str, int] | None = None
        self._fd = -1

    def file(self, key: str, window: int) -> int:
        """Its descriptor.

        Raises:
            OSError: It cannot be opened; ``FileNotFoundError`` where it is not there.
        """
        if self._of != (key, window):
            self.close()
            self._of = key, window
            self._fd = self._open(self._path(key, window))
        if self._fd < 0:
            raise FileNotFoundError  # as a moment ago
        return self._fd

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, path: Path) -> int:
        try:
            fd = os.open(path, self._flags, 0o600)
        except FileNotFoundError:
            if not self._flags & os.O_CREAT:
                raise
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, self._flags, 0o600)
        if self._touch and time.time() - os.fstat(fd).st_mtime > _TOUCH_S:
            with contextlib.suppress(OSError):  # read-only: then nobody evicts
                os.utime(fd)
        return fd

    def close(self) -> None:
        """Let go of it; the next use opens it anew."""
        fd, self._fd, self._of = self._fd, -1, None
        if fd >= 0:
            os.close(fd)


def _pread(fd: int, nbytes: int, offset: int) -> bytes | None:
    data = os.pread(fd, nbytes, offset)
    while len(data) < nbytes:  # of more than 2 GiB, or at the file's end
        more = os.pread(fd, nbytes - len(data), offset + len(data))
        if not more:
            return None
        data += more
    return data


def _pwrite(fd: int, data: memoryview, offset: int) -> None:
    while len(data):
        n = os.pwrite(fd, data, offset)
        data, offset = data[n:], offset + n


def _nothing() -> None:
    return None
