"""What a transaction changes, and the snapshot that results on a given base. Mostly pure.

A delta never holds a resulting piece list: it is applied anew on every head it is rebased on. Its
new columns have provisional ids (-1, -2, ...) and its appended pieces row ids from 0; real ids are
given when it is applied, from the log-wide counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from aiolake.errors import ConflictError, InvalidInputError
from aiolake.format.entry import Description, Effects, LogState, Piece, RowRuns, Snapshot
from aiolake.format.keys import KeyIndex
from aiolake.ranges import EMPTY, Runs
from aiolake.types import Column, ColumnType, Constant, Schema
from aiolake.versions import rules
from aiolake.versions.blobs import Spill, load_description, load_lists, load_rows
from aiolake.versions.keys import (
    KeyCache,
    KeyChanges,
    Planned,
    compacted,
    plan_keys,
    spill_keys,
)
from aiolake.versions.steps import Steps

__all__ = [
    "REMOVED",
    "Applied",
    "Delta",
    "NewColumn",
    "WriteKeys",
    "apply",
    "effects_of",
    "moved",
]

WriteKeys: TypeAlias = Callable[[Spill], Steps[KeyIndex]]
"""Writes an index of keys with the objects of an entry."""


class _Removed:
    def __repr__(self) -> str:
        return "REMOVED"

    def __reduce__(self) -> str:
        return "REMOVED"


REMOVED = _Removed()
"""Stands for a metadata key that is taken away."""


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to be added; ``id`` is provisional, below 0."""

    id: int
    name: str
    type: ColumnType
    default: Constant = field(default_factory=Constant)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Pending changes on a base.

    Attributes:
        appended: Rows appended.
        pieces: Their payloads, over row ids from 0.
        updates: Overlay pieces, over row ids of the base, oldest first.
        deleted: Row ids removed.
        added: Columns added.
        renamed: New name by column id.
        dropped: Column ids.
        metadata: Values by key; ``REMOVED`` takes one away.
        column_metadata: Likewise by column id and key.
        receipts: Ids of merged receipts, whose rows are among those appended.
        replaced: Pieces that ``optimize`` read ...
        replacements: ... and what stands in their place.
        keys: The keys of rows appended and updated, where a column is the key.
        compacts_keys: Write the index of keys anew, without rows that are gone.
    """

    appended: int = 0
    pieces: tuple[Piece, ...] = ()
    updates: tuple[Piece, ...] = ()
    deleted: Runs = EMPTY
    added: tuple[NewColumn, ...] = ()
    renamed: Mapping[int, str] = field(default_factory=dict)
    dropped: tuple[int, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    column_metadata: Mapping[tuple[int, str], Any] = field(default_factory=dict)
    receipts: tuple[str, ...] = ()
    replaced: tuple[Piece, ...] = ()
    replacements: tuple[Piece, ...] = ()
    keys: KeyChanges = field(default_factory=KeyChanges)
    compacts_keys: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether committing it would change nothing."""
        return not (
            self.appended
            or self.updates
            or self.deleted
            or self.added
            or self.renamed
            or self.dropped
            or self.metadata
            or self.column_metadata
            or self.replaced
            or self.replacements
            or self.compacts_keys
        )

    def updated_rows(self) -> Runs:
        """The row ids its updates touch."""
        return _union(Runs.from_flat(piece.rows) for piece in self.updates)


@dataclass(frozen=True, slots=True)
class Applied:
    """A delta on a base: the new content, the log's state, and what was touched.

    ``keys`` writes the index of keys, where it changes.
    """

    snapshot: Snapshot
    state: LogState
    effects: Effects
    keys: WriteKeys | None = None


def _union(many: Iterable[Runs]) -> Runs:
    union = EMPTY
    for runs in many:
        union = union.concat(runs.difference(union))
    return union


