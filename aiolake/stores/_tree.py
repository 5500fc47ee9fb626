"""Directories under one root, opened part by part so that no symbolic link is ever followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from aiolake.errors import InvalidInputError
from aiolake.stores._posix import FileSystem

__all__ = ["TEMPORARIES", "Tree", "split_key"]

TEMPORARIES = ".tmp"
"""The directory of unfinished files, right under the root; not listed, not readable by key."""

_MAX_SYNCED = 4096


def split_key(key: str) -> tuple[list[str], str]:
    """The directories of a key, and its file's name."""
    *directories, name = key.split("/")
    return directories, name


class Tree:
    """Opens and makes directories; every method blocks and runs in a thread.

    Args:
        root: Absolute path; need not exist yet.
        filesystem: The system calls.
        durable: Sync the parent of each directory before anything in it counts.
    """

    def __init__(self, root: str, filesystem: FileSystem, *, durable: bool) -> None:
        self.root = root
        self._fs = filesystem
        self._durable = durable
        self._synced: set[tuple[str, int]] = set()

    @contextmanager
    def opened(self, parts: Sequence[str]) -> Iterator[int]:
        """An existing directory, as a descriptor closed at the end; ``FileNotFoundError``."""
        fd = self._descend(self._open_root(), parts, self._open)
        try:
            yield fd
        finally:
            self._close(fd)

    @contextmanager
    def made(self, parts: Sequence[str]) -> Iterator[int]:
        """As ``opened``, making what is missing, root included, and syncing the parents."""
        fd = self._descend(self._make_root(self.root), parts, self._make)
        try:
            yield fd
        finally:
            self._close(fd)

    def _descend(self, fd: int, parts: Sequence[str], step: Callable[[str, str, int], int]) -> int:
        path = ""
        for part in parts:
            path = f"{path}/{part}"
            try:
                child = step(path, part, fd)
            finally:
                self._close(fd)
            fd = child
        return fd

    def _open_root(self) -> int:
        try:
            return self._fs.open_root(self.root)
        except NotADirectoryError as error:
            raise self._not_a_directory() from error

    def _not_a_directory(self) -> InvalidInputError:
        return InvalidInputError(
            f"{self.root} is, or lies below, a file; a local dataset is a directory: choose "
            "another path",
            path=self.root,
        )

    def _make_root(self, path: str) -> int:
        try:
            return self._fs.open_root(path)
        except NotADirectoryError as error:
            raise self._not_a_directory() from error
        except FileNotFoundError:
            self._make_root_directory(path)
        return self._fs.open_root(path)

    def _make_root_directory(self, path: str) -> None:
        parent, name = os.path.split(path)
        fd = self._make_root(parent)
        try:
            with suppress(FileExistsError):
                self._fs.mkdir(name, dir_fd=fd)
            self._sync(fd)
        finally:
            self._close(fd)

    def _open(self, path: str, part: str, fd: int) -> int:
        try:
            return self._fs.open_directory(part, dir_fd=fd)
        except OSError as error:
            raise _named(error, path, part, fd) from error

    def _make(self, path: str, part: str, fd: int) -> int:
        try:
            child = self._open(path, part, fd)
        except FileNotFoundError:
            return self._make_directory(path, part, fd)
        try:
            self._sync_once(path, child, fd)
        except BaseException:
            self._close(child)
            raise
        return child

    def _make_directory(self, path: str, part: str, fd: int) -> int:
        with suppress(FileExistsError):
            self._fs.mkdir(part, dir_fd=fd)
        if part != TEMPORARIES:
            self._sync(fd)
        child = self._open(path, part, fd)
        self._remember(path, child)
        return child

    def _sync_once(self, path: str, child: int, fd: int) -> None:
        """Sync a directory another process made: it may have crashed before it could."""
        if path != f"/{TEMPORARIES}" and not self._is_remembered(path, child):
            self._sync(fd)
            self._remember(path, child)

    def _is_remembered(self, path: str, child: int) -> bool:
        return not self._durable or (path, os.fstat(child).st_ino) in self._synced

    def _remember(self, path: str, child: int) -> None:
        if len(self._synced) >= _MAX_SYNCED:
            self._synced.clear()
        self._synced.add((path, os.fstat(child).st_ino))

    def _close(self, fd: int) -> None:
        with suppress(OSError):
            self._fs.close(fd)

    def _sync(self, fd: int) -> None:
        if self._durable:
            self._fs.fsync_directory(fd)


def _named(error: OSError, path: str, part: str, fd: int) -> OSError:
    """The same refusal, telling a symbolic link (``ELOOP``) from a file (``ENOTDIR``)."""
    number = error.errno or errno.EIO
    if number in (errno.ENOTDIR, errno.ELOOP):
        with suppress(OSError):
            mode = os.stat(part, dir_fd=fd, follow_symlinks=False).st_mode
            number = errno.ELOOP if stat.S_ISLNK(mode) else errno.ENOTDIR
    return OSError(number, os.strerror(number), path.lstrip("/"))
