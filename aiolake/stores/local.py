"""Objects as files below a directory."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from aiolake.errors import ClosedError, InvalidInputError, NotFoundError
from aiolake.stores._files import NOWAIT, OpenFile, OpenFiles, RootHandle, read_blocking
from aiolake.stores._posix import FileSystem
from aiolake.stores._refusals import refusal
from aiolake.stores._threads import FileThreads
from aiolake.stores._tree import TEMPORARIES, Tree, split_key
from aiolake.stores._walk import Wanted, list_page, list_page_now
from aiolake.stores._write import Writer
from aiolake.stores.base import Buffer, CostModel, CreateOutcome, Listing, ListPage, ObjectMeta
from aiolake.stores.checks import check_key, check_limit, check_range

__all__ = ["IMMEDIATE_BYTES", "LocalStore"]

T = TypeVar("T")

IMMEDIATE_BYTES = 1 << 20
"""A longer read takes so long, even from the page cache, that it belongs into a thread."""

_MAX_OPEN_FILES = 128
_NO_NOWAIT = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_COST = CostModel(gap_bytes=4096)

_SCRATCH_BYTES = 64 << 10
_IMMEDIATE_NAMES = 16

_preadv = os.preadv


class _Scratch(threading.local):
    """Where short reads land before they become ``bytes``, which then need no other copy.

    A fresh buffer would cost page faults, and its checksum and its user a conversion each. The
    system call runs without the interpreter's lock, hence one for each thread.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_SCRATCH_BYTES))


_scratch = _Scratch()


