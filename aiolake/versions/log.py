"""The async driver: runs the log's protocols on a store. The only I/O of this package."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from aiolake import keys
from aiolake._aio import Clock, SingleFlight, finish, map_concurrently, random_source
from aiolake.errors import (
    AiolakeError,
    CorruptDataError,
    DeadlineError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    StoreError,
    TransientStoreError,
)
from aiolake.format.entry import Entry, decode_entry, encode_entry
from aiolake.stores.base import Buffer, CreateOutcome, Listing, ListPage, Store
from aiolake.versions import rules
from aiolake.versions.commit import (
    Committed,
    Context,
    Found,
    Outcome,
    commit,
    find_commit,
    take_slot,
)
from aiolake.versions.head import Head, find_head, read_forward
from aiolake.versions.intents import Intent, Noop
from aiolake.versions.steps import (
    Compute,
    CreateEntry,
    DeleteObjects,
    ListObjects,
    Now,
    Pause,
    PutObjects,
    ReadEntries,
    ReadHint,
    ReadObjects,
    ReadRanges,
    Refused,
    Request,
    Steps,
    TakeSlot,
)

__all__ = ["Attempt", "Log"]

T = TypeVar("T")

HINT_EVERY = 64
_PARALLEL = 32
_CACHED_ENTRIES = 256
_CACHED_OBJECT_NBYTES = 1 << 20
_CACHED_NBYTES = 4 << 20
_HONESTY_ATTEMPTS = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 1.0

_honest: set[tuple[str, str]] = set()
"""Stores that this process has seen refuse a second create of one key."""


@dataclass(slots=True)
class Attempt:
    """What is known of a commit while it is made; readable after a cancellation.

    Attributes:
        write_id: Its identity.
        outcome: What became of it, as far as is known.
        slot: The log number last tried.
        entry: The entry, once committed.
    """

    write_id: str
    outcome: Outcome = Outcome.NOT_COMMITTED
    slot: int | None = None
    entry: Entry | None = None


class Log:
    """A dataset's log on a store; keeps entries it has read, which never change.

    Args:
        store: A scheduled store; the log does not close it.
        clock: Tells the time and sleeps.
        commit_timeout: How long a commit may try to learn its outcome.
        leave: Runs a coroutine in the background, for the hint, which is never awaited.
        compute: Runs a function in a thread.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        commit_timeout: timedelta,
        leave: Callable[[Any], None],
        compute: Callable[..., Awaitable[Any]],
    ) -> None:
        self.store = store
        self._clock = clock
        self._timeout = commit_timeout
        self._leave = leave
        self._compute = compute
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._objects: OrderedDict[str, Buffer] = OrderedDict()
        self._objects_nbytes = 0
        self._flights: SingleFlight[tuple[str, int, int], Buffer] = SingleFlight()

    async def head(self) -> Head:
        """Find the head."""
        return await self.run(find_head(self.store.listing))

    async def forward(self, head: Head) -> tuple[Head, tuple[Entry, ...]]:
        """Follow the log from a known head."""
        return await self.run(read_forward(head))

    async def commit(
        self,
        intent: Intent,
        head: Head,
        seen: tuple[Entry, ...],
        context: Context,
        attempt: Attempt | None = None,
    ) -> Committed:
        """Publish an intent; see ``versions.commit``.

        Cancellation: ends after the slot being taken is settled; ``attempt`` tells the outcome.
        """
        attempt = Attempt(context.write_id) if attempt is None else attempt
        if head.entry is not None:
            await self._require_honesty(head.entry)
        committed = await self.run(commit(intent, head, seen, context), attempt)
        attempt.outcome, attempt.entry = Outcome.COMMITTED, committed.entry
        if head.entry is None:
            await self._require_honesty(committed.entry)
        if committed.entry.n % HINT_EVERY == 0:
            self._leave(self._write_hint(committed.entry.n))
        return committed

    async def find_commit(
        self, write_id: str, slot: int | None, *, settle: bool, url: str
    ) -> Found:
        """What became of a commit; ``settle`` fills the slot of a pending one with a no-op."""
        head = await self.head()
        found = await self.run(find_commit(head, write_id, slot))
        while settle and found.outcome is Outcome.PENDING and head.entry is not None:
            filled = await self.commit(Noop(), head, (), Context(url, keys.new_id()))
            head = filled.head
            found = await self.run(find_commit(head, write_id, head.n))
        return found

    async def run(self, steps: Steps[T], attempt: Attempt | None = None) -> T:
        """Run a protocol to its end."""
        run = _Run(self, attempt, self._clock.monotonic() + self._timeout.total_seconds())
        return await run.drive(steps)

    async def read_entry(self, n: int) -> Entry | None:
        """One entry, from memory if it was read before; ``None`` if there is none."""
        entry = self._entries.get(n)
        if entry is not None:
            return entry
        try:
            entry = await self._fetch_entry(keys.entry_key(n))
        except NotFoundError:
            return None
        self.remember(entry)
        return entry

    async def _fetch_entry(self, key: str) -> Entry:
        """An entry from the store; one that is corrupt is read once more."""
        data = await self.store.get(key)
        try:
            return decode_entry(data, key)
        except CorruptDataError:
            return decode_entry(await self.store.get(key), key)

    def remember(self, entry: Entry) -> None:
        """Keep an entry that was read or written."""
        self._entries[entry.n] = entry
        if len(self._entries) > _CACHED_ENTRIES:
            self._entries.popitem(last=False)

    async def read_object(self, key: str, *, fresh: bool = False) -> Buffer:
        """A whole object of ``lists/`` or ``manifests/``; small ones are kept.

        They are kept as they came: whoever finds one corrupt asks for a ``fresh`` one.
        """
        data = None if fresh else self._objects.get(key)
        if data is None:
            data = await self.store.get(key)
            self._keep(key, data)
        return data

    def _keep(self, key: str, data: Buffer) -> None:
        if len(data) > _CACHED_OBJECT_NBYTES:
            return
        self._objects_nbytes += len(data) - len(self._objects.pop(key, b""))
        self._objects[key] = data
        while self._objects_nbytes > _CACHED_NBYTES:
            _, dropped = self._objects.popitem(last=False)
            self._objects_nbytes -= len(dropped)

    async def read_range(self, key: str, start: int, stop: int) -> Buffer:
        """Bytes of an object; those who want them at once get them by one request."""
        where = (key, start, stop)
        return await self._flights.do(where, lambda: self.store.get_range(key, start, stop))

    async def read_hint(self) -> int:
        """The number in the hint; 0 without a usable one."""
        try:
            text = bytes(await self.store.get(keys.HINT))
        except AiolakeError:
            return 0
        return int(text) if text.isdigit() and len(text) <= 12 else 0

    async def _write_hint(self, n: int) -> None:
        try:
            await self.store.put(keys.HINT, [b"%d" % n])
        except AiolakeError:
            return  # a hint is only a hint

    async def _require_honesty(self, entry: Entry) -> None:
        """Create an entry that exists once more: a store that does not refuse is refused.

        Raises:
            StoreError: The store ignores create-only puts: two writers would overwrite each other.
        """
        where = self.store.url
        one = where, getattr(self.store, "server", "")
        if one in _honest:
            return
        answer = CreateOutcome.UNKNOWN
        for _ in range(_HONESTY_ATTEMPTS):
            answer = await self.store.create(keys.entry_key(entry.n), [encode_entry(entry)])
            if answer is not CreateOutcome.UNKNOWN:
                break
        if answer is CreateOutcome.CREATED:
            raise StoreError(
                f"{where} lets a create-only put replace an object, so commits could be lost; it "
                "is refused for writing. Use a store that supports conditional puts",
                url=where,
            )
        if answer is CreateOutcome.UNKNOWN:
            raise TransientStoreError(
                f"{where} did not answer whether it supports create-only puts; try again",
                url=where,
            )
        _honest.add(one)


