"""What every source is: items in an order that is the same each time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from aiolake.errors import AiolakeError, InvalidInputError
from aiolake.types import ColumnType, Image

__all__ = [
    "BadItem",
    "Item",
    "Reader",
    "Source",
    "TooLarge",
    "check_columns_fit",
    "check_picture",
    "media_columns",
    "read_file",
    "shown_path",
]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


class Item(msgspec.Struct, frozen=True):
    """One source of a row.

    Attributes:
        number: Its place in the order, from 0.
        name: For people: the file, or the line.
        mark: What the digest of the source list is made of.
        value: What the reader needs.
        error: Why it is bad, where that is known already.
    """

    number: int
    name: str
    mark: bytes
    value: Any
    error: str | None = None


class BadItem(Exception):
    """An item gives no row, for a reason."""


class TooLarge(Exception):
    """A file does not fit into the room there is now; it may when it is read alone."""


class Reader(Protocol):
    """Turns items into rows, in threads or other processes; picklable."""

    def read(self, item: Item, room: int) -> tuple[dict[str, Any], int]:
        """The row of an item, and the bytes it holds.

        Raises:
            BadItem: It gives no row.
            TooLarge: It has more than ``room`` bytes.
        """
        ...


class Source(Protocol):
    """Where rows come from. Its methods block, and are called in a thread."""

    @property
    def what(self) -> str:
        """For people."""
        ...

    @property
    def identity(self) -> str | None:
        """What its progress is kept under; ``None`` for a source without one."""
        ...

    @property
    def total(self) -> int | None:
        """How many items, where that is known."""
        ...

    @property
    def n_foreign(self) -> int:
        """Files left out by their names."""
        ...

    def scan(self) -> None:
        """Find out what is there, once, before all else."""
        ...

    def schema(self, given: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
        """The columns of a new dataset; ``given`` ones are taken as they are."""
        ...

    def reader(
        self, columns: Mapping[str, ColumnType], *, max_file_bytes: int, decode: bool
    ) -> Reader:
        """A reader for the columns of a dataset.

        Raises:
            InvalidInputError: They do not fit the source.
        """
        ...

    def items(self) -> Iterator[Item]:
        """Every item in order."""
        ...


def shown_path(path: str) -> str:
    """A path as text that can be stored and printed: bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_file(path: str, room: int, max_bytes: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        BadItem: There is none, it may not be read, it is empty, or it is too long.
        TooLarge: It has more than ``room`` bytes.
    """
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise BadItem(_reason(error, path)) from error
    try:
        return _read_open(descriptor, room, max_bytes)
    except OSError as error:
        raise BadItem(_reason(error, path)) from error
    finally:
        os.close(descriptor)


def _read_open(descriptor: int, room: int, max_bytes: int) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise BadItem("it is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise BadItem("it is no regular file")
    if status.st_size > max_bytes:
        raise BadItem(f"it has {status.st_size:,} bytes, more than max_file_bytes={max_bytes:,}")
    if status.st_size > room:
        raise TooLarge
    parts = []
    left = status.st_size
    while left > 0:
        part = os.read(descriptor, left)
        if not part:
            raise BadItem("it became shorter while it was read")
        parts.append(part)
        left -= len(part)
    if not parts:
        raise BadItem("the file is empty")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _reason(error: Exception, path: str) -> str:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT and os.path.islink(path):
        return "it is a symbolic link to nothing"
    known = {
        errno.ENOENT: "there is no such file",
        errno.EACCES: "no permission to read it",
        errno.EPERM: "no permission to read it",
        errno.ELOOP: "its symbolic links form a loop",
        errno.ENXIO: "it is no regular file",
        errno.ENOTDIR: "a part of its path is no folder",
    }
    return known.get(code or 0, f"it cannot be read: {error}")


def media_columns(columns: Mapping[str, ColumnType]) -> list[str]:
    """The columns whose samples are the bytes of a file."""
    wanted = ("Image", "Bytes", "Video", "Audio")
    return [name for name, type in columns.items() if type.__class__.__name__ in wanted]


def check_picture(type: ColumnType, data: bytes, *, decode: bool) -> None:
    """Refuse a picture that is cut off, or, when decoded, damaged.

    What the column's codec refuses is refused when the row is packed; this sees more.

    Raises:
        BadItem: It is.
    """
    if not isinstance(type, Image):
        return
    if data.startswith(PNG_MAGIC) and data.rfind(b"IEND") < 0:
        raise BadItem("the PNG is cut off: its end is missing")
    if decode:
        _decode(type, data)


def _decode(type: Image, data: bytes) -> None:
    from aiolake.codecs import FixedCodec, codec_of

    codec = codec_of(type)
    assert not isinstance(codec, FixedCodec)
    try:
        encoded = codec.encode(data)
        codec.decode(encoded.payload, encoded.shape)
    except AiolakeError as error:
        raise BadItem(error.message) from error


def check_columns_fit(columns: Mapping[str, ColumnType], found: list[str], what: str) -> None:
    """Refuse a source whose columns are not those of the dataset.

    Raises:
        InvalidInputError: Names the first that is missing or not known.
    """
    missing = [name for name in columns if name not in found]
    if missing:
        raise InvalidInputError(
            f"{what} has no column {missing[0]!r}, which the dataset has; it has: "
            f"{', '.join(found)}",
            column=missing[0],
        )
    unknown = [name for name in found if name not in columns]
    if unknown:
        raise InvalidInputError(
            f"the dataset has no column {unknown[0]!r}, which {what} has; add it first with "
            "tx.add_column, or leave it out of the source",
            column=unknown[0],
        )
