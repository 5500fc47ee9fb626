"""System calls of the local store: the writing ones behind one object that tests can replace,
and the two Linux has and Python has not."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable, Sequence

from aiolake.stores.base import Buffer

__all__ = [
    "FileSystem",
    "open_cached",
    "open_directory_cached",
    "open_root_cached",
    "rename_exclusive",
]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileSystem:
    """Every call with which a local store changes a disk, one method each.

    Names are single parts relative to an open directory, so that no symbolic link can lead a
    write elsewhere. Each raises ``OSError`` as the system does.
    """

    def open_root(self, path: str) -> int:
        """Open the root (or a directory above it) by its path."""
        return os.open(path, _DIRECTORY)

    def open_directory(self, name: str, *, dir_fd: int) -> int:
        """Open a directory inside another; never a symbolic link to one."""
        return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)

    def open_file(self, name: str, *, dir_fd: int) -> int:
        """Open a file to read; never a symbolic link, and never waiting for a pipe."""
        return os.open(name, _READ, dir_fd=dir_fd)

    def mkdir(self, name: str, *, dir_fd: int) -> None:
        """Make a directory."""
        os.mkdir(name, dir_fd=dir_fd)

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        """Remove an empty directory."""
        os.rmdir(name, dir_fd=dir_fd)

    def create_file(self, name: str, *, dir_fd: int) -> int:
        """Make a new file and open it to write."""
        return os.open(name, _CREATE, 0o666, dir_fd=dir_fd)

    def write(self, fd: int, parts: Sequence[Buffer]) -> int:
        """Write buffers one after the other; the number of bytes taken."""
        return os.writev(fd, parts)

    def fsync(self, fd: int) -> None:
        """Bring a file's bytes to the disk."""
        os.fsync(fd)

    def fsync_directory(self, fd: int) -> None:
        """Bring a directory's names to the disk."""
        try:
            os.fsync(fd)
        except OSError as error:
            # Some network and user-space file systems sync names by themselves and say so.
            if error.errno != errno.EINVAL:
                raise

    def close(self, fd: int) -> None:
        """Close a file or directory."""
        os.close(fd)

    def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give a file a second name; ``FileExistsError`` where that is taken."""
        os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)

    def rename_exclusive(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Rename a file; ``FileExistsError`` where the name is taken."""
        rename_exclusive(source, target, source_fd, target_fd)

    def replace(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Rename a file over another."""
        os.replace(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Remove a file's name."""
        os.unlink(name, dir_fd=dir_fd)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


_RENAME_NOREPLACE = 1


def rename_exclusive(source: str, target: str, source_fd: int, target_fd: int) -> None:
    """``renameat2(RENAME_NOREPLACE)``.

    Raises:
        OSError: As the system says; ``ENOSYS`` where the C library does not have it.
    """
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    names = os.fsencode(source), os.fsencode(target)
    if call(source_fd, names[0], target_fd, names[1], _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_OPENAT2 = 437  # the same on every architecture: it is younger than the common table
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20


@functools.cache
def _openat2() -> Callable[[int, str, _OpenHow], int]:
    call = _libc().syscall
    call.restype = ctypes.c_long
    number, size = ctypes.c_long(_OPENAT2), ctypes.c_size_t(24)

    def openat2(dir_fd: int, path: str, how: _OpenHow) -> int:
        fd = int(call(number, ctypes.c_int(dir_fd), path.encode(), ctypes.byref(how), size))
        if fd < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), path)
        return fd

    return openat2


_BELOW = _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH | _RESOLVE_CACHED
_FILE = _OpenHow(_READ, 0, _BELOW)
_BELOW_DIRECTORY = _OpenHow(_DIRECTORY, 0, _BELOW)
_ROOT = _OpenHow(_DIRECTORY, 0, _RESOLVE_CACHED)
_AT_CWD = -100


def open_cached(root_fd: int, key: str) -> int:
    """Open a file below a directory from the kernel's cache of names alone: it never waits.

    Raises:
        OSError: ``EAGAIN`` where the disk would have to be asked, ``ENOSYS``, ``EPERM`` or
            ``EINVAL`` where the system does not have the call, or as ``open`` does.

    Source: openat2(2), RESOLVE_CACHED, Linux 5.12.
    """
    return _openat2()(root_fd, key, _FILE)


def open_directory_cached(name: str, dir_fd: int) -> int:
    """As ``open_cached``, of a directory."""
    return _openat2()(dir_fd, name, _BELOW_DIRECTORY)


def open_root_cached(path: str) -> int:
    """As ``open_directory_cached``, by an absolute path on which links are followed."""
    return _openat2()(_AT_CWD, path, _ROOT)
