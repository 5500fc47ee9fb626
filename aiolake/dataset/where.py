"""Rows that match conditions: which, in what order of reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from aiolake._aio import WorkPool, map_concurrently
from aiolake.chunks.conditions import condition_of
from aiolake.chunks.filter import STEP_ROWS, ColumnFilter, column_filter
from aiolake.dataset.state import State
from aiolake.errors import InvalidInputError
from aiolake.predicates import Predicate, predicate_of
from aiolake.ranges import EMPTY, Ids, Runs

__all__ = ["matching_rows", "predicates_of"]

_AT_ONCE = 4


def predicates_of(
    conditions: Mapping[str, Any] | None, named: Mapping[str, Any]
) -> dict[str, Predicate]:
    """The conditions of a call, by column name.

    Raises:
        InvalidInputError: There are none, a name is given twice, or a value is no condition.
    """
    if conditions is not None and not isinstance(conditions, Mapping):
        raise InvalidInputError(
            "where() takes conditions by column, as in where(label=3) or "
            f"where({{'meta/width': 3}}), got {conditions!r:.80}"
        )
    given = dict(conditions or {})
    twice = given.keys() & named.keys()
    if twice:
        raise InvalidInputError(f"where(): column {min(twice)!r} is given twice; join conditions")
    given.update(named)
    if not given:
        raise InvalidInputError("where() needs at least one condition, as in where(label=3)")
    return {name: predicate_of(value) for name, value in given.items()}


async def matching_rows(state: State, rows: Runs, predicates: Mapping[str, Predicate]) -> Runs:
    """The rows, in their order, that match every condition.

    Raises:
        InvalidInputError: There is no such column, or its values cannot be compared so.
    """
    readers = [state.reader.column(name) for name in state.schema.select(predicates).names]
    conditions = [
        condition_of(predicates[reader.column.name], reader.column, reader.codec)
        for reader in readers
    ]
    if not rows:
        return rows
    found = await map_concurrently(
        lambda pair: column_filter(*pair, rows), list(zip(readers, conditions, strict=True))
    )
    filters = sorted(found, key=lambda each: each.rank)
    pool = readers[0].pool
    return await _filtered(filters, await pool.run(_possible, filters, rows), pool)


def _possible(filters: Sequence[ColumnFilter], rows: Runs) -> Runs:
    return reduce(lambda left, each: each.possible(left), filters, rows)


async def _filtered(filters: Sequence[ColumnFilter], rows: Runs, pool: WorkPool) -> Runs:
    """In steps of bounded memory, some at once; what is kept are runs."""

    async def step(start: int) -> Runs:
        ids = await pool.run(_ids, rows, start, min(len(rows), start + STEP_ROWS))
        for each in filters:
            if len(ids):
                ids = ids[await each.matching(ids)]
        return await pool.run(Runs.from_ids, ids)

    parts: list[Runs] = []
    for at in range(0, len(rows), STEP_ROWS * _AT_ONCE):
        starts = range(at, min(len(rows), at + STEP_ROWS * _AT_ONCE), STEP_ROWS)
        parts += await map_concurrently(step, starts)
    return await pool.run(_joined, parts)


def _ids(rows: Runs, start: int, stop: int) -> Ids:
    return rows.take(np.arange(start, stop, dtype=np.int64))


def _joined(parts: Sequence[Runs]) -> Runs:
    if not parts:
        return EMPTY
    starts = np.concatenate([part.starts for part in parts])
    stops = np.concatenate([part.stops for part in parts])
    return Runs.from_bounds(starts, stops)
