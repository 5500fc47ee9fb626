"""The verbs of a store: a flat namespace of objects.

Every backend implements :class:`Store` and passes ``aiolake.testing.StoreContract``. Keys are
relative to the store's root, use ``/`` and never begin or end with it. Backends translate their
provider's exceptions into ``aiolake.errors`` and make exactly one attempt per call: retries,
limits and budgets belong to ``ScheduledStore``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

__all__ = [
    "Answer",
    "Begun",
    "Buffer",
    "CostModel",
    "CreateOutcome",
    "ListPage",
    "Listing",
    "ObjectMeta",
    "Range",
    "Refused",
    "Store",
    "SupportsBegunReads",
    "SupportsImmediateReads",
    "SupportsMatchedReads",
    "SupportsReadsInto",
    "Told",
    "total_nbytes",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes-like values; a ``memoryview`` is C-contiguous, of format ``B``."""


class Listing(enum.Enum):
    """What a store promises of ``list``."""

    ORDERED = "ordered"
    """Keys come in ascending byte order, and an object is listed as soon as its put returned."""
    UNORDERED = "unordered"
    """Every key comes once, in any order, perhaps late."""
    NONE = "none"
    """``list`` is not available (raises ``PermissionDeniedError``)."""


class CreateOutcome(enum.Enum):
    """What became of one create-only put. A refusal is raised instead."""

    CREATED = "created"
    """The object was not there and now holds these bytes."""
    EXISTS = "exists"
    """An object was there; nothing was changed."""
    UNKNOWN = "unknown"
    """The answer was lost or unclear: it may have happened, or may still happen later."""


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What ``head`` and ``list`` say of an object; ``size`` in bytes.

    ``etag`` is of ``head`` alone: it differs when the bytes do; ``None`` where a store has none.
    """

    key: str
    size: int
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a listing; it may be empty although ``token`` says there is more."""

    objects: tuple[ObjectMeta, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class CostModel:
    """What a request costs, for the fetch planner.

    Attributes:
        gap_bytes: Neighbouring ranges at most this far apart are fetched as one.
        max_range_bytes: A fetch of coalesced ranges does not grow beyond this.
    """

    gap_bytes: int
    max_range_bytes: int = 32 << 20


@runtime_checkable
class Store(Protocol):
    """Objects under one root. Made synchronously and cheaply; closed by whoever made it."""

    @property
    def url(self) -> str:
        """The root's address, canonical, without secrets; for messages and cache keys."""
        ...

    @property
    def listing(self) -> Listing:
        """What ``list`` promises here."""
        ...

    @property
    def cost(self) -> CostModel:
        """What requests cost here."""
        ...

    async def get(self, key: str) -> Buffer:
        """All bytes of an object.

        Raises:
            NotFoundError: There is no such object.
        """
        ...

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)``; truncated at the object's end, empty at or past it.

        Raises:
            NotFoundError: There is no such object.
            InvalidInputError: ``start`` is negative or greater than ``stop``.
        """
        ...

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object.

        Raises:
            NotFoundError: There is no such object.
        """
        ...

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any; ``data`` are pieces of it in order.

        A reader sees the old bytes, the new bytes or no object, never a mixture.
        """
        ...

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none: of any number of callers one gets CREATED.

        One request, one attempt. Connection loss, timeouts, 5xx and throttling are ``UNKNOWN``.

        Raises:
            PermissionDeniedError, ReadOnlyError, StoreError: A definite refusal; nothing was
                written (no access, full disk, read-only).
        """
        ...

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``, a plain string prefix.

        Args:
            prefix: ``""`` lists everything. It need not end at a ``/``.
            limit: 1 to 1000.
            token: The ``token`` of the page before, to go on after it.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""
        ...

    async def aclose(self) -> None:
        """Release connections and handles; idempotent."""
        ...


@runtime_checkable
class SupportsImmediateReads(Protocol):
    """A store that can often answer without waiting: memory, and files in the page cache."""

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """As ``get_range``, or ``None`` where answering would block (or the object is missing)."""
        ...


Range: TypeAlias = tuple[str, int, int]
"""A key, and the bytes ``[start, stop)`` of its object."""


class Refused(enum.Enum):
    """What a server said in place of bytes, as far as that matters at once."""

    SLOW_DOWN = "slow down"
    """It asks for fewer requests."""


Answer: TypeAlias = Buffer | Refused | None
"""All bytes of a range; ``None``, or what matters of a refusal, where they did not come."""

Told: TypeAlias = Callable[[int, Answer], None]
"""Hears of each range by its place among those asked for. Where its bytes did not come,
``get_range`` asks again, and says why."""


class Begun(Protocol):
    """Requests that were sent together, each answered by itself."""

    @property
    def n(self) -> int:
        """How many were sent: the first of those asked for, at least one."""
        ...

    def give_up(self) -> None:
        """Give up those that were not answered; nobody is told of them."""
        ...


@runtime_checkable
class SupportsBegunReads(Protocol):
    """A store that can send requests for ranges at once, and tell by calls what came.

    For many short ranges at a time: each costs half of what it costs by ``get_range`` in a task.
    """

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        """Ask for as many of the first ranges as can be asked for without waiting.

        Args:
            ranges: None of them empty.
            done: Called once for each that was sent, not within this call.

        Returns:
            What was sent; ``None`` where nothing was.

        Raises:
            InvalidInputError: A key cannot be an object's, or a range is empty; nothing was sent.
        """
        ...


@runtime_checkable
class SupportsMatchedReads(Protocol):
    """A store that reads an object only while it has an etag, in one request."""

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """As ``get_range`` (``stop=None``: to the end), or ``None`` where the etag is another."""
        ...


@runtime_checkable
class SupportsReadsInto(SupportsImmediateReads, Protocol):
    """A store that can fill the caller's own memory without waiting, which spares copies."""

    def read_now(self, key: str, start: int, into: memoryview) -> bool:
        """Fill ``into`` from byte ``start`` on; False where that would block, or cannot be done.

        Then what ``into`` holds means nothing.
        """
        ...


def total_nbytes(data: Sequence[Buffer]) -> int:
    """The length of an object handed over in pieces."""
    return sum(len(part) for part in data)
