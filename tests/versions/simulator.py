"""Runs the shipped protocols of several actors, interleaved at every request by a seed.

The world is a store that declares what it promises and then gives no more than that: answers are
lost, puts land later, listings come late, actors stop anywhere, clocks jump.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from aiolake import keys
from aiolake.errors import AiolakeError, NotFoundError, PermissionDeniedError
from aiolake.format.entry import Entry, decode_entry
from aiolake.stores.base import CreateOutcome, Listing, ListPage, ObjectMeta
from aiolake.versions import blobs
from aiolake.versions import commit as committing
from aiolake.versions import keys as indexing
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
    TakeSlot,
)
from tests.versions.oracle import Op, Oracle, Violation

Actor = Generator[Any, Any, None]
OnDuplicate: TypeAlias = Literal["refuse", "replace"]
START = datetime(2030, 1, 1, tzinfo=UTC)
MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class Switches:
    """What the actors do right; the mutation table turns each off."""

    upload_first: bool = True
    fence_first: bool = True
    mark_after_fence: bool = True
    smallest_base: bool = True
    base_at_first_upload: bool = True
    settle_before_answering: bool = True


@dataclass(frozen=True, slots=True)
class Weather:
    """How often what goes wrong, 0 to 1.

    Attributes:
        lost: An answer of ``create`` is lost.
        refused: A ``create`` is refused.
        crash: An actor stops, at each request.
        deadline: A pause finds that the deadline has passed.
        listing: What the store promises.
        short: Even short values are moved into ``lists/``.
    """

    lost: float
    refused: float
    crash: float
    deadline: float
    listing: Listing
    short: bool

    @classmethod
    def of(cls, rng: random.Random) -> Weather:
        """Some weather; every third time fair."""
        bad = rng.random() < 0.67
        return cls(
            lost=rng.choice((0.1, 0.5)) if bad else 0.0,
            refused=rng.choice((0.0, 0.2)) if bad else 0.0,
            crash=rng.choice((0.0, 0.02)) if bad else 0.0,
            deadline=rng.choice((0.05, 0.5)),
            listing=rng.choice(tuple(Listing)),
            short=rng.random() < 0.3,
        )


@dataclass(slots=True)
class Running:
    """An actor under way: protocols it is in, and what it waits for."""

    name: str
    stack: list[Generator[Any, Any, Any]]
    slow: bool = False
    request: Any = None
    left: list[int] = field(default_factory=list)
    found: dict[int, Entry | None] = field(default_factory=dict)


@dataclass(slots=True)
class Claim:
    """What an actor was told of its commit: entry ``n``, or (``None``) that it did not happen."""

    op: Op
    n: int | None


class World:
    """The store, the clock and what is known of each commit."""

    def __init__(self, seed: int, switches: Switches, *, traced: bool = False) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.kinds: tuple[str, ...] = ()
        self.weather = Weather.of(self.rng)
        self.switches = switches
        self.objects: dict[str, bytes] = {}
        self.entries: list[Entry] = []
        self.oracle = Oracle(self.objects)
        self.pending: list[tuple[int, bytes]] = []
        self.claims: list[Claim] = []
        self.actors: list[Running] = []
        self.trace: list[str] | None = [] if traced else None
        self.n_made = 0
        # Not from the schedule's own generator: without a key it stays what it is.
        chosen: tuple[OnDuplicate | None, ...] = (None, None, "refuse", "replace")
        self.on_duplicate = random.Random(~seed).choice(chosen)
        self._handlers: dict[type[Any], Callable[[Any], Any]] = {
            ReadEntries: lambda r: tuple(self.entry(n) for n in r.numbers),
            ListObjects: self._list,
            ReadHint: self._hint,
            CreateEntry: self._create,
            ReadObjects: lambda r: tuple(self._object(key) for key in r.keys),
            ReadRanges: lambda r: tuple(self._object(k)[a:b] for k, a, b in r.ranges),
            Compute: lambda r: r.fn(*r.args),
            PutObjects: self._put,
            DeleteObjects: self._delete,
            Now: self._now,
            Pause: lambda r: self.rng.random() >= self.weather.deadline and r.attempt < 8,
        }

    @property
    def n(self) -> int:
        """The newest entry."""
        return len(self.entries)

    def number(self) -> int:
        """A number never given before."""
        self.n_made += 1
        return self.n_made

    def new_id(self) -> str:
        """An object id."""
        text = "".join("abcdefghijklmnopqrstuvwxyz"[int(d)] for d in str(self.number()))
        return text.rjust(26, "z")

    def entry(self, n: int) -> Entry | None:
        """An entry, as stored."""
        return self.entries[n - 1] if 1 <= n <= self.n else None

    def add(self, name: str, actor: Actor) -> None:
        """Let an actor begin."""
        running = Running(name, [actor], slow=self.rng.random() < 0.25)
        self.actors.append(running)
        self._resume(running, None)

    def note(self, name: str, what: object) -> None:
        """Write down what happens, where that is wanted."""
        if self.trace is not None:
            text = str(what)
            self.trace.append(f"{name}: {text if len(text) < 300 else text[:300] + '...'}")

    def claim(self, op: Op, n: int | None) -> None:
        """An actor was told what became of its commit."""
        self.note(op.label, "not committed" if n is None else f"committed as {n}")
        self.claims.append(Claim(op, n))
        if n is not None and n not in self.oracle.write_ids.get(op.write_id, ()):
            raise Violation("commits are truly reported", f"{op.label} is not entry {n}")

    def run(self) -> None:
        """Run every actor to its end, then let what is under way land."""
        steps = 0
        while self.actors:
            steps += 1
            if steps > MOST_STEPS:
                raise Violation("every actor comes to an end", f"{len(self.actors)} are left")
            self._step(self._next())
            if self.pending and self.rng.random() < 0.1:
                self._land_pending()
        while self.pending:
            self._land_pending()
        self._check_claims()

    def _next(self) -> Running:
        """Any actor; a slow one seldom, so that much happens between two of its requests."""
        actor = self.actors[int(self.rng.random() * len(self.actors))]
        if actor.slow and self.rng.random() < 0.9:
            return self.rng.choice([other for other in self.actors if not other.slow] or [actor])
        return actor

    def _check_claims(self) -> None:
        for claim in self.claims:
            found = self.oracle.write_ids.get(claim.op.write_id, [])
            told = claim.n in found if claim.n else claim.op.shared_id or not found
            if not told:
                raise Violation(
                    "commits are truly reported",
                    f"{claim.op.label} was told {claim.n or 'not committed'}, found {found}",
                )

    def _land_pending(self) -> None:
        n, data = self.pending.pop(int(self.rng.random() * len(self.pending)))
        if n == self.n + 1:
            self.note("late", f"entry {n} lands")
            self._land(n, data)

    def _land(self, n: int, data: bytes) -> None:
        self.oracle.land(n, data)
        self.entries.append(decode_entry(data, keys.entry_key(n)))

    def _step(self, actor: Running) -> None:
        """Perform what one actor waits for, and let it go on to its next request."""
        if self.weather.crash and self.rng.random() < self.weather.crash:
            self._crash(actor)
            return
        request = actor.request
        if actor.left:
            n = actor.left.pop()
            actor.found[n] = self.entry(n)
            if not actor.left:
                self._resume(actor, tuple(actor.found[n] for n in request.numbers))
            return
        try:
            answer = self._handlers[type(request)](request)
        except AiolakeError as error:
            self._resume(actor, None, error)
        else:
            self._resume(actor, answer)

    def _resume(self, actor: Running, answer: Any, error: AiolakeError | None = None) -> None:
        """Hand an answer over; a slot to take, and its holder, pass between protocols at once."""
        while actor.stack:
            steps = actor.stack[-1]
            try:
                request = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as stop:
                actor.stack.pop()
                answer, error = stop.value, None
            except AiolakeError as raised:
                actor.stack.pop()
                if not actor.stack:
                    raise Violation("no actor fails", f"{actor.name}: {raised!r}") from raised
                answer, error = None, raised
            else:
                if self.trace is not None:
                    self.note(actor.name, request)
                if type(request) is not TakeSlot:
                    self._await(actor, request)
                    return
                actor.stack.append(committing.take_slot(request.entry))
                answer, error = None, None
        self.actors.remove(actor)

    def _await(self, actor: Running, request: Any) -> None:
        actor.request = request
        if type(request) is ReadEntries and len(request.numbers) > 1:
            actor.left, actor.found = list(request.numbers), {}
            self.rng.shuffle(actor.left)

    def _crash(self, actor: Running) -> None:
        """The actor is no more; what it has sent may still arrive, whole or in part."""
        self.note(actor.name, "crashes")
        request = actor.request
        if isinstance(request, CreateEntry):
            self.pending.append((request.n, request.data))
        if isinstance(request, PutObjects):
            self._put(PutObjects(tuple(o for o in request.objects if self.rng.random() < 0.5)))
        if isinstance(request, DeleteObjects):
            self._delete(DeleteObjects(tuple(k for k in request.keys if self.rng.random() < 0.5)))
        for steps in reversed(actor.stack):
            with suppress(AiolakeError):
                steps.close()
        self.actors.remove(actor)

    # Verbs

    def _object(self, key: str) -> bytes:
        data = self.objects.get(key)
        if data is None:
            raise NotFoundError(f"there is no object {key!r}", key=key)
        return data

    def _put(self, request: PutObjects) -> None:
        self.objects.update(dict(request.objects))

    def _delete(self, request: DeleteObjects) -> None:
        self.oracle.deleting(request.keys)
        for key in request.keys:
            self.objects.pop(key, None)

    def _create(self, request: CreateEntry) -> CreateOutcome | Refused:
        weather, rng = self.weather, self.rng
        if weather.refused and rng.random() < weather.refused:
            return Refused(PermissionDeniedError("refused"))
        fate = rng.choice(("before", "after", "later")) if rng.random() < weather.lost else ""
        if fate == "later":
            self.pending.append((request.n, request.data))
        exists = request.n <= self.n
        if fate in ("", "before") and not exists:
            self._land(request.n, request.data)
        if fate:
            return CreateOutcome.UNKNOWN
        return CreateOutcome.EXISTS if exists else CreateOutcome.CREATED

    def _now(self, request: Now) -> datetime:
        return START + timedelta(seconds=self.rng.randrange(100))

    def _hint(self, request: ReadHint) -> int:
        return self.rng.choice((0, self.n // 2, self.n, self.n + 1, self.n + 7, keys.MAX_ENTRY))

    def _list(self, request: ListObjects) -> ListPage | None:
        """One page; where nothing is promised it is out of order, late, and cut anywhere."""
        if self.weather.listing is Listing.NONE:
            return None
        found = sorted(self._listed(request.prefix))
        if self.weather.listing is Listing.ORDERED:
            return self._page([key for key in found if key > (request.token or "")], request.limit)
        self.rng.shuffle(found)
        late = self.rng.random()
        kept = [key for key in found if self.rng.random() > late]
        done = int(request.token or 0)
        more = done < 2 and self.rng.random() < 0.3
        page = () if more and self.rng.random() < 0.5 else tuple(kept)
        return ListPage(_metas(page), str(done + 1) if more else None)

    def _listed(self, prefix: str) -> Iterable[str]:
        if prefix == keys.LOG:
            return ("log/0", keys.HINT, *(keys.entry_key(n) for n in range(1, self.n + 1)))
        return (key for key in self.objects if key.startswith(prefix))

    def _page(self, found: list[str], limit: int) -> ListPage:
        page = found[:limit]
        return ListPage(_metas(page), page[-1] if len(found) > limit else None)


def _metas(page: Iterable[str]) -> tuple[ObjectMeta, ...]:
    return tuple(ObjectMeta(key, 1) for key in page)


class ShortValues:
    """Makes values lie in ``lists/`` as if they were long."""

    names = ("DESCRIPTION_BYTES", "REFS_BYTES", "RUNS_BYTES", "EFFECTS_BYTES")
    of_keys = ("INLINE_BYTES", "WHOLE_RECORDS", "HELD_RECORDS", "GROWTH")

    def __enter__(self) -> None:
        self._limits = [getattr(blobs, name) for name in self.names]
        self._fold = committing.FOLD_BYTES
        for name, limit in zip(self.names, (300, 40, 5, 3), strict=True):
            setattr(blobs, name, limit)
        committing.FOLD_BYTES = 1200
        self._of_keys = [getattr(indexing, name) for name in self.of_keys]
        for name, limit in zip(self.of_keys, (48, 3, 5, 2), strict=True):
            setattr(indexing, name, limit)

    def __exit__(self, *error: object) -> None:
        for name, limit in zip(self.names, self._limits, strict=True):
            setattr(blobs, name, limit)
        committing.FOLD_BYTES = self._fold
        for name, limit in zip(self.of_keys, self._of_keys, strict=True):
            setattr(indexing, name, limit)
