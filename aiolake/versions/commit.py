"""Committing: check, build, seal, take the slot, rebase. And learning what became of a commit."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from aiolake import keys
from aiolake.errors import (
    AiolakeError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OutcomeUnknownError,
)
from aiolake.format.entry import (
    FORMAT_VERSION,
    MAX_ENTRY_BYTES,
    Entry,
    ListRef,
    Operation,
    Piece,
    RunsValue,
    Snapshot,
    encode_entry,
    unwritable_features,
)
from aiolake.ranges import EMPTY, Runs
from aiolake.stores.base import CreateOutcome
from aiolake.types import Schema
from aiolake.versions import conflicts, rules
from aiolake.versions.blobs import (
    Spill,
    load_description,
    load_lists,
    load_names,
    load_runs,
    spill_description,
    spill_effects,
    spill_refs,
    spill_rows,
)
from aiolake.versions.head import Head, advance, read_forward
from aiolake.versions.intents import Body, Intent
from aiolake.versions.steps import (
    PutObjects,
    Refused,
    Steps,
    TakeSlot,
    create_entry,
    now,
    pause,
    read_entries,
    read_entry,
)

__all__ = [
    "Committed",
    "Context",
    "Found",
    "Outcome",
    "commit",
    "find_commit",
    "find_done",
    "find_write",
    "lists_to_merge",
    "take_slot",
]

FOLD_BYTES = 16 * 1024
MOST_OTHER_BYTES = 48 * 1024
"""An entry with more than this beside its pieces has all its lists merged into one."""
SEARCHED_ENTRIES = 1000
_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Context:
    """What a commit is given from outside.

    Attributes:
        url: The dataset's address, for messages.
        write_id: Unique to this transaction, however often it is tried.
        new_id: Makes object ids.
    """

    url: str
    write_id: str
    new_id: Callable[[], str] = field(default=keys.new_id)


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that happened: its entry, and the head at it.

    Entries after it may have been read, but who goes on from the entry has not seen them.
    """

    entry: Entry
    head: Head


def commit(
    intent: Intent, head: Head, seen: tuple[Entry, ...], context: Context
) -> Steps[Committed]:
    """Publish an intent.

    Args:
        intent: What to do.
        head: The newest head that is known.
        seen: The entries between the snapshot the intent was made on and ``head``.
        context: Address and identity.

    Raises:
        ConflictError: It cannot be rebased over what was committed meanwhile.
        OutcomeUnknownError: The deadline passed first.
    """
    mine = yield from _own_footprint(intent)
    older = yield from _since_workers_began(intent, head)
    fresh = seen
    while True:
        done = next((entry for entry in fresh if rules.is_ours(entry, context.write_id)), None)
        if done is not None:
            return Committed(done, Head(done.n, done))
        try:
            yield from _check(mine, intent, head, fresh)
            yield from _check_receipts(intent, (*older, *fresh))
            entry = yield from _prepare(intent, head, context)
        except NotFoundError:
            # What the head needed may have been expired and collected since it was read.
            head, further = yield from read_forward(head)
            if not further:
                raise
            fresh = (*fresh, *further)
            continue
        holder: Entry = yield TakeSlot(entry)
        before, head = head, advance(head, holder)
        if rules.is_ours(holder, context.write_id):
            return Committed(holder, head)
        effective = (holder,) if head.entry is not before.entry else ()
        head, further = yield from read_forward(head)
        fresh = (*effective, *further)


def _own_footprint(intent: Intent) -> Steps[conflicts.Footprint]:
    effects = intent.effects
    rows = yield from _rows_touched(effects.updated, effects.deleted)
    # Names an intent gives to columns need no check here: building it on the head's schema finds
    # any collision. The table's name rules serve those that only have two entries at hand.
    made = conflicts.footprint(effects, intent.kind, intent.branch, rows, None)
    return replace(made, brought=intent.columns)


def footprint_of(entry: Entry) -> Steps[conflicts.Footprint]:
    """The footprint of a committed entry, its runs and names loaded."""
    effects = entry.operation.effects
    rows = yield from _rows_touched(effects.updated, effects.deleted)
    schema: Schema | None = None
    shown = effects.added or effects.renamed or effects.restored is not None
    if entry.snapshot is not None and shown:
        schema = (yield from load_description(entry.snapshot)).schema
    branch = None if entry.snapshot is None else entry.snapshot.branch
    return conflicts.footprint(effects, entry.operation.kind, branch, rows, schema)


def _rows_touched(updated: RunsValue, deleted: RunsValue) -> Steps[Runs]:
    rows = EMPTY
    for value in (updated, deleted):
        runs = yield from load_runs(value)
        rows = rows.concat(runs.difference(rows))
    return rows