def apply(delta: Delta, base: Snapshot, state: LogState, cache: KeyCache) -> Steps[Applied]:
    """Apply a delta to the head snapshot of its branch.

    Raises:
        ConflictError: What it builds on is gone (a name taken, a column or piece missing).
        AlreadyExistsError: A row has a key that it gives, and duplicates are refused.
        InvalidInputError: It gives a key twice, and duplicates are refused.
    """
    description = yield from load_description(base)
    planned = yield from _plan_keys(delta, base, description, state, cache)
    ids = {new.id: state.next_column_id + i for i, new in enumerate(delta.added)}
    evolved = msgspec.structs.replace(
        description,
        schema=_evolve(description.schema, delta, ids),
        metadata=_merged(description.metadata, delta.metadata),
    )
    pieces, lists = base.pieces, base.lists
    if delta.replaced:
        pieces = yield from _replaced(delta, base)
        lists = ()
    pieces = (*pieces, *_new_pieces(delta, evolved.schema, ids, state))
    kept = {column.id for column in evolved.schema.columns}
    unchanged = evolved == description
    snapshot = msgspec.structs.replace(
        base,
        description=None if unchanged and base.listed_description else evolved,
        listed_description=base.listed_description if unchanged else None,
        rows=(yield from _rows(delta, base.rows, state, planned.replaced)),
        lists=lists,
        pieces=tuple(piece for piece in pieces if piece.column in kept),
    )
    grown = rules.next_ids(state, delta.appended, len(delta.added))
    effects = effects_of(delta, ids, planned.replaced)
    return Applied(snapshot, grown, effects, _keys_writer(delta, snapshot, planned, cache))


def _plan_keys(
    delta: Delta, base: Snapshot, description: Description, state: LogState, cache: KeyCache
) -> Steps[Planned]:
    if base.keys is None or not delta.keys:
        return Planned()
    rows = yield from load_rows(base.rows)
    return (
        yield from plan_keys(
            delta.keys,
            base.keys,
            rows,
            delta.deleted,
            state.next_row_id,
            description.on_duplicate,
            cache,
        )
    )


def _keys_writer(
    delta: Delta, snapshot: Snapshot, planned: Planned, cache: KeyCache
) -> WriteKeys | None:
    index = snapshot.keys
    if index is not None and delta.compacts_keys:
        return lambda spill: _compacted(index, snapshot.rows, spill, cache)
    if index is not None and len(planned.records):
        return lambda spill: spill_keys(index, planned.records, spill, cache)
    return None


def _compacted(index: KeyIndex, rows: RowRuns, spill: Spill, cache: KeyCache) -> Steps[KeyIndex]:
    return (yield from compacted(index, (yield from load_rows(rows)), spill, cache))


def _replaced(delta: Delta, base: Snapshot) -> Steps[tuple[Piece, ...]]:
    """The base's pieces with those that were optimized replaced, under all newer ones."""
    listed = yield from load_lists(base.lists)
    present = (*listed, *base.pieces)
    replaced = Counter(delta.replaced)
    gone = (replaced - Counter(present)).total()
    if gone:
        raise ConflictError(
            f"{gone} of the pieces that optimize replaces are gone: another optimize or "
            "restore came first; run it again"
        )
    return (*delta.replacements, *_without(present, replaced))


def _without(present: Iterable[Piece], replaced: Counter[Piece]) -> Iterator[Piece]:
    """What is left. Of equal pieces the oldest go: a row may be set to None again meanwhile."""
    left = Counter(replaced)
    for piece in present:
        if left[piece]:
            left[piece] -= 1
        else:
            yield piece


def _new_pieces(
    delta: Delta, schema: Schema, ids: Mapping[int, int], state: LogState
) -> tuple[Piece, ...]:
    first = state.next_row_id
    added = [_fill(ids[new.id], new.default, 0, first) for new in delta.added if first]
    appended = [moved(_renumbered(piece, ids), first) for piece in delta.pieces]
    given = {piece.column for piece in appended}
    filled = [
        _fill(column.id, column.default, first, delta.appended)
        for column in schema.columns
        if delta.appended and column.id not in given
    ]
    updates = (_renumbered(piece, ids) for piece in delta.updates)
    return (*added, *appended, *filled, *updates)


