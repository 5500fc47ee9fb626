"""Ordered listing of a directory tree that reads no directory it does not need."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import suppress
from itertools import islice

import msgspec

from aiolake.stores._posix import open_cached, open_directory_cached, open_root_cached
from aiolake.stores._tree import TEMPORARIES, Tree
from aiolake.stores.base import ListPage, ObjectMeta

__all__ = ["Wanted", "list_page", "list_page_now"]

_SHORT_DIRECTORY_BYTES = 64 << 10
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class Wanted(msgspec.Struct, frozen=True):
    """The keys a page asks for: those that begin with ``prefix`` and come after ``after``."""

    prefix: str
    after: str

    def has(self, key: str) -> bool:
        """Whether a key is one of them."""
        return key > self.after and key.startswith(self.prefix)

    def may_be_below(self, directory: str) -> bool:
        """Whether one of them can lie below a directory (given with its ``/``)."""
        if not directory.startswith(self.prefix) and not self.prefix.startswith(directory):
            return False
        return directory > self.after or self.after.startswith(directory)

    def start(self) -> list[str] | None:
        """The directory below which all of them lie, in parts; ``None`` where no key can match."""
        parts = self.prefix.split("/")[:-1]
        impossible = any(part in ("", ".", "..") for part in parts) or "\x00" in self.prefix
        return None if impossible or parts[:1] == [TEMPORARIES] else parts


class _OnDisk:
    """What a walk asks of names; blocks."""

    def open_below(self, name: str, fd: int) -> int:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)

    def size(self, name: str, fd: int) -> int:
        return os.stat(name, dir_fd=fd, follow_symlinks=False).st_size


class _InMemory(_OnDisk):
    """As ``_OnDisk``, of names the kernel has in memory; ``BlockingIOError`` for others."""

    def open_below(self, name: str, fd: int) -> int:
        return _short(open_directory_cached(name, fd))

    def size(self, name: str, fd: int) -> int:
        file = open_cached(fd, name)
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)


def _short(fd: int) -> int:
    """A directory that is read in no time, if its pages are in memory as its name is."""
    if os.fstat(fd).st_size > _SHORT_DIRECTORY_BYTES:
        os.close(fd)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fd


def list_page(tree: Tree, wanted: Wanted, limit: int) -> ListPage:
    """One page in byte order of the whole keys; blocks, runs in a thread."""
    start = wanted.start()
    if start is None:
        return ListPage((), None)
    try:
        with tree.opened(start) as fd:
            return _page(fd, start, wanted, limit, _OnDisk())
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return ListPage((), None)
        raise


def list_page_now(root: str, wanted: Wanted, limit: int) -> ListPage | None:
    """As ``list_page``, or ``None`` where the disk might have to be asked, or is to explain."""
    start, names = wanted.start(), _InMemory()
    if not start:
        return None
    try:
        above = open_root_cached(root)
        try:
            fd = names.open_below("/".join(start), above)
        finally:
            os.close(above)
        try:
            return _page(fd, start, wanted, limit, names)
        finally:
            os.close(fd)
    except OSError:
        return None


def _page(fd: int, start: list[str], wanted: Wanted, limit: int, names: _OnDisk) -> ListPage:
    """One more than the limit is looked for: it tells whether there is another page."""
    walk = _walk(fd, "".join(f"{part}/" for part in start), wanted, names)
    try:
        found = list(islice(walk, limit + 1))
    finally:
        walk.close()
    objects = tuple(found[:limit])
    return ListPage(objects, objects[-1].key if len(found) > limit else None)


def _walk(
    fd: int, directory: str, wanted: Wanted, names: _OnDisk
) -> Generator[ObjectMeta, None, None]:
    for key in _sorted_keys(fd, directory):
        if key.endswith("/"):
            if wanted.may_be_below(key):
                yield from _walk_below(fd, key, wanted, names)
        elif wanted.has(key):
            with suppress(FileNotFoundError):
                yield ObjectMeta(key, names.size(key.rpartition("/")[2], fd))


def _walk_below(
    fd: int, key: str, wanted: Wanted, names: _OnDisk
) -> Generator[ObjectMeta, None, None]:
    name = key[:-1].rpartition("/")[2]
    try:
        child = names.open_below(name, fd)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        yield from _walk(child, key, wanted, names)
    finally:
        os.close(child)


def _sorted_keys(fd: int, directory: str) -> list[str]:
    """Keys of the files and directories in one; a directory ends in ``/`` and sorts as such."""
    with os.scandir(fd) as entries:
        keys = [f"{directory}{entry.name}{_suffix(entry)}" for entry in entries if _is_ours(entry)]
    if not directory:
        keys = [key for key in keys if key != f"{TEMPORARIES}/"]
    return sorted(keys)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Files and directories with a name that is text; never links, pipes, sockets."""
    if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
        return False
    return not any("\ud800" <= char <= "\udfff" for char in entry.name)


def _suffix(entry: os.DirEntry[str]) -> str:
    return "/" if entry.is_dir(follow_symlinks=False) else ""
