"""``aiolake create`` and ``rm``: the beginning and the end of a dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from aiolake.cli.address import opened, opened_whole
from aiolake.cli.asking import ask
from aiolake.cli.columns import parse_columns
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.describe import column_sizes
from aiolake.dataset.open import create_dataset, delete_dataset
from aiolake.errors import InvalidInputError
from aiolake.render.text import count, printable, size
from aiolake.types import Column, ColumnType, summary

__all__ = ["create", "rm"]


async def create(
    address: str,
    /,
    *columns: str,
    like: str | None = None,
    key: str | None = None,
    on_duplicate: Literal["refuse", "replace"] = "refuse",
    row_metadata: bool = False,
    metadata: str = "{}",
    message: str = "",
    common: Common = DEFAULTS,
) -> Exit:
    """Create a dataset without rows.

    Args:
        address: Where; nothing may be there.
        columns: Its columns: image=Image, 'label=ClassLabel(cat, dog)', 'vector=Embedding(768)'.
        like: Take the columns of this dataset.
        key: The column whose values name rows.
        on_duplicate: What becomes of a row whose key is there already.
        row_metadata: Let every row have a JSON value beside its columns.
        metadata: A JSON object.
        message: Said in the history.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    schema: Mapping[str, ColumnType] = parse_columns(columns)
    if like is not None:
        schema = {**await _columns_of(like, common), **schema}
    if not schema:
        raise InvalidInputError(
            "a dataset has at least one column; write aiolake create ADDRESS image=Image, or "
            "--like OTHER"
        )
    made = create_dataset(
        address,
        schema,
        message=message,
        metadata=_object(metadata),
        key=key,
        on_duplicate=on_duplicate,
        row_metadata=row_metadata,
        creds=creds_of(common.creds),
    )
    async with made as dataset:
        output.document({"url": dataset.url, "columns": _columns_json(dataset)})
        output.line(f"Created {printable(dataset.url)} with {count(len(schema), 'column')}.")
        rows = [(c.name, summary(c.type)) for c in dataset.schema.columns]
        output.table(("column", "type"), rows)
    return Exit.OK


async def _columns_of(address: str, common: Common) -> dict[str, ColumnType]:
    async with opened(address, creds=common.creds) as dataset:
        return {column.name: column.type for column in dataset.schema.columns}


def _columns_json(dataset: Dataset) -> list[dict[str, Any]]:
    return [_column_json(column) for column in dataset.schema.columns]


def _column_json(column: Column) -> dict[str, Any]:
    return {"name": column.name, "type": summary(column.type)}


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"--metadata is a JSON object, got {text!r:.80}: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInputError(f"--metadata is a JSON object, got {text!r:.80}")
    return value


async def rm(
    address: str,
    /,
    *,
    purge: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    common: Common = DEFAULTS,
) -> Exit:
    """Delete a dataset: all rows, snapshots, branches and tags, for good.

    Args:
        address: A dataset's URL.
        purge: Remove the log too, which otherwise stays so that a writer that is still at work
            cannot harm what is created there later.
        yes: Do not ask.
        dry_run: Only say what would be removed.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened_whole(address, creds=common.creds) as dataset:
        facts = await _doomed(dataset)
    kept = "nothing stays" if purge else "its log stays"
    output.line(
        f"{printable(facts['url'])}: {count(facts['rows'], 'row')}, {size(facts['nbytes'])}, "
        f"{count(len(facts['branches']), 'branch', 'branches')}, "
        f"{count(len(facts['tags']), 'tag')}; {kept}."
    )
    if dry_run:
        output.document({**facts, "dry_run": True})
        return Exit.OK
    if not yes:
        await ask("Delete all of it, for good?", "nothing was deleted")
    await delete_dataset(facts["url"], purge=purge, creds=creds_of(common.creds))
    output.document({**facts, "dry_run": False})
    output.line("Deleted.")
    return Exit.OK


async def _doomed(dataset: Dataset) -> dict[str, Any]:
    branches = await dataset.branches.list()
    return {
        "url": dataset.url,
        "rows": len(dataset),
        "branches": list(branches),
        "tags": list(await dataset.tags.list()),
        "nbytes": sum((await column_sizes(dataset)).values()),
    }
