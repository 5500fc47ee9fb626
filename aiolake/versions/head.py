"""Finding the head of the log, following it, and finding snapshots by name and time.

The head is the n for which n exists and n + 1 does not: entries are created one after another and
never deleted, so the numbers have no gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiolake import keys
from aiolake.errors import CorruptDataError, NotFoundError, SnapshotExpiredError
from aiolake.format.entry import Entry, Refs
from aiolake.versions import rules
from aiolake.versions.blobs import load_refs, refs_with
from aiolake.versions.steps import (
    Listing,
    ReadHint,
    Steps,
    list_objects,
    read_entries,
    read_entry,
)

__all__ = [
    "EMPTY_LOG",
    "Head",
    "advance",
    "find_head",
    "read_forward",
    "require_dataset",
    "require_snapshot",
    "snapshot_at",
    "snapshot_of",
    "snapshot_of_branch",
    "snapshot_of_tag",
]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Head:
    """The newest slot taken, and the newest entry that took effect.

    Attributes:
        n: Number of the newest slot taken; 0 in an empty log.
        entry: The newest entry with an effect; ``None`` in an empty log.
    """

    n: int
    entry: Entry | None


EMPTY_LOG = Head(0, None)


def advance(head: Head, entry: Entry) -> Head:
    """The head after one more entry."""
    return Head(entry.n, entry if rules.takes_effect(head.entry, entry) else head.entry)


def find_head(listing: Listing, known: int = 0) -> Steps[Head]:
    """Find the head; ``known`` is an entry that is known to exist, or 0.

    Cost: one LIST and one GET where listings are ordered; else a few GETs more.
    """
    n = max(known, (yield from _newest_listed(listing)))
    if listing is not Listing.ORDERED:
        n = yield from _probe(max(n, (yield from _hinted())))
    if n == 0:
        return EMPTY_LOG
    entry = yield from read_entry(n)
    if entry is None:
        raise _missing(n)
    return Head(n, entry)


def _newest_listed(listing: Listing) -> Steps[int]:
    """The newest entry on the first page that names any; 0 without one."""
    if listing is Listing.NONE:
        return 0
    limit = 1 if listing is Listing.ORDERED else 1000
    token = None
    while True:
        page = yield from list_objects(keys.LOG, limit, token)
        if page is None:
            return (yield from _probe((yield from _hinted())))
        numbers = [n for o in page.objects if (n := keys.entry_number(o.key)) is not None]
        if numbers or page.token is None:
            return max(numbers, default=0)
        token = page.token


def _hinted() -> Steps[int]:
    """The number in the hint, if that entry exists; else 0."""
    n: int = yield ReadHint()
    if not 1 <= n < keys.MAX_ENTRY:
        return 0
    return n if (yield from read_entry(n)) is not None else 0


def _probe(low: int) -> Steps[int]:
    """The head by doubling probes from ``low``, which exists (or is 0), then by bisection."""
    step = 1
    while (yield from read_entry(low + step)) is not None:
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        if (yield from read_entry(middle)) is not None:
            low = middle
        else:
            high = middle
    return low


def read_forward(head: Head) -> Steps[tuple[Head, tuple[Entry, ...]]]:
    """Follow the log from a head that is known.

    Returns:
        The head now, and the entries that took effect since, in order.

    Cost: one GET when there is nothing new; else at most about two for each new entry, in
    batches that double.
    """
    seen: list[Entry] = []
    batch = 1
    while True:
        found = yield from read_entries(tuple(range(head.n + 1, head.n + 1 + batch)))
        for entry in found:
            if entry is None:
                return head, tuple(seen)
            head = advance(head, entry)
            if head.entry is entry:
                seen.append(entry)
        batch = min(2 * batch, _BATCH)


def require_dataset(head: Head, url: str) -> Entry:
    """The head's entry.

    Raises:
        NotFoundError: There is no dataset, or it was deleted.
    """
    if head.entry is None or rules.is_closed(head.entry):
        what = "there is no dataset" if head.entry is None else "the dataset was deleted"
        raise NotFoundError(
            f"{what} at {url}; check the address, or make one with aiolake.create_dataset()",
            url=url,
        )
    return head.entry


def snapshot_of_branch(entry: Entry, branch: str) -> Steps[Entry]:
    """The newest snapshot of a branch, as the entry ``entry`` has it."""
    refs = yield from refs_with(entry, branch=branch)
    return (yield from _named(entry, refs.branches, branch, "branch"))


def snapshot_of_tag(entry: Entry, tag: str) -> Steps[Entry]:
    """The snapshot of a tag."""
    refs = yield from refs_with(entry, tag=tag)
    return (yield from _named(entry, refs.tags, tag, "tag"))


def _named(entry: Entry, table: dict[str, int | None], name: str, what: str) -> Steps[Entry]:
    n = table.get(name)
    if n is None:
        known = ", ".join(sorted(key for key, value in table.items() if value is not None)[:20])
        raise NotFoundError(
            f"there is no {what} {name!r}; there are: {known or 'none'}", **{what: name}
        )
    return (yield from require_snapshot(entry, n))


def snapshot_of(entry: Entry, n: int) -> Steps[Entry]:
    """A snapshot by its number, if it may still be opened.

    Raises:
        NotFoundError: No entry, or one that is no commit.
        SnapshotExpiredError: It was expired.
    """
    if not entry.state.first <= n <= entry.n:
        raise NotFoundError(
            f"there is no snapshot {n}; they are between {entry.state.first} and {entry.n}",
            snapshot=n,
        )
    if n < entry.state.expire_below:
        refs = yield from load_refs(entry)
        if not rules.is_held(n, entry.state, refs):
            raise SnapshotExpiredError(
                f"snapshot {n} was expired; the oldest that may be opened is "
                f"{entry.state.expire_below}",
                snapshot=n,
            )
    return (yield from require_snapshot(entry, n))


def require_snapshot(head: Entry, n: int) -> Steps[Entry]:
    """The entry of a snapshot that is known to exist."""
    found = head if head.n == n else (yield from read_entry(n))
    if found is None:
        raise _missing(n)
    if found.snapshot is None or found.dataset != head.dataset:
        raise NotFoundError(f"entry {n} is no snapshot ({found.operation.kind})", snapshot=n)
    return found


def snapshot_at(head: Entry, time: datetime, branch: str) -> Steps[Entry]:
    """The snapshot a branch had at a time: bisection from the dataset's first entry."""
    text = rules.entry_time(time, None)
    low, found = head.state.first, head
    if head.time > text:
        high = head.n
        first = yield from read_entry(low)
        if first is None or first.time > text:
            raise NotFoundError(f"the dataset did not exist yet at {text}", time=text)
        found = first
        while high - low > 1:
            middle = (low + high) // 2
            entry = yield from read_entry(middle)
            if entry is None:
                raise _missing(middle)
            if entry.time > text:
                high = middle
            else:
                low, found = middle, entry
    refs = yield from _refs_then(head, found, branch)
    n = refs.branches.get(branch)
    if n is None:
        raise NotFoundError(f"there was no branch {branch!r} at {text}", branch=branch)
    return (yield from snapshot_of(head, n))


def _refs_then(head: Entry, found: Entry, branch: str) -> Steps[Refs]:
    """The table of names an entry has; that of an expired one may have been collected."""
    try:
        return (yield from refs_with(found, branch=branch))
    except NotFoundError as error:
        if found.n >= head.state.expire_below:
            raise
        raise SnapshotExpiredError(
            f"what the branches named at {found.time} was expired; the oldest entry that may be "
            f"opened is {head.state.expire_below}",
            snapshot=found.n,
        ) from error


def held_numbers(refs: Refs) -> tuple[int, ...]:
    """The snapshots that branches and tags hold, ascending, each once."""
    named = {*refs.branches.values(), *refs.tags.values()}
    return tuple(sorted(n for n in named if n is not None))


def _missing(n: int) -> CorruptDataError:
    key = keys.entry_key(n)
    return CorruptDataError(f"log entry {key!r} is missing; restore the object", key=key)
