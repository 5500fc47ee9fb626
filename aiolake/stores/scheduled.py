"""A store whose requests pass the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from aiolake.errors import InvalidInputError, StoreError, ThrottledError, TransientStoreError
from aiolake.stores.admission import Ticket
from aiolake.stores.base import (
    Answer,
    Begun,
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Range,
    Refused,
    Store,
    SupportsMatchedReads,
    Told,
    total_nbytes,
)
from aiolake.stores.checks import NameLimit, check_range
from aiolake.stores.resumed import ResumedRead
from aiolake.stores.scheduler import Hold, Scheduler

__all__ = ["SHORT_NBYTES", "ScheduledStore"]

T = TypeVar("T")

SHORT_NBYTES = 1 << 20
"""What is longer, and cut short on its way, is worth going on with; see ``ResumedRead``."""

_WHOLE_NBYTES = 1 << 20
"""What a ``get`` is taken to bring: its size is not known before, and what is read whole (log
entries, lists, hints) is smaller."""

_DELETE_BATCH = 1000
_IN_WORDS = {"get": "read", "get_range": "read", "head": "read", "put": "write"}


class ScheduledStore:
    """Passes requests on to a store under a scheduler's limits, with retries and deadlines.

    ``create`` is sent once: an answer that did not come, or came as a failure that another attempt
    might mend, is UNKNOWN.

    Args:
        store: The store that answers; closed with this one.
        scheduler: Shared by all stores of a session.
    """

    def __init__(self, store: Store, scheduler: Scheduler) -> None:
        self._store = store
        self._scheduler = scheduler
        self._counters = scheduler.counters
        # Not isinstance() of a runtime protocol, which takes longer than all else of an opening.
        self._now: Callable[[str, int, int], Buffer | None] | None
        self._now = getattr(store, "get_range_now", None)
        self._read_now: Callable[[str, int, memoryview], bool] | None
        self._read_now = getattr(store, "read_now", None)
        self._begin: Callable[[Sequence[Range], Told], Begun | None] | None
        self._begin = getattr(store, "begin_ranges", None)
        self._covered = False

    def covered_by(self, hold: Hold) -> ScheduledStore:
        """The same store, for requests whose bytes a hold of the same scheduler accounts for."""
        if hold.scheduler is not self._scheduler:
            raise InvalidInputError("a hold covers requests of its own scheduler only")
        store = ScheduledStore(self._store, self._scheduler)
        store._covered = True
        return store

    @property
    def inner(self) -> Store:
        """The store that answers."""
        return self._store

    @property
    def scheduler(self) -> Scheduler:
        """What its requests pass."""
        return self._scheduler

    @property
    def answers_now(self) -> bool:
        """Whether the inner store often answers without waiting; its bytes need no cache."""
        return self._now is not None

    @property
    def url(self) -> str:
        """The inner store's."""
        return self._store.url

    @property
    def server(self) -> str:
        """Who answers, of stores whose address alone does not say it."""
        return getattr(self._store, "server", "")

    @property
    def listing(self) -> Listing:
        """The inner store's."""
        return self._store.listing

    @property
    def cost(self) -> CostModel:
        """The inner store's."""
        return self._store.cost

    def check_key(self, key: str) -> None:
        """Refuse a key that is too long for the inner store, before anything is written.

        Raises:
            InvalidInputError: Says by how much, and what to shorten.
        """
        names: NameLimit | None = getattr(self._store, "names", None)
        if names is not None:
            names.check(key)

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        data = await self._run("get", _WHOLE_NBYTES, lambda: self._store.get(key))
        self._counters.bytes_read += len(data)
        return data

    async def get_range(self, key: str, start: int, stop: int, *, begin: bool = True) -> Buffer:
        """The bytes ``[start, stop)`` of an object; ``begin=False`` if that was done in vain."""
        check_range(key, start, stop)
        ticket: Ticket | None = None
        found: Answer = None
        nbytes, is_calm = stop - start, self._scheduler.is_calm
        if begin and is_calm and self._begin is not None and 0 < nbytes <= SHORT_NBYTES:
            ask = partial(self._begin, ((key, start, stop),))
            ticket, found = await self._scheduler.try_begun(
                "get_range", nbytes, ask, covered=self._covered
            )
            if found is not None and not isinstance(found, Refused):
                return found
        if self._now is None:
            send = ResumedRead(self._store, key, start, stop).attempt
        else:  # what is at hand is not cut short
            send = partial(self._store.get_range, key, start, stop)
        throttled = found is Refused.SLOW_DOWN
        data = await self._run("get_range", nbytes, send, ticket, throttled=throttled)
        self._counters.bytes_read += len(data)
        return data

    def begin_ranges(
        self, ranges: Sequence[Range], done: Callable[[int, Buffer | None], None]
    ) -> Begun | None:
        """As the inner store, as many as the scheduler lets go at once; it hears of refusals."""
        begin = self._begin
        if begin is None:
            return None

        def send(n: int, ended: Told) -> Begun | None:
            return begin(ranges[:n], ended)

        sizes = [stop - start for _, start, stop in ranges]
        return self._scheduler.begin("get_range", sizes, send, done, covered=self._covered)

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """The bytes ``[start, stop)`` of an object while it has an etag; ``None`` if not.

        Cost: one request, one more where the store cannot ask for both at once.
        """
        inner = self._store
        if isinstance(inner, SupportsMatchedReads):
            nbytes = _WHOLE_NBYTES if stop is None else stop - start
            found = await self._run(
                "get_range", nbytes, lambda: inner.get_matching(key, start, stop, etag)
            )
            self._counters.bytes_read += 0 if found is None else len(found)
            return found
        meta = await self.head(key)
        if meta.etag != etag:
            return None
        return await self.get_range(key, start, max(start, meta.size) if stop is None else stop)

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """As the inner store, past the scheduler: what waits for nothing needs no slot."""
        if self._now is None:
            return None
        data = self._now(key, start, stop)
        if data is not None:
            self._counters.immediate_reads += 1
            self._counters.bytes_read += len(data)
        return data

    @property
    def reads_into(self) -> bool:
        """Whether ``read_now`` is worth asking."""
        return self._read_now is not None

    def read_now(self, key: str, start: int, into: memoryview) -> bool:
        """As the inner store, past the scheduler."""
        if self._read_now is None or not self._read_now(key, start, into):
            return False
        self._counters.immediate_reads += 1
        self._counters.bytes_read += len(into)
        return True

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object."""
        return await self._run("head", 0, lambda: self._store.head(key))

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any."""
        nbytes = total_nbytes(data)
        await self._run("put", nbytes, lambda: self._store.put(key, data))
        self._counters.bytes_written += nbytes

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none; one attempt."""
        nbytes = total_nbytes(data)
        try:
            outcome = await self._scheduler.once(
                "create", nbytes, lambda: self._store.create(key, data), covered=self._covered
            )
        except (ThrottledError, TransientStoreError):
            return CreateOutcome.UNKNOWN
        if outcome is CreateOutcome.CREATED:
            self._counters.bytes_written += nbytes
        return outcome

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``."""
        return await self._run(
            "list", 0, lambda: self._store.list(prefix, limit=limit, token=token)
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, at most 1,000 in one request."""
        for first in range(0, len(keys), _DELETE_BATCH):
            batch = keys[first : first + _DELETE_BATCH]
            await self._run("delete", 0, partial(self._store.delete, batch))

    async def aclose(self) -> None:
        """Close the inner store."""
        await self._store.aclose()

    async def _run(
        self,
        verb: str,
        nbytes: int,
        send: Callable[[], Coroutine[Any, Any, T]],
        ticket: Ticket | None = None,
        *,
        throttled: bool = False,
    ) -> T:
        try:
            return await self._scheduler.run(
                verb, nbytes, send, covered=self._covered, ticket=ticket, throttled=throttled
            )
        except StoreError as error:
            _locate(error, verb, self._store.url)
            raise


def _locate(error: StoreError, verb: str, url: str) -> None:
    """Say what was attempted, and on what: a connection knows its server alone."""
    if "host" in error.context and "url" not in error.context:
        error.message = f"could not {_IN_WORDS.get(verb, verb)} in {url}: {error.message}"
        error.context["url"] = url