def _check(
    mine: conflicts.Footprint, intent: Intent, head: Head, fresh: tuple[Entry, ...]
) -> Steps[None]:
    """Refuse what conflicts with entries committed meanwhile, or began behind the fence.

    The end of the dataset and the fence come first: behind them objects that the other entries
    need may be gone.
    """
    yield from _check_conflicts(mine, tuple(entry for entry in fresh if rules.is_closed(entry)))
    if head.entry is not None and not rules.is_closed(head.entry):
        _check_head(intent, head.entry)
    yield from _check_conflicts(mine, fresh)


def _check_conflicts(mine: conflicts.Footprint, entries: tuple[Entry, ...]) -> Steps[None]:
    for entry in entries if mine.kinds else ():
        pair = conflicts.conflict(mine, (yield from footprint_of(entry)))
        if pair is not None:
            raise ConflictError(conflicts.explain(pair, entry), entry=entry.n)


def _check_head(intent: Intent, entry: Entry) -> None:
    unknown = unwritable_features(entry)
    if unknown:
        raise InvalidInputError(
            f"writing this dataset needs features of a newer release ({', '.join(unknown)}): "
            "upgrade aiolake",
            features=unknown,
        )
    base = intent.min_base
    if base is not None and rules.behind_fence(base, entry.state):
        raise ConflictError(
            f"the transaction began at entry {base}, before gc raised its fence to "
            f"{entry.state.collect_below}: its objects may be gone; run it again",
            base=base,
        )


def _since_workers_began(intent: Intent, head: Head) -> Steps[tuple[Entry, ...]]:
    """The entries that may have merged a worker's receipt before: those after its base."""
    if not intent.effects.receipts or intent.min_base is None:
        return ()
    found: list[Entry] = []
    for start in range(intent.min_base + 1, head.n + 1, _READ_AT_ONCE):
        numbers = tuple(range(start, min(start + _READ_AT_ONCE, head.n + 1)))
        entries = yield from read_entries(numbers)
        found += [entry for entry in entries if entry is not None]
    return tuple(found)


def _check_receipts(intent: Intent, entries: tuple[Entry, ...]) -> Steps[None]:
    """Refuse receipts that an entry has merged."""
    mine = yield from load_names(intent.effects.receipts)
    for entry in entries if mine else ():
        theirs = yield from load_names(entry.operation.effects.receipts)
        again = [receipt for receipt in mine if receipt in theirs]
        if again:
            raise ConflictError(
                f"receipt {again[0]} was merged already, by entry {entry.n}; its rows are in the "
                "dataset: leave it out",
                entry=entry.n,
                receipts=again,
            )


def _prepare(intent: Intent, head: Head, context: Context) -> Steps[Entry]:
    """Build and seal the entry after ``head`` and write the objects it needs."""
    body = yield from intent.build(head, context.url)
    spill = Spill(head.n, context.new_id)
    entry = yield from _seal(body, head, context.write_id, spill)
    if spill.objects:
        yield PutObjects(tuple(spill.objects))
    return entry


def _seal(body: Body, head: Head, write_id: str, spill: Spill) -> Steps[Entry]:
    """The finished entry: number, time, long values in ``lists/``, pieces folded."""
    snapshot = body.snapshot
    if snapshot is not None:
        rows = yield from spill_rows(snapshot.rows, spill)
        snapshot = msgspec.structs.replace(snapshot, rows=rows)
        if snapshot.description is not None:
            listed = spill_description(snapshot.description, spill)
            if listed is not None:
                snapshot = msgspec.structs.replace(
                    snapshot, description=None, listed_description=listed
                )
        if body.keys is not None:
            snapshot = msgspec.structs.replace(snapshot, keys=(yield from body.keys(spill)))
    entry = Entry(
        format=FORMAT_VERSION,
        requires=body.requires,
        dataset=body.dataset,
        n=head.n + 1,
        write_id=write_id,
        time=rules.entry_time((yield from now()), head.entry),
        operation=Operation(body.kind, spill_effects(body.effects, spill)),
        state=body.state,
        refs=body.refs,
        snapshot=snapshot,
    )
    entry = msgspec.structs.replace(entry, refs=(yield from spill_refs(entry, spill)))
    return (yield from _folded(entry, spill))


def _folded(entry: Entry, spill: Spill) -> Steps[Entry]:
    """An entry of more than 16 KiB has its pieces moved into a list."""
    snapshot = entry.snapshot
    nbytes = len(encode_entry(entry))
    if snapshot is not None and snapshot.pieces and nbytes > FOLD_BYTES:
        n_merged = lists_to_merge(snapshot.lists, len(snapshot.pieces))
        if nbytes - _nbytes_of(snapshot.pieces) > MOST_OTHER_BYTES:
            n_merged = len(snapshot.lists)
        folded = yield from _fold(snapshot, n_merged, spill)
        entry = msgspec.structs.replace(entry, snapshot=folded)
        nbytes = len(encode_entry(entry))
    if nbytes > MAX_ENTRY_BYTES:
        raise InvalidInputError(
            f"the commit's log entry would take {nbytes} bytes, over {MAX_ENTRY_BYTES}; split "
            "the transaction"
        )
    return entry


