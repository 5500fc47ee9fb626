"""A store that misbehaves on purpose, by a script or at random."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from aiolake._aio import Clock, SystemClock
from aiolake.errors import PermissionDeniedError, ThrottledError, TransientStoreError
from aiolake.stores.base import (
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Store,
    SupportsImmediateReads,
)
from aiolake.stores.checks import check_limit
from aiolake.testing.rules import (
    Crash,
    Fault,
    FlipBit,
    IgnoreCreateOnly,
    LandsLater,
    Latency,
    LostAnswer,
    NoListing,
    Refuse,
    Rule,
    Script,
    StaleListing,
    Throttle,
    Transient,
    Truncate,
    Unordered,
)

__all__ = ["FaultStore", "SimulatedCrashError"]

T = TypeVar("T")
_Objects: TypeAlias = list[ObjectMeta]

_ODD = "\x00odd-"
"""Begins the tokens of listings made here; no key holds a NUL."""


class SimulatedCrashError(BaseException):
    """The process is dead: no handler may take this for an answer of the store."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A write that has not landed; ``due`` is the number of the request before which it does."""

    verb: str
    key: str
    data: bytes
    due: int | None


class FaultStore:
    """Passes requests on to a store, except where a rule says what goes wrong.

    Args:
        store: The store that answers; closed with this one.
        rules: What goes wrong; more may be added with ``script.add``.
        clock: What latency sleeps by.
        seed: Of everything random.
        listing: What to declare of ``list``, instead of what the store does.
    """

    def __init__(
        self,
        store: Store,
        rules: Iterable[Rule] = (),
        *,
        clock: Clock | None = None,
        seed: int = 0,
        listing: Listing | None = None,
    ) -> None:
        self._store = store
        self._now = store.get_range_now if isinstance(store, SupportsImmediateReads) else None
        self._clock = clock if clock is not None else SystemClock()
        self._listing = listing
        self._pending: list[_Pending] = []
        self._created: list[str] = []
        self._odd_listings: list[_Objects] = []
        self._crash_at: int | None = None
        self.script = Script(rules, seed=seed)
        self.n_requests = 0

    @classmethod
    def unreliable(cls, store: Store, *, seed: int, probability: float = 0.1) -> FaultStore:
        """A store of which every kind of transient failure happens now and then.

        Lost answers and late landings included, damage to bytes not.
        """
        faults: list[Fault] = [Throttle(), Transient(), LostAnswer(), LandsLater(3)]
        share = probability / len(faults)
        rules = [Rule(fault, times=None, probability=share) for fault in faults]
        return cls(store, rules, seed=seed)

    def crash_after(self, n_requests: int) -> None:
        """Let the process die after so many more requests: every later call raises."""
        self._crash_at = self.n_requests + n_requests

    @property
    def crashed(self) -> bool:
        """Whether the process is dead."""
        return self._crash_at is not None and self.n_requests >= self._crash_at

    @property
    def n_pending(self) -> int:
        """How many writes have not landed yet."""
        return len(self._pending)

    async def land(self) -> int:
        """Let all late writes take effect, in the order sent; how many there were."""
        pending, self._pending = self._pending, []
        for write in pending:
            await self._land(write)
        return len(pending)

    @property
    def url(self) -> str:
        """The inner store's."""
        return self._store.url

    @property
    def listing(self) -> Listing:
        """What was declared, or what the inner store does."""
        return self._listing if self._listing is not None else self._store.listing

    @property
    def cost(self) -> CostModel:
        """The inner store's."""
        return self._store.cost

    async def get(self, key: str) -> Buffer:
        """As the inner store, or not."""
        faults = await self._begin("get", key)
        data = await self._acting(faults, lambda: self._store.get(key))
        return self._damaged(data, faults)

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """As the inner store, or not."""
        faults = await self._begin("get_range", key)
        data = await self._acting(faults, lambda: self._store.get_range(key, start, stop))
        return self._damaged(data, faults)

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """As the inner store; ``None`` where a rule wants the request to be a waiting one."""
        if self.crashed:
            raise SimulatedCrashError
        if self._now is None or self._crash_at is not None:
            return None
        if self.script.may_strike("get_range", key):
            return None
        return self._now(key, start, stop)

    async def head(self, key: str) -> ObjectMeta:
        """As the inner store, or not."""
        faults = await self._begin("head", key)
        return await self._acting(faults, lambda: self._store.head(key))

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """As the inner store, or not."""
        faults = await self._begin("put", key)
        self._postpone("put", key, data, faults)
        await self._acting(faults, lambda: self._store.put(key, data))

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """As the inner store, or not."""
        try:
            faults = await self._begin("create", key)
            self._postpone("create", key, data, faults)
            return await self._acting(faults, lambda: self._create(key, data, faults))
        except (ThrottledError, TransientStoreError):
            return CreateOutcome.UNKNOWN

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """As the inner store, or not."""
        faults = await self._begin("list", prefix)
        if token is not None and token.startswith(_ODD):
            return self._odd_page(token, limit)
        if any(isinstance(fault, StaleListing | Unordered) for fault in faults):
            check_limit(limit)
            token = await self._odd_listing(prefix, token, faults)
            return await self._acting(faults, lambda: _answered(self._odd_page(token, limit)))
        return await self._acting(
            faults, lambda: self._store.list(prefix, limit=limit, token=token)
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """As the inner store, or not."""
        faults = await self._begin("delete", *keys)
        await self._acting(faults, lambda: self._store.delete(keys))

    async def aclose(self) -> None:
        """Close the inner store; what has not landed never does."""
        self._pending.clear()
        await self._store.aclose()

    async def _begin(self, verb: str, *keys: str) -> Sequence[Fault]:
        """Count a request, and raise what stops it before the store is asked."""
        if self.crashed:
            raise SimulatedCrashError
        self.n_requests += 1
        await self._land_due()
        faults = self.script.faults(verb, keys)
        for fault in faults:
            await self._stop(fault, verb, keys)
        return faults

    async def _stop(self, fault: Fault, verb: str, keys: Sequence[str]) -> None:
        where = f"{verb} of {', '.join(map(repr, keys))}"
        match fault:
            case Latency(delay):
                await self._clock.sleep(delay.total_seconds())
            case Throttle(retry_after_s):
                raise ThrottledError(f"{where}: slow down", retry_after_s=retry_after_s)
            case Transient():
                raise TransientStoreError(f"{where}: the connection was lost")
            case NoListing():
                raise PermissionDeniedError(f"{where}: listing is not allowed")
            case Refuse(error):
                raise error()
            case Crash(acts=False):
                self._crash_at = self.n_requests
                raise SimulatedCrashError
            case _:
                pass

    async def _acting(
        self, faults: Sequence[Fault], act: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Do it, and raise what keeps the answer from coming."""
        answer = await act()
        for fault in faults:
            match fault:
                case LostAnswer():
                    raise TransientStoreError("it was done, and the answer was lost")
                case Crash(acts=True):
                    self._crash_at = self.n_requests
                    raise SimulatedCrashError
                case _:
                    pass
        return answer

    def _postpone(
        self, verb: str, key: str, data: Sequence[Buffer], faults: Sequence[Fault]
    ) -> None:
        for fault in faults:
            if isinstance(fault, LandsLater):
                wait = fault.after_requests
                due = self.n_requests + wait if wait is not None else None
                self._pending.append(_Pending(verb, key, b"".join(data), due))
                raise TransientStoreError(f"{verb} of {key!r}: no answer, it may still happen")

    async def _land_due(self) -> None:
        due = [write for write in self._pending if write.due is not None]
        for write in due:
            if write.due is not None and write.due <= self.n_requests and write in self._pending:
                self._pending.remove(write)
                await self._land(write)

    async def _land(self, write: _Pending) -> None:
        if write.verb == "put":
            await self._store.put(write.key, [write.data])
        else:
            await self._create(write.key, [write.data], ())

    async def _create(
        self, key: str, data: Sequence[Buffer], faults: Sequence[Fault]
    ) -> CreateOutcome:
        if any(isinstance(fault, IgnoreCreateOnly) for fault in faults):
            await self._store.put(key, data)
            return CreateOutcome.CREATED
        outcome = await self._store.create(key, data)
        if outcome is CreateOutcome.CREATED:
            self._created.append(key)
        return outcome

    def _damaged(self, data: Buffer, faults: Sequence[Fault]) -> Buffer:
        for fault in faults:
            match fault:
                case Truncate(nbytes):
                    data = bytes(data)[: max(0, len(data) - nbytes)]
                case FlipBit(position) if len(data):
                    damaged = bytearray(data)
                    at = self.script.rng.randrange(len(data)) if position is None else position
                    damaged[at] ^= 1 << self.script.rng.randrange(8)
                    data = damaged
                case _:
                    pass
        return data

    async def _odd_listing(self, prefix: str, token: str | None, faults: Sequence[Fault]) -> str:
        """Make a listing that is stale or out of order; the token of its first page."""
        objects = await self._everything(prefix, token)
        for fault in faults:
            match fault:
                case StaleListing(creates_ago):
                    created = [key for key in self._created if key.startswith(prefix)]
                    hidden = set(created[max(0, len(created) - creates_ago) :])
                    objects = [meta for meta in objects if meta.key not in hidden]
                case Unordered():
                    self.script.rng.shuffle(objects)
                case _:
                    pass
        self._odd_listings.append(objects)
        return f"{_ODD}{len(self._odd_listings) - 1}:0"

    def _odd_page(self, token: str, limit: int) -> ListPage:
        number, first = map(int, token.removeprefix(_ODD).split(":"))
        objects = self._odd_listings[number]
        last = first + limit
        more = f"{_ODD}{number}:{last}" if last < len(objects) else None
        return ListPage(tuple(objects[first:last]), more)

    async def _everything(self, prefix: str, token: str | None) -> _Objects:
        objects: _Objects = []
        while True:
            page = await self._store.list(prefix, token=token)
            objects += page.objects
            token = page.token
            if token is None:
                return objects


async def _answered(answer: T) -> T:
    return answer
