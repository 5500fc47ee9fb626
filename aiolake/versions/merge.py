"""Merging a branch into another: what the one did since they parted, done to the other.

Rows keep their ids, which are given once for the whole log, and pieces are shared. Where the
branches did what cannot be told apart, the merge is refused and says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np

from aiolake.errors import ConflictError, InvalidInputError, NotFoundError
from aiolake.format.entry import (
    Description,
    Effects,
    Entry,
    ListRef,
    LogState,
    Piece,
    RowRuns,
    Snapshot,
)
from aiolake.format.keys import NOTHING, KeyIndex, Records
from aiolake.ranges import EMPTY, Runs
from aiolake.types import Column, Schema
from aiolake.versions import rules
from aiolake.versions.blobs import load_description, load_lists, load_rows
from aiolake.versions.delta import WriteKeys
from aiolake.versions.head import Head, require_dataset, snapshot_of
from aiolake.versions.intents import BaseIntent, Body, branch_head, named
from aiolake.versions.keys import Hashes, KeyCache, NoCache, find_keys, read_records, spill_keys
from aiolake.versions.lineage import Changes, Lineage, changes_of, lineage
from aiolake.versions.overlay import Claims, OrderError, laid_anew, laid_over
from aiolake.versions.steps import Steps

__all__ = ["Merge"]

_MANY_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(BaseIntent):
    """A new snapshot of a branch, with what another snapshot has beside it.

    Attributes:
        on_branch: The branch that is merged into.
        snapshot: What is merged.
        source: Its branch's name, for people.
    """

    on_branch: str
    snapshot: int
    source: str
    message: str = ""
    author: str = ""
    kind: str = "merge"
    cache: KeyCache = field(default_factory=NoCache)

    @property
    def effects(self) -> Effects:
        """See ``Intent``; what else it touches is looked for on each head."""
        return Effects(merged=self.snapshot)

    @property
    def branch(self) -> str | None:
        """See ``Intent``."""
        return self.on_branch

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``.

        Raises:
            ConflictError: The branches did what cannot be told apart; says what, and where.
        """
        entry = require_dataset(head, url)
        parent = yield from branch_head(entry, self.on_branch)
        source = yield from snapshot_of(entry, self.snapshot)
        merged = yield from self._merged(parent, source, entry.state)
        snapshot = msgspec.structs.replace(
            merged.snapshot,
            branch=self.on_branch,
            parent=parent.n,
            message=self.message,
            author=self.author,
        )
        refs = named(entry.refs, branch=self.on_branch, n=head.n + 1)
        return self._body(
            entry, self.kind, merged.effects, refs=refs, snapshot=snapshot, keys=merged.keys
        )

    def _merged(self, parent: Entry, source: Entry, state: LogState) -> Steps[_Merged]:
        past = yield from lineage(parent, source)
        if not past.theirs:
            raise self._refused(f"snapshot {source.n} is part of it already; refresh")
        try:
            return (yield from self._of(past, parent, source))
        except NotFoundError as error:
            base = past.base
            if "key" not in error.context or base is None or base.n >= state.expire_below:
                raise
            raise self._refused(
                f"snapshot {base.n}, from which both come, was expired and collected; append the "
                "rows that are wanted in a transaction",
                snapshot=base.n,
            ) from error

    def _of(self, past: Lineage, parent: Entry, source: Entry) -> Steps[_Merged]:
        theirs = yield from changes_of(past.theirs)
        if not past.ours:
            return _fast_forward(source, theirs)
        ours = yield from changes_of(past.ours)
        self._check(past, ours, theirs)
        sides = yield from _loaded(parent, source, ours, theirs)
        return (yield from self._joined(sides))

    def _refused(self, why: str, **context: Any) -> ConflictError:
        return ConflictError(
            f"{self.source!r} cannot be merged into {self.on_branch!r}: {why}",
            branch=self.source,
            **context,
        )

    def _check(self, past: Lineage, ours: Changes, theirs: Changes) -> None:
        """Refuse what cannot be told apart from the effects alone."""
        if past.base is None:
            raise self._refused("they have no snapshot in common")
        for changes, branch in ((ours, self.on_branch), (theirs, self.source)):
            if changes.restored is not None:
                n = changes.restored.n
                raise self._refused(
                    f"{branch!r} was restored to an older snapshot in snapshot {n}, after they "
                    "parted; copy the rows that are wanted in a transaction",
                    snapshot=n,
                )
        self._check_columns(past, ours, theirs)
        both = theirs.updated.intersection(_union(ours.updated, ours.deleted))
        both = _union(both, theirs.deleted.intersection(ours.updated))
        if both:
            raise self._refused(
                f"both changed {len(both)} of the same rows (ids {_shown(both)}) since snapshot "
                f"{past.base.n}; undo the change on one of them, then merge",
                rows=tuple(both.flat()),
            )

    def _check_columns(self, past: Lineage, ours: Changes, theirs: Changes) -> None:
        for entry in past.theirs:
            effects = entry.operation.effects
            if effects.merged is None and (effects.renamed or effects.dropped):
                done = "renamed" if effects.renamed else "dropped"
                raise self._refused(
                    f"a column was {done} there in snapshot {entry.n}; do the same in a commit "
                    f"to {self.on_branch!r} by hand and append the rows, or merge the other way",
                    snapshot=entry.n,
                )
        if theirs.updated_columns & ours.dropped:
            raise self._refused("it updated values of a column that was dropped here")
        same = sorted(theirs.metadata & ours.metadata)
        if same:
            raise self._refused(f"both set the metadata {', '.join(same[:_MANY_NAMES])}")

    def _joined(self, sides: _Sides) -> Steps[_Merged]:
        ours, theirs = sides.ours, sides.theirs
        description = self._described(sides)
        kept = {column.id for column in description.schema.columns}
        keys, replaced = yield from self._keys(sides)
        gone = _union(theirs.deleted, replaced)
        rows = sides.our_rows.difference(gone).concat(sides.brought)
        lists, pieces = yield from self._laid(sides, description, rows)
        snapshot = msgspec.structs.replace(
            sides.parent,
            description=description,
            listed_description=None,
            rows=RowRuns(n=len(rows), tail=tuple(rows.flat())),
            lists=lists,
            pieces=pieces,
        )
        effects = Effects(
            appended=len(sides.brought),
            updated=tuple(theirs.updated.flat()),
            updated_columns=tuple(sorted(theirs.updated_columns if theirs.updated else ())),
            deleted=tuple(sides.our_rows.intersection(gone).flat()),
            added=tuple(sorted(theirs.added & kept - ours.added)),
            metadata=tuple(sorted(theirs.metadata)),
            merged=sides.source_n,
        )
        return _Merged(snapshot, effects, keys)

    def _described(self, sides: _Sides) -> Description:
        """Our columns and theirs that are new; our metadata and theirs that changed."""
        ours, source, changed = sides.described, sides.their_description, sides.theirs.metadata
        known = {column.id: column for column in source.schema.columns}
        mine = [_about(column, known.get(column.id), changed) for column in ours.schema.columns]
        have = {column.id for column in mine}
        new = [c for c in source.schema.columns if c.id in sides.theirs.added - have]
        try:
            schema = Schema((*mine, *new))
        except InvalidInputError as error:
            raise self._refused(f"the columns collide: {error.message}") from error
        metadata = _changed(ours.metadata, source.metadata, changed, "")
        return msgspec.structs.replace(ours, schema=schema, metadata=metadata)

    def _laid(
        self, sides: _Sides, description: Description, rows: Runs
    ) -> Steps[tuple[tuple[ListRef, ...], tuple[Piece, ...]]]:
        """Lists and pieces in which every row has its value: ours, and over them some of theirs.

        Where that cannot do (an ``optimize`` there gave all rows new pieces, which would undo
        updates here), all pieces are laid anew. Lists that begin both are not read before that.
        """
        ours, theirs = sides.parent, sides.source
        claims = [_claims(sides, column, rows) for column in description.schema.columns]
        n_shared = _n_shared(ours.lists, theirs.lists)
        mine = yield from _pieces_of(ours, n_shared)
        other = yield from _pieces_of(theirs, n_shared)
        over = [laid_over(mine[each.column], other[each.column], each) for each in claims]
        if all(pieces is not None for pieces in over):
            return ours.lists, (*ours.pieces, *(p for pieces in over for p in pieces or ()))
        mine = yield from _pieces_of(ours, 0)
        other = yield from _pieces_of(theirs, 0)
        try:
            anew = [laid_anew(mine[each.column], other[each.column], each) for each in claims]
        except OrderError:
            raise self._refused(
                "it was optimized, and both updated values: its updates cannot be told from "
                "values that were only rewritten; make its updates again here, in a transaction"
            ) from None
        return (), tuple(piece for pieces in anew for piece in pieces)

    def _keys(self, sides: _Sides) -> Steps[tuple[WriteKeys | None, Runs]]:
        """What becomes of the index of keys, and which of our rows have a key of theirs."""
        index, other = sides.parent.keys, sides.source.keys
        key = sides.described.key
        if index is None or other is None:
            return None, EMPTY
        if key in sides.theirs.updated_columns and sides.theirs.updated:
            raise self._refused("it gave rows other keys; do that here, in a transaction")
        records = yield from _records_of(other, index, sides.brought, self.cache)
        if not len(records):
            return None, EMPTY
        found = yield from find_keys(index, Hashes(records.high, records.low), self.cache)
        ids = found.astype(np.int64)
        rows = sides.our_rows.difference(sides.theirs.deleted)
        there = rows.positions(ids) >= 0
        if there.any() and rules.refuses_duplicates(sides.described.on_duplicate):
            at = int(np.argmax(there))
            raise self._refused(_same_key(rows, sides.their_rows, int(ids[at]), records, at))
        writer = partial(_write_keys, index, records, self.cache)
        return writer, Runs.from_ids(np.sort(ids[there]))


