"""Open files kept for the next read, and reads that never wait."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable

from aiolake.stores._posix import open_cached, open_root_cached

__all__ = ["NOWAIT", "OpenFile", "OpenFiles", "RootHandle", "read_blocking"]

NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_UNAVAILABLE = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG})


class OpenFile:
    """An open object: closed when its last user lets go of it.

    A file evicted while a thread reads it must stay open until that read ends, or its number
    could mean another file; the interpreter's reference count says exactly when, without a lock.
    """

    __slots__ = ("fd", "size", "used")

    def __init__(self, fd: int, key: str) -> None:
        self.fd = fd
        self.used = False
        status = os.fstat(fd)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), key)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class OpenFiles:
    """At most ``capacity`` open files by key; the one unused for longest makes room.

    ``get`` needs no lock. A removal moves ``epoch``: a file opened before it may be the old one
    and is not kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._files: dict[str, OpenFile] = {}
        self._lock = threading.Lock()
        self.get = self._files.get
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._files)

    def add(self, key: str, file: OpenFile, epoch: int) -> None:
        """Keep a file opened while ``epoch`` was the current one."""
        with self._lock:
            if epoch != self.epoch:
                return
            if len(self._files) >= self._capacity:
                self._evict()
            self._files[key] = file

    def discard(self, key: str) -> None:
        """Forget a key whose object changed."""
        with self._lock:
            self.epoch += 1
            self._files.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self.epoch += 1
            self._files.clear()

    def _evict(self) -> None:
        """Drop the oldest that was not used since it was last looked at here."""
        for _ in range(2 * self._capacity):
            key = next(iter(self._files))
            file = self._files.pop(key)
            if not file.used:
                return
            file.used = False
            self._files[key] = file


class RootHandle:
    """Opens objects from the kernel's cache of names, below a root directory kept open."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._directory: _Directory | None = None
        self._available = bool(NOWAIT)

    @property
    def available(self) -> bool:
        """Whether the system can open without waiting, as far as is known."""
        return self._available

    def open_now(self, key: str) -> OpenFile | None:
        """An object, or ``None`` where opening it might wait, or it is not there."""
        if not self._available:
            return None
        directory = self._directory
        try:
            if directory is None:
                directory = self._directory = _Directory(self._root)
            return OpenFile(open_cached(directory.fd, key), key)
        except OSError as error:
            self._available = error.errno not in _UNAVAILABLE
            return None

    def close(self) -> None:
        """Let go of the root; the next opening looks for it anew."""
        self._directory = None


class _Directory:
    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.fd = open_root_cached(path)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.fd >= 0:
            close(self.fd)


def read_blocking(file: OpenFile, start: int, stop: int) -> bytearray:
    """The bytes ``[start, stop)`` of a file, cut at its end; blocks, runs in a thread."""
    buffer = bytearray(max(0, min(stop, file.size) - start))
    done = 0
    with memoryview(buffer) as view:
        while done < len(buffer):
            got = os.preadv(file.fd, [view[done:]], start + done)
            if got == 0:
                break
            done += got
    del buffer[done:]
    return buffer
