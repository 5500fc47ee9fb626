"""What two snapshots have in common, and what each has beside it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiolake.format.entry import Entry
from aiolake.ranges import EMPTY, Runs
from aiolake.versions.blobs import load_runs
from aiolake.versions.steps import Steps, read_entries

__all__ = ["Changes", "Lineage", "changes_of", "lineage"]

_BATCH = 32
_OURS, _THEIRS = 1, 2
_BOTH = _OURS | _THEIRS


@dataclass(frozen=True, slots=True)
class Lineage:
    """Two snapshots' histories.

    Attributes:
        base: The newest snapshot that both come from; ``None`` without one.
        ours: Commits that only ours comes from, newest first.
        theirs: Commits that only theirs comes from, newest first.
    """

    base: Entry | None
    ours: tuple[Entry, ...]
    theirs: tuple[Entry, ...]


def lineage(ours: Entry, theirs: Entry) -> Steps[Lineage]:
    """Walk back from two snapshots until all that is left is common to both.

    A merge comes from both of its sides. Numbers grow from parent to child, so that every child
    of the greatest number waiting has been seen.

    Cost: about one GET for each commit since the common one, 32 at once.
    """
    marks = {ours.n: _OURS}
    marks[theirs.n] = marks.get(theirs.n, 0) | _THEIRS
    near = {ours.n: ours, theirs.n: theirs}
    waiting = [-n for n in marks]
    heapq.heapify(waiting)
    found: dict[int, list[Entry]] = {_OURS: [], _THEIRS: []}
    base: Entry | None = None
    while waiting and (base is None or any(marks[-n] != _BOTH for n in waiting)):
        n = -heapq.heappop(waiting)
        if n not in near:
            read = yield from read_entries(tuple(range(max(1, n - _BATCH + 1), n + 1)))
            near.update({entry.n: entry for entry in read if entry is not None})
        entry = near.get(n)
        if entry is None or entry.snapshot is None:
            continue
        if marks[n] == _BOTH:
            base = entry if base is None else base
        else:
            found[marks[n]].append(entry)
        for parent in _parents(entry):
            if parent not in marks:
                heapq.heappush(waiting, -parent)
            marks[parent] = marks.get(parent, 0) | marks[n]
    return Lineage(base, tuple(found[_OURS]), tuple(found[_THEIRS]))


def _parents(entry: Entry) -> list[int]:
    assert entry.snapshot is not None
    parents = (entry.snapshot.parent, entry.operation.effects.merged)
    return [n for n in parents if n is not None]


@dataclass(slots=True)
class Changes:
    """What some commits did together.

    Attributes:
        appended: Ids that rows were given.
        updated: Rows whose values changed, but for those appended.
        updated_columns: Columns of those values.
        deleted: Rows removed, but for those appended.
        added: Columns added.
        renamed: Columns renamed.
        dropped: Columns dropped.
        metadata: Metadata keys changed, see ``Effects``.
        optimized: Pieces replaced.
        restored: An entry that took over an older snapshot.
    """

    appended: Runs = EMPTY
    updated: Runs = EMPTY
    updated_columns: set[int] = field(default_factory=set)
    deleted: Runs = EMPTY
    added: set[int] = field(default_factory=set)
    renamed: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    metadata: set[str] = field(default_factory=set)
    optimized: int = 0
    restored: Entry | None = None


def changes_of(entries: Iterable[Entry]) -> Steps[Changes]:
    """What commits did together; those of a merge's other side are among them by themselves."""
    changes = Changes()
    for entry in entries:
        effects = entry.operation.effects
        if effects.restored is not None:
            changes.restored = entry
        if effects.merged is not None:
            continue
        last = entry.state.next_row_id
        changes.appended = _with(
            changes.appended, Runs.of((last - effects.appended, effects.appended))
        )
        changes.updated = _with(changes.updated, (yield from load_runs(effects.updated)))
        changes.deleted = _with(changes.deleted, (yield from load_runs(effects.deleted)))
        changes.updated_columns.update(effects.updated_columns)
        changes.added.update(effects.added)
        changes.renamed.update(effects.renamed)
        changes.dropped.update(effects.dropped)
        changes.metadata.update(effects.metadata)
        changes.optimized += effects.optimized
    changes.updated = changes.updated.difference(changes.appended)
    changes.deleted = changes.deleted.difference(changes.appended)
    return changes


def _with(runs: Runs, more: Runs) -> Runs:
    return runs.concat(more.difference(runs))
