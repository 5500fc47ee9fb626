"""A store as a dict, and an interpreter that runs the log's protocols on it, one after another."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from aiolake import keys
from aiolake.errors import NotFoundError
from aiolake.format.entry import Description, Entry, Piece, decode_entry
from aiolake.format.manifest import Block, encode_block
from aiolake.stores.base import CreateOutcome, Listing, ListPage, ObjectMeta
from aiolake.types import Column, Schema, Tensor
from aiolake.versions.commit import Committed, Context, commit, find_done, take_slot
from aiolake.versions.delta import Delta
from aiolake.versions.head import EMPTY_LOG, Head, find_head
from aiolake.versions.intents import Commit, Create, Intent
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

T = TypeVar("T")
URL = "mem://model"
START = datetime(2030, 1, 1, tzinfo=UTC)


class Model:
    """Objects by key; every protocol runs to its end before the next begins."""

    def __init__(self, listing: Listing = Listing.ORDERED) -> None:
        self.objects: dict[str, bytes] = {}
        self.listing = listing
        self.hint = 0
        self.clock = START
        self.page_limit = 1000
        self.empty_pages = False
        self.answers: list[CreateOutcome | Refused] = []
        self.counts: dict[str, int] = {}
        self._ids = random.Random(1)
        self.handlers: dict[type[Any], Callable[[Any], Any]] = {
            ReadEntries: lambda r: tuple(self.entry(n) for n in r.numbers),
            ListObjects: self.list,
            ReadHint: lambda r: self.hint,
            CreateEntry: self.create,
            TakeSlot: lambda r: self.run(take_slot(r.entry)),
            ReadObjects: lambda r: tuple(self.object(key) for key in r.keys),
            ReadRanges: lambda r: tuple(self.object(k)[a:b] for k, a, b in r.ranges),
            Compute: lambda r: r.fn(*r.args),
            PutObjects: lambda r: self.objects.update(dict(r.objects)),
            DeleteObjects: self.delete,
            Now: lambda r: self.now(),
            Pause: lambda r: r.attempt < 5,
        }

    def run(self, steps: Steps[T]) -> T:
        """Run a protocol to its end."""
        answer: Any = None
        try:
            request = next(steps)
            while True:
                try:
                    answer = self.answer(request)
                except Exception as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def answer(self, request: Request) -> Any:
        """Perform one request."""
        name = type(request).__name__
        size = 1
        if isinstance(request, ReadEntries):
            size = len(request.numbers)
        elif isinstance(request, ReadObjects):
            size = len(request.keys)
        elif isinstance(request, PutObjects):
            size = len(request.objects)
        self.counts[name] = self.counts.get(name, 0) + size
        return self.handlers[type(request)](request)

    def entry(self, n: int) -> Entry | None:
        """An entry from its stored bytes."""
        key = keys.entry_key(n)
        data = self.objects.get(key)
        return None if data is None else decode_entry(data, key)

    def object(self, key: str) -> bytes:
        """An object's bytes."""
        if key not in self.objects:
            raise NotFoundError(f"there is no object {key!r}", key=key)
        return self.objects[key]

    def list(self, request: ListObjects) -> ListPage | None:
        """A page of a listing, in order; every second one empty if so wished."""
        if self.listing is Listing.NONE:
            return None
        token = request.token or ""
        if self.empty_pages and not token.endswith("+"):
            return ListPage((), token + "+")
        after = token.rstrip("+")
        found = sorted(k for k in self.objects if k.startswith(request.prefix) and k > after)
        page = found[: min(request.limit, self.page_limit)]
        more = len(page) < len(found)
        metas = tuple(ObjectMeta(key, len(self.objects[key])) for key in page)
        return ListPage(metas, page[-1] if more else None)

    def create(self, request: CreateEntry) -> CreateOutcome | Refused:
        """A create-only put; scripted answers come first and then nothing is written."""
        key = keys.entry_key(request.n)
        if self.answers:
            return self.answers.pop(0)
        if key in self.objects:
            return CreateOutcome.EXISTS
        self.objects[key] = request.data
        return CreateOutcome.CREATED

    def delete(self, request: DeleteObjects) -> None:
        """Remove objects."""
        for key in request.keys:
            self.objects.pop(key, None)

    def now(self) -> datetime:
        """A clock that goes on by a second each time."""
        self.clock += timedelta(seconds=1)
        return self.clock

    def new_id(self) -> str:
        """An object id that repeats from run to run."""
        value = self._ids.getrandbits(130)
        return "".join(
            "abcdefghijklmnopqrstuvwxyz234567"[(value >> s) & 31] for s in range(0, 130, 5)
        )

    def head(self) -> Head:
        """Find the head."""
        return self.run(find_head(self.listing))

    def commit(
        self,
        intent: Intent,
        head: Head | None = None,
        seen: Sequence[Entry] = (),
        *,
        write_id: str | None = None,
    ) -> Committed:
        """Publish an intent; a ``write_id`` of the caller's is looked for first."""
        head = self.head() if head is None else head
        given = self.new_id() if write_id is None else write_id
        done = None if write_id is None else self.run(find_done(head, write_id))
        if done is not None:
            return Committed(done, Head(done.n, done))
        context = Context(URL, given, self.new_id)
        return self.run(commit(intent, head, tuple(seen), context))

    def change(self, branch: str = "main", **changes: Any) -> Entry:
        """Commit a delta made on the head."""
        head = self.head()
        intent = Commit(on_branch=branch, delta=Delta(**changes), base=head.n)
        return self.commit(intent, head).entry

    def made(self, n_columns: int = 2) -> Entry:
        """Create a dataset of ``n_columns`` columns."""
        intent = Create(dataset=self.new_id(), description=Description(schema(n_columns)))
        return self.commit(intent, EMPTY_LOG).entry

    def refs(self) -> set[str]:
        """Keys that are no log entries."""
        return {key for key in self.objects if not key.startswith(keys.LOG)}


def schema(n: int) -> Schema:
    """Columns ``c0``, ``c1``, ... of numbers."""
    return Schema(tuple(Column(i, f"c{i}", Tensor("int32")) for i in range(n)))


def piece(column: int, rows: Sequence[int], base: int, id: str) -> Piece:
    """An inline piece over flat runs ``rows``: samples of 4 bytes in one chunk, in order."""
    n = sum(rows[1::2])
    block = Block(
        ((base, id),),
        np.zeros(n, np.uint16),
        np.arange(n, dtype=np.uint64) * 4,
        np.full(n, 4, np.uint64),
        np.arange(n, dtype=np.uint32),
        np.empty((n, 0), np.uint32),
    )
    return Piece(column, tuple(rows), nbytes=4 * n, inline=encode_block(block))
