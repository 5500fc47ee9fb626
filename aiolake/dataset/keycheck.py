"""Holding the index of keys against the key column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import cast

import numpy as np

from aiolake.chunks.assemble import encoded_of
from aiolake.chunks.located import Located
from aiolake.chunks.read import ColumnReader
from aiolake.codecs import ByteRows, FixedRows, hash_keys, is_key_type, key_values
from aiolake.dataset.problems import Problems
from aiolake.dataset.state import Core, snapshot_reader
from aiolake.errors import InvalidInputError
from aiolake.format.entry import Description, Entry
from aiolake.format.keys import (
    GONE,
    NOTHING,
    RECORD_NBYTES,
    KeyIndex,
    KeyRun,
    Records,
    block_range,
    decode_blocks,
    decode_records,
    decode_table,
    merged,
    run_key,
    table_nbytes,
)
from aiolake.keys import entry_key
from aiolake.ranges import Ids, Runs
from aiolake.stores.base import Buffer

__all__ = ["check_keys"]

_PART_RECORDS = 1 << 20
_STEP_ROWS = 16_384
_ALL_HASHES = 1 << 64


async def check_keys(
    core: Core, entry: Entry, description: Description, rows: Runs, problems: Problems
) -> None:
    """Whether the index leads from each row's key to that row, and from no other key to it.

    Cost: reads the index, and the key column once for each million of records.
    """
    snapshot, where = entry.snapshot, f"snapshot {entry.n}: "
    assert snapshot is not None
    if description.key is None or snapshot.keys is None:
        return
    column = next((c for c in description.schema.columns if c.id == description.key), None)
    if column is None or not is_key_type(column.type):
        problems.add(entry_key(entry.n), f"{where}its key column cannot be one, or is not there")
        return
    reader = snapshot_reader(core, snapshot, description.schema).column(column.name)
    n_inline = len(snapshot.keys.inline) // RECORD_NBYTES
    if len(rows) > sum(run.n for run in snapshot.keys.runs) + n_inline:
        problems.add(entry_key(entry.n), f"{where}the index of keys has fewer records than rows")
        return
    check = _Check(reader, rows)
    for first, last in _parts(snapshot.keys):
        records = await _between(core, snapshot.keys, first, last)
        wrong = await check.take(records)
        if wrong is not None:
            problems.add(entry_key(entry.n), where + wrong)
            return
    missing = check.missing()
    if missing is not None:
        problems.add(entry_key(entry.n), where + missing)


def _parts(index: KeyIndex) -> Iterator[tuple[int, int]]:
    """The first halves of hashes, divided so that some million records fall into each part."""
    n = sum(run.n for run in index.runs)
    n_parts = 1 + n // _PART_RECORDS
    edges = [i * _ALL_HASHES // n_parts for i in range(n_parts + 1)]
    return pairwise(edges)


async def _between(core: Core, index: KeyIndex, first: int, last: int) -> Records:
    """The newest record of each hash whose first half lies in ``[first, last)``."""
    found = [await _of_run(core, run, first, last) for run in index.runs]
    found.append(decode_records(index.inline))
    return merged([_cut(records, first, last) for records in found])


async def _of_run(core: Core, run: KeyRun, first: int, last: int) -> Records:
    key = run_key(run)
    table = decode_table(await core.store.get_range(key, 0, table_nbytes(run)), run)
    low = max(0, int(np.searchsorted(table.high, np.uint64(first), "left")) - 1)
    high = int(np.searchsorted(table.high, np.uint64(last - 1), "right"))
    if low >= high:
        return NOTHING
    data = await core.store.get_range(key, *block_range(run, low, high))
    return decode_blocks(data, run, table, low, high)


def _cut(records: Records, first: int, last: int) -> Records:
    return records.take((records.high >= np.uint64(first)) & (records.high <= np.uint64(last - 1)))


class _Check:
    """Rows, and which of them the index has led to."""

    def __init__(self, reader: ColumnReader, rows: Runs) -> None:
        self._reader, self._rows = reader, rows
        self._seen = np.zeros(len(rows), bool)

    async def take(self, records: Records) -> str | None:
        """Records of distinct hashes; what is wrong with one of them."""
        at = self._rows.positions(records.row.astype(np.int64))
        there = (records.row != GONE) & (at >= 0)
        live, at = records.take(there), at[there]
        order = np.argsort(at)
        live, at = live.take(order), at[order]
        for start in range(0, len(live), _STEP_ROWS):
            part = live.take(slice(start, start + _STEP_ROWS))
            wrong = await self._wrong(part)
            if wrong is not None:
                return wrong
        self._seen[at] = True
        return None

    async def _wrong(self, records: Records) -> str | None:
        ids = records.row.astype(np.int64)
        located = await self._reader.index.locate(ids)
        payloads = await self._reader.payloads(located, keep=False)
        return await self._reader.pool.run(self._compare, ids, records, located, payloads)

    def _compare(
        self, ids: Ids, records: Records, located: Located, payloads: Sequence[Buffer]
    ) -> str | None:
        rows = cast("FixedRows | ByteRows", encoded_of(self._reader.codec, located, payloads))
        try:
            high, low = hash_keys(key_values(rows))
        except InvalidInputError as error:
            return f"row id {ids[error.context.get('row', 0)]}: {error.message}"
        other = (high != records.high) | (low != records.low)
        if not other.any():
            return None
        return (
            f"the index of keys leads from another key to row id {ids[np.argmax(other)]}; "
            "aiolake.optimize cannot mend it: copy the rows into a new dataset"
        )

    def missing(self) -> str | None:
        """Rows that no key leads to."""
        n = len(self._seen) - int(self._seen.sum())
        if not n:
            return None
        row = self._rows.at(int(np.argmin(self._seen)))
        return (
            f"the index of keys does not find the keys of {n} rows, row id {row} among them; "
            "copy the rows into a new dataset"
        )
