"""The local store's system calls, recorded and made to fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiolake.stores._posix import FileSystem
from aiolake.stores.base import Buffer

__all__ = ["FileSystemCall", "RecordingFileSystem"]


@dataclass(frozen=True, slots=True)
class FileSystemCall:
    """One call; ``path`` is relative to the root (``.``), a link's or rename's is its target."""

    verb: str
    path: str


class RecordingFileSystem(FileSystem):
    """Does what is asked, writes down its order, and fails where a test says so.

    Pass it as ``LocalStore(..., filesystem=...)``. ``calls`` are those that were attempted;
    opening and closing are among them.
    """

    def __init__(self) -> None:
        self.calls: list[FileSystemCall] = []
        self._paths: dict[int, str] = {}
        self._lock = threading.Lock()
        self._fails: Callable[[int, FileSystemCall], int | None] = lambda n, call: None

    def fail_at(self, n: int, number: int) -> None:
        """Let the ``n``-th call from now on (0 is the next) fail with an error number."""
        first = len(self.calls)
        self._fails = lambda i, call: number if i == first + n else None

    def fail_on(self, verb: str, number: int) -> None:
        """Let every call of a verb fail with an error number."""
        self._fails = lambda i, call: number if call.verb == verb else None

    def heal(self) -> None:
        """Let no call fail."""
        self._fails = lambda i, call: None

    def verbs(self, *of: str) -> list[str]:
        """The verbs called, in order; only these, if any are given."""
        return [call.verb for call in self.calls if not of or call.verb in of]

    def open_root(self, path: str) -> int:
        """As ``FileSystem``."""
        self._record("open_root", ".")
        return self._opened(super().open_root(path), ".")

    def open_directory(self, name: str, *, dir_fd: int) -> int:
        """As ``FileSystem``."""
        path = self._record("open_directory", name, dir_fd)
        return self._opened(super().open_directory(name, dir_fd=dir_fd), path)

    def open_file(self, name: str, *, dir_fd: int) -> int:
        """As ``FileSystem``."""
        self._record("open_file", name, dir_fd)
        return super().open_file(name, dir_fd=dir_fd)

    def mkdir(self, name: str, *, dir_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("mkdir", name, dir_fd)
        super().mkdir(name, dir_fd=dir_fd)

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("rmdir", name, dir_fd)
        super().rmdir(name, dir_fd=dir_fd)

    def create_file(self, name: str, *, dir_fd: int) -> int:
        """As ``FileSystem``."""
        path = self._record("create_file", name, dir_fd)
        return self._opened(super().create_file(name, dir_fd=dir_fd), path)

    def write(self, fd: int, parts: Sequence[Buffer]) -> int:
        """As ``FileSystem``."""
        self._record("write", "", fd)
        return super().write(fd, parts)

    def fsync(self, fd: int) -> None:
        """As ``FileSystem``."""
        self._record("fsync", "", fd)
        super().fsync(fd)

    def fsync_directory(self, fd: int) -> None:
        """As ``FileSystem``."""
        self._record("fsync_directory", "", fd)
        super().fsync_directory(fd)

    def close(self, fd: int) -> None:
        """As ``FileSystem``; it closes even where it fails, as the system's does."""
        try:
            self._record("close", "", fd)
        finally:
            with self._lock:
                self._paths.pop(fd, None)
            super().close(fd)

    def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("link", target, target_fd)
        super().link(source, target, source_fd=source_fd, target_fd=target_fd)

    def rename_exclusive(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("rename_exclusive", target, target_fd)
        super().rename_exclusive(source, target, source_fd=source_fd, target_fd=target_fd)

    def replace(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("replace", target, target_fd)
        super().replace(source, target, source_fd=source_fd, target_fd=target_fd)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """As ``FileSystem``."""
        self._record("unlink", name, dir_fd)
        super().unlink(name, dir_fd=dir_fd)

    def _opened(self, fd: int, path: str) -> int:
        with self._lock:
            self._paths[fd] = path
        return fd

    def _record(self, verb: str, name: str, fd: int | None = None) -> str:
        """Write a call down, or fail; the path it is about."""
        with self._lock:
            directory = self._paths.get(fd, "?") if fd is not None else ""
            path = os.path.normpath(os.path.join(directory, name))
            call = FileSystemCall(verb, path)
            self.calls.append(call)
            number = self._fails(len(self.calls) - 1, call)
        if number is not None:
            raise OSError(number, os.strerror(number), path)
        return path
