"""Requests that the log's protocols yield, and the answers they are sent.

A protocol is a synchronous generator ``Steps[T]``: it yields a request, is sent the answer (or
thrown the error), and returns a ``T``. It does no I/O, reads no clock and draws no random number,
so the same code runs over a store and under a schedule simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

import msgspec

from aiolake.errors import AiolakeError, CorruptDataError
from aiolake.format.entry import Entry
from aiolake.stores.base import Buffer, CreateOutcome, Listing, ListPage

__all__ = [
    "Compute",
    "CreateEntry",
    "DeleteObjects",
    "ListObjects",
    "Listing",
    "Now",
    "Pause",
    "PutObjects",
    "ReadEntries",
    "ReadHint",
    "ReadObjects",
    "ReadRanges",
    "Refused",
    "Request",
    "Steps",
    "TakeSlot",
    "compute",
    "create_entry",
    "list_objects",
    "now",
    "pause",
    "read_decoded",
    "read_entries",
    "read_entry",
    "read_objects",
    "read_ranges",
]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ReadEntries(msgspec.Struct, frozen=True):
    """Read log entries, all at once. Answer: ``tuple[Entry | None, ...]``."""

    numbers: tuple[int, ...]


class ListObjects(msgspec.Struct, frozen=True):
    """One page of a listing. Answer: ``ListPage``, or ``None`` where listing is not to be had."""

    prefix: str
    limit: int
    token: str | None = None


class ReadHint(msgspec.Struct, frozen=True):
    """The number in ``log/hint``. Answer: ``int``, 0 without one."""


class CreateEntry(msgspec.Struct, frozen=True):
    """Create-only put of entry ``n``. Answer: ``CreateOutcome`` or ``Refused``."""

    n: int
    data: bytes


class Refused(msgspec.Struct, frozen=True):
    """A definite refusal: nothing was written by this attempt."""

    error: AiolakeError


class TakeSlot(msgspec.Struct, frozen=True):
    """Run ``commit.take_slot`` shielded from cancellation.

    Answer: the entry that holds the slot now, ours or another's.
    """

    entry: Entry


class ReadObjects(msgspec.Struct, frozen=True):
    """Read whole objects, all at once; ``fresh`` past what is remembered of them.

    Answer: ``tuple[Buffer, ...]``.
    """

    keys: tuple[str, ...]
    fresh: bool = False


class ReadRanges(msgspec.Struct, frozen=True):
    """Read byte ranges (key, start, stop), all at once. Answer: ``tuple[Buffer, ...]``."""

    ranges: tuple[tuple[str, int, int], ...]


class Compute(msgspec.Struct, frozen=True, eq=False):
    """Call a pure function that takes long, off the event loop. Answer: its result."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]


class PutObjects(msgspec.Struct, frozen=True):
    """Write objects, all at once. Answer: ``None``."""

    objects: tuple[tuple[str, bytes], ...]


class DeleteObjects(msgspec.Struct, frozen=True):
    """Remove objects. Answer: ``None``."""

    keys: tuple[str, ...]


class Now(msgspec.Struct, frozen=True):
    """The time. Answer: ``datetime`` in UTC."""


class Pause(msgspec.Struct, frozen=True):
    """Wait before another attempt. Answer: ``False`` when the deadline has passed."""

    attempt: int


Request: TypeAlias = (
    ReadEntries
    | ListObjects
    | ReadHint
    | CreateEntry
    | TakeSlot
    | ReadObjects
    | ReadRanges
    | Compute
    | PutObjects
    | DeleteObjects
    | Now
    | Pause
)
Steps: TypeAlias = Generator[Request, Any, T]


def read_entries(numbers: tuple[int, ...]) -> Steps[tuple[Entry | None, ...]]:
    """Entries by number, ``None`` for those that are not there."""
    if not numbers:
        return ()
    answer: tuple[Entry | None, ...] = yield ReadEntries(numbers)
    return answer


def read_entry(n: int) -> Steps[Entry | None]:
    """One entry by number."""
    (entry,) = yield from read_entries((n,))
    return entry


def read_objects(keys: tuple[str, ...]) -> Steps[tuple[Buffer, ...]]:
    """Whole objects by key."""
    if not keys:
        return ()
    answer: tuple[Buffer, ...] = yield ReadObjects(keys)
    return answer


def read_decoded(keys: tuple[str, ...], decode: Callable[[int, Buffer], T]) -> Steps[list[T]]:
    """Whole objects, each decoded by ``decode(index, bytes)``.

    What is corrupt is read once more: it may have been damaged on the way only.
    """
    found: list[T] = []
    for i, data in enumerate((yield from read_objects(keys))):
        try:
            found.append(decode(i, data))
        except CorruptDataError:
            (again,) = yield ReadObjects((keys[i],), fresh=True)
            found.append(decode(i, again))
    return found


def read_ranges(
    ranges: tuple[tuple[str, int, int], ...], decode: Callable[[int, Buffer], T]
) -> Steps[list[T]]:
    """Byte ranges, each decoded by ``decode(index, bytes)``; as ``read_decoded`` of objects."""
    if not ranges:
        return []
    found: list[T] = []
    for i, data in enumerate((yield ReadRanges(ranges))):
        try:
            found.append(decode(i, data))
        except CorruptDataError:
            (again,) = yield ReadRanges((ranges[i],))
            found.append(decode(i, again))
    return found


def compute(fn: Callable[[*Ts], T], *args: *Ts) -> Steps[T]:
    """The result of a pure function that takes long."""
    answer: T = yield Compute(fn, args)
    return answer


def list_objects(prefix: str, limit: int, token: str | None = None) -> Steps[ListPage | None]:
    """One page of a listing."""
    answer: ListPage | None = yield ListObjects(prefix, limit, token)
    return answer


def create_entry(n: int, data: bytes) -> Steps[CreateOutcome | Refused]:
    """One attempt to create an entry."""
    answer: CreateOutcome | Refused = yield CreateEntry(n, data)
    return answer


def now() -> Steps[datetime]:
    """The time, UTC."""
    answer: datetime = yield Now()
    return answer


def pause(attempt: int) -> Steps[bool]:
    """Wait; ``False`` when the deadline has passed."""
    answer: bool = yield Pause(attempt)
    return answer
