"""The past of a branch, and the difference between two snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from aiolake.format.entry import Entry
from aiolake.ranges import Runs
from aiolake.types import Column, Schema
from aiolake.versions.blobs import load_description, load_rows
from aiolake.versions.steps import Steps, read_entries

__all__ = ["SchemaDiff", "SnapshotDiff", "ancestors", "diff", "schema_diff"]

_BATCH = 32


def ancestors(entry: Entry, limit: int) -> Steps[tuple[Entry, ...]]:
    """A snapshot and those before it, newest first, at most ``limit``.

    Cost: about one GET each, 32 at once; parents on a busy log of several branches a few more.
    """
    chain, near = [entry], {entry.n: entry}
    while len(chain) < limit:
        snapshot = chain[-1].snapshot
        parent = None if snapshot is None else snapshot.parent
        if parent is None:
            break
        if parent not in near:
            numbers = tuple(range(max(1, parent - _BATCH + 1), parent + 1))
            found = yield from read_entries(numbers[-max(1, limit - len(chain)) :])
            near = {item.n: item for item in found if item is not None}
        if parent not in near:
            break
        chain.append(near[parent])
    return tuple(chain)


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """Columns added, dropped and changed (name, metadata) between two schemas."""

    added: tuple[Column, ...]
    dropped: tuple[Column, ...]
    changed: tuple[tuple[Column, Column], ...]


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """Rows and columns that differ between two snapshots of one dataset.

    Attributes:
        added: Row ids that only the second has.
        removed: Row ids that only the first has.
        schema: The difference of their columns.
        metadata: Keys of the dataset's metadata that differ.
    """

    added: Runs
    removed: Runs
    schema: SchemaDiff
    metadata: tuple[str, ...]


def diff(old: Entry, new: Entry) -> Steps[SnapshotDiff]:
    """The difference from one snapshot to another of the same dataset."""
    assert old.snapshot is not None
    assert new.snapshot is not None
    before = yield from load_description(old.snapshot)
    after = yield from load_description(new.snapshot)
    old_rows = yield from load_rows(old.snapshot.rows)
    new_rows = yield from load_rows(new.snapshot.rows)
    keys = sorted({*before.metadata, *after.metadata})
    missing = object()
    changed = (
        key for key in keys if before.metadata.get(key, missing) != after.metadata.get(key, missing)
    )
    return SnapshotDiff(
        new_rows.difference(old_rows),
        old_rows.difference(new_rows),
        schema_diff(before.schema, after.schema),
        tuple(changed),
    )


def schema_diff(old: Schema, new: Schema) -> SchemaDiff:
    """The difference of two schemas; columns are the same when their ids are."""
    before = {column.id: column for column in old.columns}
    after = {column.id: column for column in new.columns}
    return SchemaDiff(
        added=tuple(after[id] for id in after if id not in before),
        dropped=tuple(before[id] for id in before if id not in after),
        changed=tuple(
            (before[id], after[id]) for id in after if id in before and before[id] != after[id]
        ),
    )