def _fold(snapshot: Snapshot, n_merged: int, spill: Spill) -> Steps[Snapshot]:
    """A snapshot with its pieces and its newest lists in one list."""
    kept = snapshot.lists[: len(snapshot.lists) - n_merged]
    older = yield from load_lists(snapshot.lists[len(kept) :])
    ref = spill.pieces((*older, *snapshot.pieces))
    return msgspec.structs.replace(snapshot, lists=(*kept, ref), pieces=())


def _nbytes_of(pieces: tuple[Piece, ...]) -> int:
    return len(msgspec.json.encode(pieces))


def lists_to_merge(lists: tuple[ListRef, ...], n_pieces: int) -> int:
    """How many of the newest lists a fold of ``n_pieces`` merges.

    A list is merged when it is no longer than what is merged into it, so that lengths grow
    geometrically and every piece is rewritten a logarithmic number of times.
    """
    n_merged, total = 0, n_pieces
    for ref in reversed(lists):
        if ref.n > total:
            break
        n_merged, total = n_merged + 1, total + ref.n
    return n_merged


def take_slot(entry: Entry) -> Steps[Entry]:
    """Create an entry again and again until its slot is taken; return who holds it.

    ``created`` ends it. A definite refusal of the first attempt is raised: nothing was written.
    Any other answer leaves the outcome open, so the same bytes are created until the slot is
    known to be taken, and then it is read.

    Raises:
        OutcomeUnknownError: The deadline passed.
    """
    n, write_id, data = entry.n, entry.write_id, encode_entry(entry)
    attempt = 0
    while True:
        answer = yield from create_entry(n, data)
        if answer is CreateOutcome.CREATED:
            return entry
        if isinstance(answer, Refused) and attempt == 0:
            raise answer.error
        if answer is CreateOutcome.EXISTS:
            holder = yield from _read_holder(n, attempt)
            if holder is not None:
                return holder
        attempt += 1
        if not (yield from pause(attempt)):
            raise OutcomeUnknownError(
                f"it is not known whether the commit {write_id} became entry {n}; ask "
                f"ds.find_commit({write_id!r}, slot={n}) before trying again",
                write_id=write_id,
                slot=n,
            )


def _read_holder(n: int, attempt: int) -> Steps[Entry | None]:
    """Who holds a taken slot; ``None`` if that cannot be learnt and it may be ourselves."""
    try:
        return (yield from read_entry(n))
    except AiolakeError:
        if attempt == 0:
            raise
        return None


class Outcome(enum.StrEnum):
    """What became of a commit."""

    COMMITTED = "committed"
    NOT_COMMITTED = "not_committed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a commit, and for a committed one its entry's number."""

    outcome: Outcome
    n: int | None = None


def find_done(head: Head, write_id: str) -> Steps[Entry | None]:
    """The entry of the dataset at ``head`` that a caller's own write id made before, if any.

    Cost: see ``find_write``.
    """
    done = yield from find_write(head, write_id)
    if done is None or head.entry is None or done.n < head.entry.state.first:
        return None
    return done


def find_write(head: Head, write_id: str) -> Steps[Entry | None]:
    """The entry with a write id among the newest 1,000 up to ``head``.

    Cost: up to 1,000 GETs, 256 at once.
    """
    low = max(1, head.n - SEARCHED_ENTRIES + 1)
    for stop in range(head.n + 1, low, -_READ_AT_ONCE):
        numbers = tuple(range(max(low, stop - _READ_AT_ONCE), stop))
        for entry in reversed((yield from read_entries(numbers))):
            if entry is not None and rules.is_ours(entry, write_id):
                return entry
    return None


def find_commit(head: Head, write_id: str, slot: int | None) -> Steps[Found]:
    """What became of the commit ``write_id``, whose last attempt was at ``slot``.

    ``head`` must have been read after the attempt. Without a slot, a commit that is not found is
    pending: its put may still land behind the head.
    """
    settled = rules.is_settled(slot, head.n)
    if slot is not None and settled:
        holder = yield from read_entry(slot)
        if holder is not None and rules.is_ours(holder, write_id):
            return Found(Outcome.COMMITTED, slot)
    entry = yield from find_write(head, write_id)
    if entry is not None:
        return Found(Outcome.COMMITTED, entry.n)
    return Found(Outcome.NOT_COMMITTED if settled else Outcome.PENDING)
