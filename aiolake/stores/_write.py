"""Writing files so that a reader, another writer and a power cut see all of one or nothing."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

from aiolake.errors import InvalidInputError, StoreError
from aiolake.keys import new_id
from aiolake.stores._posix import FileSystem
from aiolake.stores._tree import TEMPORARIES, Tree, split_key
from aiolake.stores.base import Buffer, CreateOutcome

__all__ = ["StoppedError", "Writer"]

T = TypeVar("T")

_MAX_BUFFERS = 1024  # IOV_MAX on Linux
_MAX_WRITE_BYTES = 8 << 20  # between two looks at whether the writer was cancelled
_DIRECTORY_RACES = 16
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_RENAME = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_UNCLEAR = frozenset({errno.EIO, errno.ETIMEDOUT, errno.ESTALE, errno.EINTR})


class StoppedError(Exception):
    """The coroutine that asked for a write was cancelled before the write took effect."""


class _Temporary(NamedTuple):
    name: str
    dir_fd: int


class Writer:
    """Creates, replaces and removes objects; every method blocks and runs in a thread."""

    def __init__(self, tree: Tree, filesystem: FileSystem, *, durable: bool) -> None:
        self._tree = tree
        self._fs = filesystem
        self._durable = durable

    def create(self, key: str, data: Sequence[Buffer], stop: threading.Event) -> CreateOutcome:
        """Write an object only if there is none.

        Raises:
            OSError: Nothing was written.
            StoppedError: ``stop`` was set before the object had its name.
        """
        return self._in_directory(key, lambda name, target: self._create(name, target, data, stop))

    def put(self, key: str, data: Sequence[Buffer], stop: threading.Event) -> None:
        """Write an object, replacing any."""
        self._in_directory(key, lambda name, target: self._put(name, target, data, stop))

    def delete(self, keys: Sequence[str], stop: threading.Event) -> None:
        """Remove objects, and the directories that are empty then."""
        for key in keys:
            if stop.is_set():
                raise StoppedError
            self._delete(key)

    def clean_temporaries(self, older_than_s: float) -> int:
        """Remove unfinished files not touched for a while; how many there were."""
        newest = time.time() - older_than_s
        try:
            with self._tree.opened((TEMPORARIES,)) as fd:
                return sum(self._clean(name, fd, newest) for name in os.listdir(fd))
        except FileNotFoundError:
            return 0

    def _in_directory(self, key: str, act: Callable[[str, int], T]) -> T:
        """Run an action in an object's directory, again if that was removed meanwhile."""
        directories, name = split_key(key)
        for _ in range(_DIRECTORY_RACES):
            with suppress(FileNotFoundError), self._tree.made(directories) as target:
                return act(name, target)
        raise StoreError(
            f"the directory of {key!r} in {self._tree.root} is removed again and again; see "
            "what else removes directories there",
            key=key,
        )

    def _create(
        self, name: str, target: int, data: Sequence[Buffer], stop: threading.Event
    ) -> CreateOutcome:
        if _is_taken(name, target):
            return self._settled(CreateOutcome.EXISTS, target)
        with self._temporary(data, stop) as temporary:
            return self._publish(temporary, name, target)

    def _put(self, name: str, target: int, data: Sequence[Buffer], stop: threading.Event) -> None:
        _is_taken(name, target)
        with self._temporary(data, stop) as temporary:
            self._fs.replace(temporary.name, name, source_fd=temporary.dir_fd, target_fd=target)
            self._sync(target)

    @contextmanager
    def _temporary(self, data: Sequence[Buffer], stop: threading.Event) -> Iterator[_Temporary]:
        """A file that holds the data and whose name is gone at the end, whatever happens."""
        with self._tree.made((TEMPORARIES,)) as dir_fd:
            name = new_id()
            fd = self._fs.create_file(name, dir_fd=dir_fd)
            try:
                try:
                    self._fill(fd, data, stop)
                finally:
                    self._fs.close(fd)
                yield _Temporary(name, dir_fd)
            finally:
                with suppress(OSError):
                    self._fs.unlink(name, dir_fd=dir_fd)

    def _fill(self, fd: int, data: Sequence[Buffer], stop: threading.Event) -> None:
        for batch in _batches(data):
            while batch:
                if stop.is_set():
                    raise StoppedError
                batch = _rest(batch, self._fs.write(fd, batch))
        if self._durable:
            self._fs.fsync(fd)
        if stop.is_set():
            raise StoppedError

    def _publish(self, temporary: _Temporary, name: str, target: int) -> CreateOutcome:
        try:
            won = self._give_name(temporary, name, target)
        except OSError as error:
            if error.errno in _UNCLEAR:
                return CreateOutcome.UNKNOWN
            raise
        return self._settled(CreateOutcome.CREATED if won else CreateOutcome.EXISTS, target)

    def _give_name(self, temporary: _Temporary, name: str, target: int) -> bool:
        try:
            self._fs.link(temporary.name, name, source_fd=temporary.dir_fd, target_fd=target)
        except FileExistsError:
            _is_taken(name, target)
            return _is_linked(temporary)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._rename(temporary, name, target)
        return True

    def _rename(self, temporary: _Temporary, name: str, target: int) -> bool:
        try:
            self._fs.rename_exclusive(
                temporary.name, name, source_fd=temporary.dir_fd, target_fd=target
            )
        except FileExistsError:
            _is_taken(name, target)
            return False
        except OSError as error:
            if error.errno not in _NO_RENAME:
                raise
            raise StoreError(
                f"the file system of {self._tree.root} has neither hard links nor "
                "renameat2(RENAME_NOREPLACE), so two writers could overwrite each other; put the "
                "dataset on another file system",
                path=self._tree.root,
            ) from error
        return True

    def _settled(self, outcome: CreateOutcome, target: int) -> CreateOutcome:
        """The outcome, once a power cut cannot undo it: until then nobody may build on it.

        That holds for EXISTS too: the other writer may not have synced its name yet.
        """
        try:
            self._sync(target)
        except OSError:
            return CreateOutcome.UNKNOWN
        return outcome

    def _sync(self, fd: int) -> None:
        if self._durable:
            self._fs.fsync_directory(fd)

    def _delete(self, key: str) -> None:
        directories, name = split_key(key)
        try:
            with self._tree.opened(directories) as fd:
                self._fs.unlink(name, dir_fd=fd)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        self._prune(directories)

    def _prune(self, directories: list[str]) -> None:
        """Remove directories from the innermost outwards while they are empty."""
        while directories:
            *directories, name = directories
            try:
                with self._tree.opened(directories) as fd:
                    self._fs.rmdir(name, dir_fd=fd)
            except OSError:
                return

    def _clean(self, name: str, fd: int, newest: float) -> int:
        try:
            if os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime > newest:
                return 0
            self._fs.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            return 0
        return 1