@dataclass(frozen=True, slots=True)
class _Merged:
    snapshot: Snapshot
    effects: Effects
    keys: WriteKeys | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Both sides of a merge, loaded."""

    parent: Snapshot
    source: Snapshot
    source_n: int
    ours: Changes
    theirs: Changes
    described: Description
    their_description: Description
    our_rows: Runs
    their_rows: Runs
    brought: Runs


def _loaded(parent: Entry, source: Entry, ours: Changes, theirs: Changes) -> Steps[_Sides]:
    assert parent.snapshot is not None
    assert source.snapshot is not None
    our_rows = yield from load_rows(parent.snapshot.rows)
    their_rows = yield from load_rows(source.snapshot.rows)
    brought = their_rows.intersection(theirs.appended).difference(our_rows)
    return _Sides(
        parent=parent.snapshot,
        source=source.snapshot,
        source_n=source.n,
        ours=ours,
        theirs=theirs,
        described=(yield from load_description(parent.snapshot)),
        their_description=(yield from load_description(source.snapshot)),
        our_rows=our_rows,
        their_rows=their_rows,
        brought=brought,
    )


def _n_shared(ours: Sequence[ListRef], theirs: Sequence[ListRef]) -> int:
    """How many lists begin both."""
    pairs = zip(ours, theirs, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))


def _pieces_of(snapshot: Snapshot, n_left_out: int) -> Steps[defaultdict[int, list[Piece]]]:
    """The pieces of each column, oldest first, without those of its first lists."""
    listed = yield from load_lists(snapshot.lists[n_left_out:])
    found: defaultdict[int, list[Piece]] = defaultdict(list)
    for piece in (*listed, *snapshot.pieces):
        found[piece.column].append(piece)
    return found


def _claims(sides: _Sides, column: Column, rows: Runs) -> Claims:
    """Whose value each row has: of rows both have, that of who updated it."""
    brought, their_rows = sides.brought, sides.their_rows
    ours, theirs, fill = rows.difference(their_rows), brought, EMPTY
    if all(column.id != each.id for each in sides.their_description.schema.columns):
        ours, theirs, fill = rows.difference(brought), EMPTY, brought
    elif all(column.id != each.id for each in sides.described.schema.columns):
        ours, theirs, fill = EMPTY, rows.intersection(their_rows), ours
    else:
        if column.id in sides.theirs.updated_columns:
            theirs = _union(theirs, sides.theirs.updated.intersection(rows))
        if column.id in sides.ours.updated_columns:
            ours = _union(ours, sides.ours.updated.intersection(rows).difference(theirs))
    return Claims(column.id, rows, ours, theirs, fill, column.default)


def _about(column: Column, theirs: Column | None, changed: set[str]) -> Column:
    """Our column, with the metadata of it that they changed."""
    if theirs is None:
        return column
    metadata = _changed(column.metadata, theirs.metadata, changed, str(column.id))
    return msgspec.structs.replace(column, metadata=metadata)


def _changed(
    ours: dict[str, Any], theirs: dict[str, Any], changed: set[str], of: str
) -> dict[str, Any]:
    """Metadata of ours, with those of theirs whose keys changed."""
    keys = {key.removeprefix(f"{of}/") for key in changed if key.startswith(f"{of}/")}
    kept = {key: value for key, value in ours.items() if key not in keys}
    return {**kept, **{key: value for key, value in theirs.items() if key in keys}}


def _fast_forward(source: Entry, theirs: Changes) -> _Merged:
    """We did nothing since: theirs is what comes out, whatever they did."""
    assert source.snapshot is not None
    restored = theirs.restored
    rows = theirs.appended
    effects = Effects(
        appended=len(rows),
        updated=tuple(theirs.updated.flat()),
        updated_columns=tuple(sorted(theirs.updated_columns)),
        deleted=tuple(theirs.deleted.flat()),
        added=tuple(sorted(theirs.added)),
        renamed=tuple(sorted(theirs.renamed)),
        dropped=tuple(sorted(theirs.dropped)),
        metadata=tuple(sorted(theirs.metadata)),
        optimized=theirs.optimized,
        restored=None if restored is None else restored.operation.effects.restored,
        merged=source.n,
    )
    return _Merged(source.snapshot, effects)


def _records_of(index: KeyIndex, known: KeyIndex, rows: Runs, cache: KeyCache) -> Steps[Records]:
    """The records of some rows, in what of an index another has not."""
    if not rows:
        return NOTHING
    runs = tuple(run for run in index.runs if run not in known.runs)
    records = yield from read_records(KeyIndex(runs, index.inline), cache)
    return records.take(rows.positions(records.row.astype(np.int64)) >= 0)


def _write_keys(index: KeyIndex, records: Records, cache: KeyCache, spill: Any) -> Steps[KeyIndex]:
    return (yield from spill_keys(index, records, spill, cache))


def _same_key(ours: Runs, theirs: Runs, our_id: int, records: Records, at: int) -> str:
    here = int(ours.positions(np.asarray([our_id]))[0])
    there = int(theirs.positions(records.row[at : at + 1].astype(np.int64))[0])
    return (
        f"row {here} here and row {there} there have the same key, and this dataset refuses "
        "duplicates; delete one of them or give it another key, then merge"
    )


def _union(a: Runs, b: Runs) -> Runs:
    return a.concat(b.difference(a))


def _shown(rows: Runs) -> str:
    ids = rows.ids()[:_MANY_NAMES].tolist()
    return ", ".join(map(str, ids)) + (", ..." if len(rows) > _MANY_NAMES else "")