class LocalStore:
    """A store in a local directory, which is made when the first object is written.

    An object appears under its name at once and whole: it is written beside (in ``.tmp``), synced,
    and linked. Symbolic links below the root are neither followed nor listed.

    Args:
        root: The directory.
        durability: ``"full"`` answers only when a power cut cannot undo it (deleting excepted);
            ``"os"`` leaves syncing to the operating system.
        filesystem: The writing system calls, for tests.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        durability: Literal["full", "os"] = "full",
        filesystem: FileSystem | None = None,
    ) -> None:
        self._root = os.path.abspath(root)
        durable = durability == "full"
        self._fs = filesystem if filesystem is not None else FileSystem()
        self._tree = Tree(self._root, self._fs, durable=durable)
        self._writer = Writer(self._tree, self._fs, durable=durable)
        self._threads = FileThreads()
        self._files = OpenFiles(_MAX_OPEN_FILES)
        self._find = self._files.get
        self._handle = RootHandle(self._root)
        self._nowait = NOWAIT
        self._closed = False

    @property
    def url(self) -> str:
        """The root's address."""
        return f"file://{self._root}"

    @property
    def listing(self) -> Listing:
        """Ordered and consistent."""
        return Listing.ORDERED

    @property
    def cost(self) -> CostModel:
        """A request costs little more than its bytes."""
        return _COST

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        self._check(key)
        data = self._whole_now(key)
        if data is not None:
            return data
        return await self._read(f"read {key!r}", partial(self._read_whole, key))

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)``, without a thread where they are in the page cache."""
        self._check(key)
        check_range(key, start, stop)
        data = self.get_range_now(key, start, stop)
        if data is not None:
            return data
        return await self._read(f"read {key!r}", partial(self._read_range, key, start, stop))

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """The bytes ``[start, stop)``, or ``None`` where that would wait for the disk."""
        if not self._nowait:
            return None
        file = self._find(key)
        if file is None:
            file = self._open_now(key)
            if file is None:
                return None
        else:
            file.used = True
        nbytes = stop - start
        if nbytes < 0 or start < 0:
            check_range(key, start, stop)
        if stop > file.size:
            nbytes = max(0, file.size - start)
        if nbytes > IMMEDIATE_BYTES:
            return None
        short = nbytes <= _SCRATCH_BYTES
        # Not a bytearray, which would be zeroed first.
        buffer = _scratch.view[:nbytes] if short else np.empty(nbytes, np.uint8).data
        try:
            got = _preadv(file.fd, (buffer,), start, self._nowait)
        except OSError as error:
            self._learn(error)
            return None
        if got != nbytes:
            return None
        return bytes(buffer) if short else buffer

    def read_now(self, key: str, start: int, into: memoryview) -> bool:
        """Fill ``into`` from byte ``start`` on, where that need not wait for the disk."""
        if not self._nowait or start < 0 or len(into) > IMMEDIATE_BYTES:
            return False
        file = self._find(key)
        if file is None:
            file = self._open_now(key)
            if file is None:
                return False
        else:
            file.used = True
        try:
            return _preadv(file.fd, (into,), start, self._nowait) == len(into)
        except OSError as error:
            self._learn(error)
            return False

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object; its etag is when it was modified and its size, ``<ns>-<bytes>``."""
        self._check(key)
        return await self._read(f"look at {key!r}", partial(self._look, key))

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any."""
        self._check(key)
        try:
            await self._write(f"write {key!r}", lambda stop: self._writer.put(key, data, stop))
        finally:
            self._files.discard(key)

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none.

        Cancellation: waits for the current system call; then either nothing is there or the whole
        object.
        """
        self._check(key)
        return await self._write(
            f"create {key!r}", lambda stop: self._writer.create(key, data, stop)
        )

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``, in byte order.

        Cost: reads the directories the page lies in and those around them, not those it skips.
        """
        self._check_open()
        check_limit(limit)
        wanted = Wanted(prefix, token or "")
        if limit <= _IMMEDIATE_NAMES and self._may_answer():
            page = list_page_now(self._root, wanted, limit)
            if page is not None:
                return page
        return await self._read(f"list {prefix!r}", partial(list_page, self._tree, wanted, limit))

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, and directories left empty; what is not there is no error."""
        for key in keys:
            self._check(key)
        try:
            await self._write("delete objects", lambda stop: self._writer.delete(keys, stop))
        finally:
            for key in keys:
                self._files.discard(key)

    async def clean_temporaries(self, older_than: timedelta) -> int:
        """Remove files that writers killed in the act left behind; how many there were.

        Args:
            older_than: Younger ones are left alone: their writers may be at work.
        """
        self._check_open()
        seconds = older_than.total_seconds()
        return await self._write("clean up", lambda stop: self._writer.clean_temporaries(seconds))

    async def aclose(self) -> None:
        """Close files; idempotent."""
        self._closed = True
        self._files.clear()
        self._handle.close()

    async def _read(self, attempt: str, call: Callable[[], T]) -> T:
        try:
            return await self._threads.read(call)
        except OSError as error:
            raise refusal(error, attempt, self._root) from error

    async def _write(self, attempt: str, call: Callable[[threading.Event], T]) -> T:
        try:
            return await self._threads.write(call)
        except OSError as error:
            raise refusal(error, attempt, self._root) from error

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """The bytes ``[start, stop)`` of a file; ``None`` where its etag is another now."""
        self._check(key)
        return await self._read(
            f"read {key!r}", partial(self._read_matching, key, start, stop, etag)
        )

    def _read_matching(self, key: str, start: int, stop: int | None, etag: str) -> Buffer | None:
        file = self._open(key)
        if _etag(file) != etag:
            return None
        return read_blocking(file, start, file.size if stop is None else stop)

    def _look(self, key: str) -> ObjectMeta:
        file = self._open(key)
        return ObjectMeta(key, file.size, _etag(file))

    def _read_whole(self, key: str) -> Buffer:
        file = self._open(key)
        return read_blocking(file, 0, file.size)

    def _may_answer(self) -> bool:
        """Whether the system has the calls that do not wait, as far as is known."""
        return bool(self._nowait) and self._handle.available

    def _whole_now(self, key: str) -> bytes | None:
        """A short object from memory.

        Not from a file or a root kept open: a hint may be replaced, a root moved away.
        """
        file = RootHandle(self._root).open_now(key) if self._may_answer() else None
        if file is None or file.size > _SCRATCH_BYTES:
            return None
        view = _scratch.view[: file.size]
        try:
            filled = _preadv(file.fd, (view,), 0, self._nowait) == file.size
        except OSError as error:
            self._learn(error)
            return None
        return bytes(view) if filled else None

    def _read_range(self, key: str, start: int, stop: int) -> Buffer:
        file = self._find(key)
        if file is None:
            epoch = self._files.epoch
            file = self._open(key)
            self._files.add(key, file, epoch)
            # The handle did not find it: perhaps the root was removed and made again since.
            self._handle.close()
        return read_blocking(file, start, stop)

    def _open(self, key: str) -> OpenFile:
        directories, name = split_key(key)
        try:
            with self._tree.opened(directories) as fd:
                return OpenFile(self._fs.open_file(name, dir_fd=fd), key)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(
                f"there is no object {key!r} in {self.url}", key=key, path=self._root
            ) from error

    def _open_now(self, key: str) -> OpenFile | None:
        self._check(key)
        epoch = self._files.epoch
        file = self._handle.open_now(key)
        if file is not None:
            self._files.add(key, file, epoch)
        return file

    def _learn(self, error: OSError) -> None:
        """A file system without reads that do not wait is not asked again."""
        if error.errno in _NO_NOWAIT:
            self._nowait = 0

    def _check(self, key: str) -> None:
        self._check_open()
        check_key(key)
        if key.startswith(f"{TEMPORARIES}/") or key == TEMPORARIES:
            raise InvalidInputError(f"{key!r} is reserved for unfinished files", key=key)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the store {self.url} was closed; open it again", url=self.url)


def _etag(file: OpenFile) -> str:
    status = os.fstat(file.fd)
    return f"{status.st_mtime_ns}-{status.st_size}"
