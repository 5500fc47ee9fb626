"""What the system's error numbers mean to a user of a local store. Pure."""

from __future__ import annotations

import errno

from aiolake.errors import (
    AiolakeError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
    TransientStoreError,
)

__all__ = ["refusal"]

_MEANINGS: dict[int, tuple[type[AiolakeError], str]] = {
    errno.ENOENT: (NotFoundError, "there is no such object"),
    errno.ENOSPC: (StoreError, "the disk is full; free some space and try again"),
    errno.EDQUOT: (StoreError, "the disk is full (the quota is used up); free some space"),
    errno.EROFS: (ReadOnlyError, "the file system is mounted read-only"),
    errno.EACCES: (PermissionDeniedError, "access is denied; check owner and mode"),
    errno.EPERM: (PermissionDeniedError, "the operation is not permitted; check owner and mode"),
    errno.ENOTDIR: (InvalidInputError, "a file is where a directory is needed; choose another key"),
    errno.EISDIR: (NotFoundError, "it is a directory, not an object"),
    errno.ENXIO: (NotFoundError, "it is a socket or a pipe, not an object"),
    errno.ENAMETOOLONG: (InvalidInputError, "the path is too long for the file system"),
    errno.ELOOP: (
        PermissionDeniedError,
        "it is a symbolic link, and links are not followed inside a dataset; replace it with "
        "what it points to",
    ),
    errno.EMFILE: (TransientStoreError, "too many files are open; raise the limit (ulimit -n)"),
    errno.ENFILE: (TransientStoreError, "the system has too many files open"),
    errno.EXDEV: (StoreError, "a directory inside the dataset lies on another file system"),
}


def refusal(error: OSError, attempt: str, root: str) -> AiolakeError:
    """The error to raise instead of the system's.

    Args:
        error: What the system said.
        attempt: What was attempted, as in ``"create 'log/1'"``.
        root: The store's directory.
    """
    number = error.errno or 0
    kind, meaning = _MEANINGS.get(number, (StoreError, error.strerror or str(error)))
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    name = errno.errorcode.get(number, str(number))
    return kind(f"cannot {attempt} in {root}{where}: {meaning} [{name}]", path=root, errno=number)
