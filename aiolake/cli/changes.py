"""``aiolake diff`` and ``restore``: what differs between snapshots, and going back to one."""

from __future__ import annotations

from typing import Any

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.dataset.dataset import Dataset
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.render.text import count, printable
from aiolake.types import Column, summary
from aiolake.versions.history import SchemaDiff, SnapshotDiff

__all__ = ["diff", "restore"]


async def diff(
    address: str, old: str, new: str | None = None, /, *, common: Common = DEFAULTS
) -> Exit:
    """Say what differs between two snapshots: rows, columns, metadata.

    Args:
        address: A dataset: URL, or URL@branch, URL@tag, URL@17.
        old: A snapshot's number, a branch or a tag.
        new: Another one; by default what the address names.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        first = await _numbered(dataset, old)
        second = dataset.snapshot if new is None else await _numbered(dataset, new)
        found = await dataset.history.diff(first, second)
    output.document({"old": first, "new": second, **_diff_json(found)})
    _print_diff(output, first, second, found)
    return Exit.OK


async def _numbered(dataset: Dataset, name: str) -> int:
    """The snapshot that a number, a branch or a tag names.

    Raises:
        NotFoundError: There is none of that name.
    """
    if name.isascii() and name.isdigit():
        return int(name)
    names = {**await dataset.tags.list(), **await dataset.branches.list()}
    if name not in names:
        known = ", ".join(names)
        raise NotFoundError(
            f"{dataset.url} has no branch or tag {name!r}; there are: {known}; snapshots are "
            "numbers",
            name=name,
        )
    return names[name]


def _diff_json(found: SnapshotDiff) -> dict[str, Any]:
    return {
        "rows_added": len(found.added),
        "rows_removed": len(found.removed),
        "columns": {
            "added": [_column_json(column) for column in found.schema.added],
            "dropped": [_column_json(column) for column in found.schema.dropped],
            "changed": [
                {"before": _column_json(before), "after": _column_json(after)}
                for before, after in found.schema.changed
            ],
        },
        "metadata": list(found.metadata),
    }


def _column_json(column: Column) -> dict[str, Any]:
    return {"name": column.name, "type": summary(column.type), "metadata": column.metadata}


def _print_diff(output: Output, old: int, new: int, found: SnapshotDiff) -> None:
    output.line(f"From snapshot {old} to {new}:")
    lines = [
        *([f"+ {count(len(found.added), 'row')}"] if found.added else []),
        *([f"- {count(len(found.removed), 'row')}"] if found.removed else []),
        *_schema_lines(found.schema),
        *(f"~ metadata {printable(key)}" for key in found.metadata),
    ]
    for line in lines or ["  the same rows, columns and metadata; values may have been updated"]:
        output.line(line)


def _schema_lines(schema: SchemaDiff) -> list[str]:
    return [
        *(f"+ column {printable(c.name)}: {printable(summary(c.type))}" for c in schema.added),
        *(f"- column {printable(c.name)}: {printable(summary(c.type))}" for c in schema.dropped),
        *(f"~ column {_change(before, after)}" for before, after in schema.changed),
    ]


def _change(before: Column, after: Column) -> str:
    if before.name != after.name:
        return f"{printable(before.name)} is {printable(after.name)} now"
    return f"{printable(after.name)}: other metadata"


async def restore(
    address: str, snapshot: int, /, *, message: str = "", common: Common = DEFAULTS
) -> Exit:
    """Commit the content of an older snapshot as a branch's newest; nothing is lost.

    Args:
        address: A dataset: URL (main) or URL@branch.
        snapshot: The number of the snapshot to take over.
        message: Said in the history.
        common: Options of every command.
    """
    if snapshot < 1:
        raise InvalidInputError(f"a snapshot's number is at least 1, got {snapshot}")
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        n = await dataset.history.restore(snapshot, message)
        output.document({"snapshot": n, "restored": snapshot, "rows": len(dataset)})
        output.line(
            f"Snapshot {n} holds what snapshot {snapshot} held: {count(len(dataset), 'row')}."
        )
    return Exit.OK