def _is_taken(name: str, dir_fd: int) -> bool:
    """Whether an object has the name; what is there and is no object is refused."""
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return True
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    raise InvalidInputError(
        f"a directory or another thing that is no file has the name {name!r}, where an object "
        "should be written; choose another key or remove it",
        name=name,
    )


def _is_linked(temporary: _Temporary) -> bool:
    """Whether the link was made although the answer says it exists.

    NFS repeats a request whose answer was lost, and the second answer is "exists".
    Source: open(2), O_EXCL on NFS.
    """
    name, dir_fd = temporary
    return os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_nlink > 1


def _batches(data: Sequence[Buffer]) -> Iterator[list[memoryview]]:
    """Buffers in groups that one ``writev`` takes and that are written in moderate time."""
    batch: list[memoryview] = []
    nbytes = 0
    for part in _moderate(data):
        batch.append(part)
        nbytes += len(part)
        if nbytes >= _MAX_WRITE_BYTES or len(batch) == _MAX_BUFFERS:
            yield batch
            batch, nbytes = [], 0
    yield batch


def _moderate(data: Sequence[Buffer]) -> Iterator[memoryview]:
    for part in data:
        view = memoryview(part)
        for start in range(0, len(view), _MAX_WRITE_BYTES):
            yield view[start : start + _MAX_WRITE_BYTES]


def _rest(batch: list[memoryview], written: int) -> list[memoryview]:
    """What is left of a batch after a write that may have been cut short."""
    for index, part in enumerate(batch):
        if written < len(part):
            return [part[written:], *batch[index + 1 :]]
        written -= len(part)
    return []
