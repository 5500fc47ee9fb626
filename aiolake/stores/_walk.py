"""Ordered listing of a directory tree that reads no directory it does not need."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import suppress
from itertools import islice

import msgspec

from aiolake.stores._tree import TEMPORARIES, Tree
from aiolake.stores.base import ListPage, ObjectMeta

__all__ = ["Wanted", "list_page"]

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


def list_page(tree: Tree, wanted: Wanted, limit: int) -> ListPage:
    """One page in byte order of the whole keys; blocks, runs in a thread."""
    start = wanted.start()
    if start is None:
        return ListPage((), None)
    try:
        with tree.opened(start) as fd:
            found = _collect(fd, "".join(f"{part}/" for part in start), wanted, limit)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return ListPage((), None)
        raise
    objects = tuple(found[:limit])
    return ListPage(objects, objects[-1].key if len(found) > limit else None)


def _collect(fd: int, directory: str, wanted: Wanted, limit: int) -> list[ObjectMeta]:
    """One more than the limit: it tells whether there is another page."""
    walk = _walk(fd, directory, wanted)
    try:
        return list(islice(walk, limit + 1))
    finally:
        walk.close()


def _walk(fd: int, directory: str, wanted: Wanted) -> Generator[ObjectMeta, None, None]:
    for key in _sorted_keys(fd, directory):
        if key.endswith("/"):
            if wanted.may_be_below(key):
                yield from _walk_below(fd, key, wanted)
        elif wanted.has(key):
            with suppress(FileNotFoundError):
                yield _meta(fd, key)


def _walk_below(fd: int, key: str, wanted: Wanted) -> Generator[ObjectMeta, None, None]:
    name = key[:-1].rpartition("/")[2]
    try:
        child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        yield from _walk(child, key, wanted)
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


def _meta(fd: int, key: str) -> ObjectMeta:
    name = key.rpartition("/")[2]
    return ObjectMeta(key, os.stat(name, dir_fd=fd, follow_symlinks=False).st_size)