def _fill(column: int, default: Constant, first: int, count: int) -> Piece:
    return Piece(column=column, rows=(first, count), constant=default)


def _renumbered(piece: Piece, ids: Mapping[int, int]) -> Piece:
    """A piece with its column's real id."""
    id = ids.get(piece.column)
    return piece if id is None else msgspec.structs.replace(piece, column=id)


def moved(piece: Piece, by: int) -> Piece:
    """A piece over row ids that are greater by a number."""
    if not by:
        return piece
    rows = tuple(v if i % 2 else v + by for i, v in enumerate(piece.rows))
    return msgspec.structs.replace(piece, rows=rows)


def _rows(delta: Delta, rows: RowRuns, state: LogState, replaced: Runs) -> Steps[RowRuns]:
    gone = _union((delta.deleted, replaced))
    if gone:
        runs = (yield from load_rows(rows)).difference(gone)
        rows = RowRuns(n=len(runs), tail=tuple(runs.flat()))
    new = Runs.of((state.next_row_id, delta.appended)).difference(replaced)
    if not new:
        return rows
    tail = Runs.from_flat(rows.tail).concat(new)
    return RowRuns(n=rows.n + len(new), listed=rows.listed, tail=tuple(tail.flat()))


def _evolve(schema: Schema, delta: Delta, ids: Mapping[int, int]) -> Schema:
    """The schema with columns dropped, renamed and added."""
    known = {column.id for column in schema.columns}
    missing = [id for id in (*delta.renamed, *delta.dropped) if id >= 0 and id not in known]
    if missing:
        raise ConflictError(
            "a column that is to be renamed or dropped was dropped by another commit; "
            "refresh and retry",
            columns=missing,
        )
    added = [
        Column(ids[new.id], new.name, new.type, dict(new.metadata), new.default)
        for new in delta.added
    ]
    renamed = {ids.get(id, id): name for id, name in delta.renamed.items()}
    dropped = {ids.get(id, id) for id in delta.dropped}
    columns = tuple(
        _changed(column, renamed, delta, ids)
        for column in (*schema.columns, *added)
        if column.id not in dropped
    )
    if not columns:
        raise ConflictError(
            "other commits dropped the other columns, and a dataset has at least one; refresh "
            "and retry"
        )
    try:
        return Schema(columns)
    except InvalidInputError as error:
        raise ConflictError(f"the columns collide: {error}; refresh and retry") from error


def _changed(
    column: Column, renamed: Mapping[int, str], delta: Delta, ids: Mapping[int, int]
) -> Column:
    changes = {
        key: value for (id, key), value in delta.column_metadata.items()
        if ids.get(id, id) == column.id
    }  # fmt: skip
    return msgspec.structs.replace(
        column,
        name=renamed.get(column.id, column.name),
        metadata=_merged(column.metadata, changes),
    )


def _merged(metadata: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**metadata, **changes}
    return {key: value for key, value in merged.items() if value is not REMOVED}


def effects_of(
    delta: Delta, ids: Mapping[int, int] | None = None, replaced: Runs = EMPTY
) -> Effects:
    """What a delta touches.

    Args:
        delta: The changes.
        ids: The real ids of its provisional columns, once they are given.
        replaced: Rows that it removes on the head, since its own have their keys.
    """
    ids = {new.id: new.id for new in delta.added} if ids is None else ids
    columns = {ids.get(piece.column, piece.column) for piece in delta.updates}
    of_columns = (f"{ids.get(id, id)}/{key}" for id, key in delta.column_metadata)
    return Effects(
        appended=delta.appended,
        updated=tuple(delta.updated_rows().flat()),
        updated_columns=tuple(sorted(columns)),
        deleted=tuple(_union((delta.deleted, replaced)).flat()),
        added=tuple(ids.values()),
        renamed=tuple(ids.get(id, id) for id in delta.renamed),
        dropped=tuple(ids.get(id, id) for id in delta.dropped),
        metadata=(*(f"/{key}" for key in delta.metadata), *of_columns),
        optimized=len(delta.replaced),
        receipts=delta.receipts,
    )
