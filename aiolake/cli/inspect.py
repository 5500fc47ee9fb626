"""``aiolake info``, ``log`` and ``ls``: what a dataset is, was and holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.rows import parse_rows
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.describe import column_sizes
from aiolake.dataset.history import SnapshotInfo
from aiolake.dataset.referring import references
from aiolake.dataset.view import View
from aiolake.errors import InvalidInputError
from aiolake.render.text import (
    as_json,
    cell,
    count,
    is_encoded,
    printable,
    shortened,
    size,
    values_of,
    when,
)
from aiolake.types import Column, Link, summary

__all__ = ["info", "log", "ls"]

_STEP = 64


async def info(address: str, /, *, common: Common = DEFAULTS) -> Exit:
    """Say what a dataset is: columns, rows, sizes, snapshot, branches and tags.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        facts = await _facts(dataset)
    if common.json:
        output.document(facts)
    else:
        _print_facts(output, facts)
    return Exit.OK


async def _facts(dataset: Dataset) -> dict[str, Any]:
    (newest,) = await dataset.history.list(limit=1)
    sizes = await column_sizes(dataset)
    return {
        "url": dataset.url,
        "branch": dataset.branch,
        "snapshot": snapshot_json(newest),
        "rows": len(dataset),
        "nbytes": sum(sizes.values()),
        "columns": [_column_json(column, sizes) for column in dataset.schema.columns],
        "branches": await dataset.branches.list(),
        "tags": await dataset.tags.list(),
        "metadata": dataset.metadata,
    }


def _column_json(column: Column, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": summary(column.type),
        "nbytes": sizes[column.name],
        "metadata": column.metadata,
    }


def snapshot_json(info: SnapshotInfo) -> dict[str, Any]:
    """A snapshot of the history as JSON."""
    return {
        "id": info.id,
        "parent": info.parent,
        "branch": info.branch,
        "time": info.time.isoformat(),
        "operation": info.operation,
        "message": info.message,
        "author": info.author,
        "rows": info.n_rows,
        "write_id": info.write_id,
    }


def _print_facts(output: Output, facts: dict[str, Any]) -> None:
    snapshot = facts["snapshot"]
    time = snapshot["time"][:19].replace("T", " ")
    message = f": {shortened(snapshot['message'])}" if snapshot["message"] else ""
    at = f"on branch {facts['branch']}" if facts["branch"] else "fixed"
    stored = f"{size(facts['nbytes'])} in {count(len(facts['columns']), 'column')}"
    output.line(printable(facts["url"]))
    output.line(f"snapshot  {snapshot['id']}, {at}, {time} UTC{message}")
    output.line(f"rows      {facts['rows']:,}")
    output.line(f"stored    {stored}")
    output.line(f"branches  {_names(facts['branches'])}")
    output.line(f"tags      {_names(facts['tags'])}")
    if facts["metadata"]:
        metadata = json.dumps(facts["metadata"], ensure_ascii=False)
        output.line(f"metadata  {shortened(metadata, 200)}")
    output.line()
    rows = [(c["name"], printable(c["type"]), size(c["nbytes"])) for c in facts["columns"]]
    output.table(("column", "type", "stored"), rows, right=("stored",))


def _names(table: dict[str, int]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in table.items()) or "none"


async def log(address: str, /, *, limit: int = 20, common: Common = DEFAULTS) -> Exit:
    """List the snapshots of a branch, newest first.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        limit: How many at most.
        common: Options of every command.
    """
    if limit < 1:
        raise InvalidInputError(f"--limit is at least 1, got {limit}")
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        history = await dataset.history.list(limit=limit + 1)
    shown = history[:limit]
    output.document([snapshot_json(info) for info in shown])
    header = ("snapshot", "time", "operation", "rows", "message", "author")
    output.table(header, [_log_row(info) for info in shown], right=("snapshot", "rows"))
    if len(history) > limit:
        output.line(f"There are older ones: aiolake log --limit {10 * limit} ...")
    return Exit.OK


def _log_row(info: SnapshotInfo) -> Sequence[str]:
    return (
        str(info.id),
        when(info.time),
        info.operation,
        f"{info.n_rows:,}",
        shortened(info.message),
        shortened(info.author),
    )


async def ls(
    address: str,
    /,
    *,
    rows: str = "0:20",
    columns: str | None = None,
    common: Common = DEFAULTS,
) -> Exit:
    """Show rows: labels, numbers, the beginnings of texts, what pictures measure.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        rows: Which: 0:20, -5: (with =, as in --rows=-5:), 7, or 3,1,4.
        columns: Names with commas between them; all by default.
        common: Options of every command.
    """
    selector = parse_rows(rows)
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        at = range(len(dataset))
        numbers = at[selector] if isinstance(selector, slice) else selector
        view = dataset.select(*columns.split(",")) if columns else dataset[:]
        found = await _listed(view, numbers, as_cells=not common.json)
        n_rows = len(dataset)
    if common.json:
        output.document(found)
        return Exit.OK
    output.table(
        ("row", *view.schema.names), [tuple(row.values()) for row in found], right=("row",)
    )
    output.line(f"{count(len(found), 'row')} of {n_rows:,}")
    return Exit.OK


async def _listed(view: View, numbers: Sequence[int], *, as_cells: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start in range(0, len(numbers), _STEP):
        step = list(numbers[start : start + _STEP])
        values = await _values(view, step)
        for i, number in enumerate(step):
            row = number + len(view) if number < 0 else number
            shown = {
                column.name: _shown(column, values[column.name][i], as_cells)
                for column in view.schema.columns
            }
            found.append({"row": str(row) if as_cells else row, **shown})
    return found


def _shown(column: Column, value: Any, as_cells: bool) -> Any:
    return (cell if as_cells else as_json)(column.type, value)


async def _values(view: View, numbers: Sequence[int]) -> dict[str, list[Any]]:
    """Values of some rows; pictures as their stored bytes, links as what they refer to."""
    columns = view.schema.columns
    links = [column.name for column in columns if isinstance(column.type, Link)]
    here = [column for column in columns if column.name not in links]
    encoded = [column.name for column in here if is_encoded(column.type)]
    decoded = [column.name for column in here if not is_encoded(column.type)]
    batches: dict[str, Any] = {name: await references(view, list(numbers), name) for name in links}
    if encoded:
        batches |= await view.read(numbers, columns=encoded, decode=False)
    if decoded:
        batches |= await view.read(numbers, columns=decoded)
    return {column.name: values_of(batches[column.name]) for column in columns}
