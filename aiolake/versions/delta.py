"""What a transaction changes, and the snapshot that results on a given base. Mostly pure.

A delta never holds a resulting piece list: it is applied anew on every head it is rebased on. Its
new columns have provisional ids (-1, -2, ...) and its appended pieces row ids from 0; real ids are
given when it is applied, from the log-wide counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from aiolake.errors import ConflictError, InvalidInputError
from aiolake.format.entry import Description, Effects, LogState, Piece, RowRuns, Snapshot
from aiolake.ranges import EMPTY, Runs
from aiolake.types import Column, ColumnType, Constant, Schema
from aiolake.versions import rules
from aiolake.versions.blobs import load_description, load_lists, load_rows
from aiolake.versions.steps import Steps

__all__ = ["REMOVED", "Applied", "Delta", "NewColumn", "apply", "effects_of", "moved"]


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
        )

    def updated_rows(self) -> Runs:
        """The row ids its updates touch."""
        return _union(Runs.from_flat(piece.rows) for piece in self.updates)


@dataclass(frozen=True, slots=True)
class Applied:
    """A delta on a base: the new content, the log's state, and what was touched."""

    snapshot: Snapshot
    state: LogState
    effects: Effects


def _union(many: Iterable[Runs]) -> Runs:
    union = EMPTY
    for runs in many:
        union = union.concat(runs.difference(union))
    return union


def apply(delta: Delta, base: Snapshot, state: LogState) -> Steps[Applied]:
    """Apply a delta to the head snapshot of its branch.

    Raises:
        ConflictError: What it builds on is gone (a name taken, a column or piece missing).
    """
    description = yield from load_description(base)
    ids = {new.id: state.next_column_id + i for i, new in enumerate(delta.added)}
    evolved = Description(
        _evolve(description.schema, delta, ids), _merged(description.metadata, delta.metadata)
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
        rows=(yield from _rows(delta, base.rows, state)),
        lists=lists,
        pieces=tuple(piece for piece in pieces if piece.column in kept),
    )
    grown = rules.next_ids(state, delta.appended, len(delta.added))
    return Applied(snapshot, grown, effects_of(delta, ids))


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


def _rows(delta: Delta, rows: RowRuns, state: LogState) -> Steps[RowRuns]:
    if delta.deleted:
        runs = (yield from load_rows(rows)).difference(delta.deleted)
        rows = RowRuns(n=len(runs), tail=tuple(runs.flat()))
    if not delta.appended:
        return rows
    tail = Runs.from_flat(rows.tail).concat(Runs.of((state.next_row_id, delta.appended)))
    return RowRuns(n=rows.n + delta.appended, listed=rows.listed, tail=tuple(tail.flat()))


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


def effects_of(delta: Delta, ids: Mapping[int, int] | None = None) -> Effects:
    """What a delta touches; ``ids`` are the real ids of its provisional columns, once given."""
    ids = {new.id: new.id for new in delta.added} if ids is None else ids
    columns = {ids.get(piece.column, piece.column) for piece in delta.updates}
    of_columns = (f"{ids.get(id, id)}/{key}" for id, key in delta.column_metadata)
    return Effects(
        appended=delta.appended,
        updated=tuple(delta.updated_rows().flat()),
        updated_columns=tuple(sorted(columns)),
        deleted=tuple(delta.deleted.flat()),
        added=tuple(ids.values()),
        renamed=tuple(ids.get(id, id) for id in delta.renamed),
        dropped=tuple(ids.get(id, id) for id in delta.dropped),
        metadata=(*(f"/{key}" for key in delta.metadata), *of_columns),
        optimized=len(delta.replaced),
        receipts=delta.receipts,
    )
