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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiolake._aio import WorkPool, keep_in_child
from aiolake.errors import ClosedError
from aiolake.stores.base import Buffer

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

    async def read(self, url: str, key: str, start: int, stop: int) -> Buffer | None:
        """What lies where the range would, to be checked; ``None`` where it cannot be there."""
        if self._usable is False or start >= stop:
            return None
        try:
            return await self._reading.run(self._read, url, key, start, stop)
        except ClosedError:
            return None

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
        self._writing.submit(self._write, url, key, start, data)

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

    def _read(self, url: str, key: str, start: int, stop: int) -> Buffer | None:
        if not self._prepared():
            return None
        window = start // WINDOW_NBYTES
        path = self._path(url, key, window)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            data = _pread(fd, stop - start, start - window * WINDOW_NBYTES)
            if data is not None and time.time() - os.fstat(fd).st_mtime > _TOUCH_S:
                with contextlib.suppress(OSError):  # read-only: then nobody evicts
                    os.utime(fd)
            return data
        except OSError:  # the disk is failing there
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        finally:
            os.close(fd)

    def _write(self, url: str, key: str, start: int, data: Buffer) -> None:
        try:
            if not self._writable or not self._prepared():
                return  # the disk was found full after this was queued, say
            for window, first in windows(start, start + len(data)):
                path = self._path(url, key, window)
                _pwrite(path, memoryview(data)[first - start :], first - window * WINDOW_NBYTES)
            self._bytes_written += len(data)
            self._keep_bound(len(data))
        except OSError as error:
            self._writable = False
            _log.warning(
                "the disk cache %s is written no more (%s); reading goes on without",
                self._top,
                error,
            )
        finally:
            with self._counting:
                self._queued -= len(data)

    def _prepared(self) -> bool:
        with self._preparing:
            if self._usable is None:
                problem = _prepare(self._top, self._root)
                self._usable = problem is None
                if problem is not None:
                    _log.warning("the disk cache %s is not used: %s", self._top, problem)
            return self._usable

    def _keep_bound(self, nbytes: int) -> None:
        """Look at the whole directory now and then, and at first; one process at a time does."""
        if self._since_scan is not None:
            self._since_scan += nbytes
            if self._since_scan < self._max_bytes // _SCANS:
                return
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


def _pread(fd: int, nbytes: int, offset: int) -> Buffer | None:
    out = bytearray(nbytes)
    view = memoryview(out)
    n = 0
    while n < nbytes:
        step = os.preadv(fd, [view[n:]], offset + n)
        if step == 0:
            return None  # the file ends before
        n += step
    return out


def _pwrite(path: Path, data: memoryview, offset: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, flags, 0o600)
    try:
        while len(data):
            n = os.pwrite(fd, data, offset)
            data, offset = data[n:], offset + n
    finally:
        os.close(fd)


def _nothing() -> None:
    return None
