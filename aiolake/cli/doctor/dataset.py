"""Checks of a dataset: can it be opened and read, and would upkeep help."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from time import perf_counter

from aiolake.cli.doctor.findings import Finding, Verdict
from aiolake.dataset import maintain
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.describe import column_sizes
from aiolake.errors import AiolakeError
from aiolake.render.text import count, printable, size

__all__ = ["check_dataset"]

_MANY_PIECES = 64


async def check_dataset(dataset: Dataset) -> AsyncIterator[Finding]:
    """Check an open dataset; findings come one by one."""
    yield await _content(dataset)
    yield await _columns(dataset)
    yield await _pieces(dataset)
    yield await _unneeded(dataset)


async def _content(dataset: Dataset) -> Finding:
    sizes = await column_sizes(dataset)
    detail = (
        f"snapshot {dataset.snapshot} of {printable(dataset.branch or 'no branch')}: "
        f"{count(len(dataset), 'row')}, {count(len(sizes), 'column')}, {size(sum(sizes.values()))}"
    )
    return Finding("dataset", Verdict.OK, detail)


async def _columns(dataset: Dataset) -> Finding:
    """Read the first, the middle and the last row of every column."""
    n = len(dataset)
    rows = sorted({0, n // 2, n - 1}) if n else []
    began = perf_counter()
    for name in dataset.schema.names:
        try:
            await dataset.read(rows, columns=[name], decode=False)
        except AiolakeError as error:
            advice = "aiolake verify lists everything that is damaged"
            return Finding("rows", Verdict.FAILED, f"column {name!r}: {error}", advice)
    taken = 1000 * (perf_counter() - began)
    detail = f"{count(len(rows), 'row')} of every column read in {taken:.1f} ms"
    return Finding("rows", Verdict.OK, detail)


async def _pieces(dataset: Dataset) -> Finding:
    worst, name = 0, ""
    for column in dataset.schema.names:
        pieces = await dataset._state.reader.column(column).index.pieces()
        if len(pieces) > worst:
            worst, name = len(pieces), column
    detail = f"at most {count(worst, 'piece')} a column"
    if worst > _MANY_PIECES:
        advice = f"aiolake optimize makes one of the {worst:,} pieces of {name!r}"
        return Finding("pieces", Verdict.NOTE, detail, advice)
    return Finding("pieces", Verdict.OK, detail)


async def _unneeded(dataset: Dataset) -> Finding:
    try:
        planned = await maintain.gc(dataset, grace=timedelta(days=1), dry_run=True)
    except AiolakeError as error:
        return Finding("objects", Verdict.NOTE, str(error), "aiolake verify")
    detail = f"{count(len(planned.keys), 'object')} that no snapshot needs, older than a day"
    if planned.keys:
        return Finding("objects", Verdict.NOTE, detail, "aiolake gc removes them")
    return Finding("objects", Verdict.OK, detail)