class _Run:
    """One protocol being run: a deadline, and the attempt whose outcome is kept."""

    def __init__(self, log: Log, attempt: Attempt | None, deadline: float) -> None:
        self._log = log
        self._store = log.store
        self._attempt = attempt
        self._deadline = deadline
        self._handlers: dict[type[Any], Callable[[Any], Any]] = {
            ReadEntries: self._read_entries,
            ListObjects: self._list,
            ReadHint: self._read_hint,
            CreateEntry: self._create,
            TakeSlot: self._take_slot,
            ReadObjects: self._read_objects,
            ReadRanges: self._read_ranges,
            Compute: self._compute,
            PutObjects: self._put,
            DeleteObjects: self._delete,
            Now: self._now,
            Pause: self._pause,
        }

    async def drive(self, steps: Steps[T]) -> T:
        """Answer each request until the protocol returns."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = await self._perform(request)
                except AiolakeError as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            steps.close()

    async def _perform(self, request: Request) -> Any:
        return await self._handlers[type(request)](request)

    async def _read_entries(self, request: ReadEntries) -> tuple[Entry | None, ...]:
        found = await map_concurrently(self._log.read_entry, request.numbers, limit=_PARALLEL)
        return tuple(found)

    async def _list(self, request: ListObjects) -> ListPage | None:
        if self._store.listing is Listing.NONE:
            return None
        try:
            return await self._store.list(request.prefix, limit=request.limit, token=request.token)
        except PermissionDeniedError:
            return None

    async def _read_hint(self, request: ReadHint) -> int:
        return await self._log.read_hint()

    async def _create(self, request: CreateEntry) -> CreateOutcome | Refused:
        try:
            return await self._store.create(keys.entry_key(request.n), [request.data])
        except AiolakeError as error:
            return Refused(error)

    async def _take_slot(self, request: TakeSlot) -> Entry:
        """Shielded: once the put may have been sent, it is followed to its outcome."""
        patience = max(1.0, self._deadline - self._log._clock.monotonic()) + 5.0
        try:
            return await finish(self._settle(request.entry), timedelta(seconds=patience))
        except DeadlineError as error:
            entry = request.entry
            raise OutcomeUnknownError(
                f"the store did not answer in time whether {entry.write_id} became entry "
                f"{entry.n}; ask ds.find_commit({entry.write_id!r}, slot={entry.n})",
                write_id=entry.write_id,
                slot=entry.n,
            ) from error

    async def _settle(self, entry: Entry) -> Entry:
        attempt = self._attempt or Attempt(entry.write_id)
        attempt.slot, attempt.outcome = entry.n, Outcome.PENDING
        try:
            holder = await self.drive(take_slot(entry))
        except OutcomeUnknownError:
            raise
        except AiolakeError:
            attempt.outcome = Outcome.NOT_COMMITTED
            raise
        ours = rules.is_ours(holder, entry.write_id)
        attempt.outcome = Outcome.COMMITTED if ours else Outcome.NOT_COMMITTED
        attempt.entry = holder if ours else None
        self._log.remember(holder)
        return holder

    async def _read_objects(self, request: ReadObjects) -> tuple[Buffer, ...]:
        read = partial(self._log.read_object, fresh=request.fresh)
        return tuple(await map_concurrently(read, request.keys, limit=_PARALLEL))

    async def _read_ranges(self, request: ReadRanges) -> tuple[Buffer, ...]:
        async def read(where: tuple[str, int, int]) -> Buffer:
            return await self._log.read_range(*where)

        return tuple(await map_concurrently(read, request.ranges, limit=_PARALLEL))

    async def _compute(self, request: Compute) -> Any:
        return await self._log._compute(request.fn, *request.args)

    async def _put(self, request: PutObjects) -> None:
        async def put(item: tuple[str, bytes]) -> None:
            await self._store.put(item[0], [item[1]])

        await map_concurrently(put, request.objects, limit=_PARALLEL)

    async def _delete(self, request: DeleteObjects) -> None:
        for i in range(0, len(request.keys), 1000):
            await self._store.delete(request.keys[i : i + 1000])

    async def _now(self, request: Now) -> Any:
        return self._log._clock.now()

    async def _pause(self, request: Pause) -> bool:
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(request.attempt, 10))
        left = self._deadline - self._log._clock.monotonic()
        if left <= 0:
            return False
        await self._log._clock.sleep(min(left, longest * (0.5 + 0.5 * random_source().random())))
        return True
