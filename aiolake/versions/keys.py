"""The key column's index: finding keys in it, and what a commit adds to it.

The index is a map from the hash of a key to the row that has it, as runs of which the newer wins.
A hash names one row at most: whoever commits a key looks for it in the branch's newest snapshot.
Which rows are there says the snapshot: deleting a row leaves its record behind, until ``optimize``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, TypeVarTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.errors import AlreadyExistsError, CorruptDataError, InvalidInputError
from aiolake.format.keys import (
    BLOCK_RECORDS,
    GONE,
    NOTHING,
    RECORD_NBYTES,
    U64,
    KeyIndex,
    KeyRun,
    Records,
    Table,
    block_range,
    decode_blocks,
    decode_records,
    decode_run,
    decode_table,
    encode_records,
    last_not_after,
    merged,
    n_blocks,
    records_of,
    run_key,
    table_nbytes,
)
from aiolake.ranges import EMPTY, Ids, Runs, distinct
from aiolake.stores.base import Buffer
from aiolake.versions import rules
from aiolake.versions.blobs import Spill
from aiolake.versions.steps import Steps, compute, read_ranges

__all__ = [
    "Hashes",
    "KeyCache",
    "KeyChanges",
    "NoCache",
    "Planned",
    "compacted",
    "find_key_now",
    "find_keys",
    "plan_keys",
    "read_records",
    "spill_keys",
]

INLINE_BYTES = 2048
WHOLE_RECORDS = 1 << 16
"""Runs up to this are held in memory whole, also if there is but one."""
HELD_RECORDS = 1 << 20
"""Longer runs are never held whole."""
GROWTH = 8
"""All but the oldest run together are at most its ``1 / GROWTH``, else all become one."""
_FETCH_BYTES = 8 << 20
_MUCH = 4096

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Mask: TypeAlias = npt.NDArray[np.bool_]


class KeyCache(Protocol):
    """Where decoded runs, tables and blocks are kept."""

    def get(self, key: Hashable) -> Any:
        """A value, or ``None``."""
        ...

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep a value of so many bytes."""
        ...


class NoCache:
    """Keeps nothing."""

    def get(self, key: Hashable) -> Any:
        """``None``."""
        return

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Nothing."""


_NO_HASHES = np.empty(0, np.uint64)
_NO_ROWS = np.empty(0, np.int64)


class Hashes(msgspec.Struct, frozen=True, eq=False):
    """Hashes of keys: 16 bytes each, as two columns of one length."""

    high: U64 = _NO_HASHES
    low: U64 = _NO_HASHES

    def __len__(self) -> int:
        return len(self.high)

    def take(self, at: Any) -> Hashes:
        """Some of them."""
        return Hashes(self.high[at], self.low[at])

    def concat(self, other: Hashes) -> Hashes:
        """These, then the other's."""
        if not len(self) or not len(other):
            return self if len(self) else other
        return Hashes(
            np.concatenate([self.high, other.high]), np.concatenate([self.low, other.low])
        )


class KeyChanges(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a transaction does to keys.

    Attributes:
        appended: The keys of the rows appended, in their order.
        updated: New keys of rows of the base ...
        updated_rows: ... and those rows' ids.
        left: The keys that those rows had.
        name: The key of a change, for people: by its number among the updated, then the appended.
    """

    appended: Hashes = Hashes()
    updated: Hashes = Hashes()
    updated_rows: Ids = _NO_ROWS
    left: Hashes = Hashes()
    name: Callable[[int], object] = repr

    def __bool__(self) -> bool:
        return bool(len(self.appended) or len(self.updated))


class Planned(msgspec.Struct, frozen=True, eq=False):
    """Records that a commit adds to the index, and rows that it removes: others have their key."""

    records: Records = NOTHING
    replaced: Runs = EMPTY


# Finding


def find_keys(index: KeyIndex, hashes: Hashes, cache: KeyCache) -> Steps[U64]:
    """For each hash the row id of its newest record; ``GONE`` where there is none.

    Whether the row is still among the snapshot's is left to the caller.

    Cost: what is held whole and the tables once, then one range for each block of a longer run
    that is not in memory (neighbours together).
    """
    rows = np.full(len(hashes), GONE, np.uint64)
    open_ = np.ones(len(hashes), bool)
    if index.inline:
        _look(decode_records(index.inline), hashes, rows, open_)
    held = [run for i, run in enumerate(index.runs) if is_held(i, run)]
    long = [run for i, run in enumerate(index.runs) if not is_held(i, run)]
    found = yield from _load(held, cache, "run")
    # The oldest run is the longest. Of the others none may be passed over: the newest wins.
    for run in reversed(index.runs):
        if run in long:
            yield from _look_in_blocks(run, hashes, rows, open_, cache)
        else:
            yield from _worked(len(hashes), _look, found[run], hashes, rows, open_)
    return rows


def find_key_now(index: KeyIndex, high: int, low: int, cache: KeyCache) -> int | None:
    """As ``find_keys``, of one hash; ``None`` where something has to be read first."""
    row = decode_records(index.inline).row_of(high, low) if index.inline else None
    for i in range(len(index.runs) - 1, -1, -1):
        if row is not None:
            break
        run = index.runs[i]
        if is_held(i, run):
            records = cache.get((run_key(run), "run"))
        else:
            table: Table | None = cache.get((run_key(run), "table"))
            if table is None:
                return None
            block = table.block_of(high, low)
            if block < 0:
                continue
            records = cache.get((run_key(run), block))
        if records is None:
            return None
        row = records.row_of(high, low)
    return GONE if row is None else row


def is_held(i: int, run: KeyRun) -> bool:
    """Whether run ``i`` of an index is held in memory whole."""
    return run.n <= (HELD_RECORDS if i else WHOLE_RECORDS)


def _look(records: Records, hashes: Hashes, rows: U64, open_: Mask) -> None:
    """Fill in what is found in a run; what newer runs had is no longer open."""
    wanted = np.flatnonzero(open_)
    at = records.find(hashes.high[wanted], hashes.low[wanted])
    hit = at >= 0
    rows[wanted[hit]] = records.row[at[hit]]
    open_[wanted[hit]] = False


def _worked(n: int, fn: Callable[[*Ts], T], *args: *Ts) -> Steps[T]:
    """The result of a function of about ``n`` values; of many it is computed off the loop."""
    if n <= _MUCH:
        return fn(*args)
    return (yield from compute(fn, *args))


def _whole_range(run: KeyRun) -> tuple[int, int]:
    return 0, block_range(run, 0, n_blocks(run))[1]


def _table_range(run: KeyRun) -> tuple[int, int]:
    return 0, table_nbytes(run)


_PARTS: dict[str, tuple[Callable[[KeyRun], tuple[int, int]], Callable[[Any, KeyRun], Any]]] = {
    "run": (_whole_range, decode_run),
    "table": (_table_range, decode_table),
}


def _load(runs: Sequence[KeyRun], cache: KeyCache, part: str) -> Steps[dict[KeyRun, Any]]:
    """A part of each run, decoded, from the cache or at once."""
    range_of, decode = _PARTS[part]
    found = {run: cache.get((run_key(run), part)) for run in runs}
    missing = [run for run, value in found.items() if value is None]

    def decoded(i: int, data: Buffer) -> Any:
        return decode(data, missing[i])

    ranges = tuple((run_key(run), *range_of(run)) for run in missing)
    for run, value in zip(missing, (yield from read_ranges(ranges, decoded)), strict=True):
        cache.put((run_key(run), part), value, value.nbytes)
        found[run] = value
    return found


def _look_in_blocks(
    run: KeyRun, hashes: Hashes, rows: U64, open_: Mask, cache: KeyCache
) -> Steps[None]:
    """As ``_look``, in a run of which only the blocks touched are read."""
    wanted = np.flatnonzero(open_)
    if not len(wanted):
        return
    table: Table = (yield from _load([run], cache, "table"))[run]
    touched = yield from _worked(len(wanted), _touched, table, hashes, wanted)
    for records in (yield from _blocks(run, table, touched, cache)):
        yield from _worked(len(wanted), _look, records, hashes, rows, open_)


def _touched(table: Table, hashes: Hashes, wanted: Ids) -> list[int]:
    """The blocks that hashes may be in, ascending."""
    at = last_not_after(table.high, table.low, hashes.high[wanted], hashes.low[wanted])
    blocks: list[int] = distinct(at[at >= 0]).tolist()
    return blocks


def _blocks(run: KeyRun, table: Table, touched: list[int], cache: KeyCache) -> Steps[list[Records]]:
    """Blocks of a run; neighbours are read together, and only single ones are kept."""
    key = run_key(run)
    found = {i: cache.get((key, i)) for i in touched} if len(touched) <= 64 else {}
    spans = _spans([i for i in touched if found.get(i) is None])

    ranges = tuple((key, *block_range(run, first, last)) for first, last in spans)
    loaded = yield from _decoded_spans(run, table, spans, ranges)
    for (first, last), records in zip(spans, loaded, strict=True):
        if last - first == 1 and len(touched) <= 64:
            cache.put((key, first), records, records.nbytes)
    return [*(records for records in found.values() if records is not None), *loaded]


def _decoded_spans(
    run: KeyRun,
    table: Table,
    spans: list[tuple[int, int]],
    ranges: tuple[tuple[str, int, int], ...],
) -> Steps[list[Records]]:
    """Spans of blocks, decoded off the loop where they are long; corrupt ones are read again."""
    loaded: list[Records] = []
    read = yield from read_ranges(ranges, lambda i, data: data)
    for span, where, data in zip(spans, ranges, read, strict=True):
        n = (span[1] - span[0]) * BLOCK_RECORDS
        try:
            records = yield from _worked(n, decode_blocks, data, run, table, *span)
        except CorruptDataError:
            (again,) = yield from read_ranges((where,), lambda i, data: data)
            records = decode_blocks(again, run, table, *span)
        loaded.append(records)
    return loaded


def _spans(blocks: list[int]) -> list[tuple[int, int]]:
    """Numbers as half-open spans of neighbours (gaps of two are read over), of at most 8 MiB."""
    longest = _FETCH_BYTES // (BLOCK_RECORDS * RECORD_NBYTES)
    spans: list[tuple[int, int]] = []
    for i in blocks:
        if spans and i - spans[-1][1] <= 2 and i - spans[-1][0] < longest:
            spans[-1] = spans[-1][0], i + 1
        else:
            spans.append((i, i + 1))
    return spans


# Committing


def plan_keys(
    changes: KeyChanges,
    index: KeyIndex,
    rows: Runs,
    deleted: Runs,
    first_row: int,
    on_duplicate: str,
    cache: KeyCache,
) -> Steps[Planned]:
    """What a transaction's keys do to the snapshot it is committed on.

    Args:
        changes: Its keys.
        index: The snapshot's index.
        rows: The snapshot's rows.
        deleted: Those that the transaction removes.
        first_row: The id of the first row it appends.
        on_duplicate: ``"refuse"`` or ``"replace"``.
        cache: Keeps what is read.

    Raises:
        InvalidInputError: A key is given twice in the transaction, and duplicates are refused.
        AlreadyExistsError: A row has one of the keys.
    """
    added, ids = yield from _worked(len(changes.appended), _added, changes, first_row)
    refuse = rules.refuses_duplicates(on_duplicate)
    replaced = EMPTY
    if len(added) < len(ids):
        lost = Runs.from_ids(np.setdiff1d(ids, added.row.astype(np.int64), assume_unique=True))
        if refuse:
            raise _twice(changes, int(np.flatnonzero(ids == lost.at(0))[0]))
        replaced = lost
    found = yield from find_keys(index, Hashes(added.high, added.low), cache)
    left_to_others = yield from _worked(
        len(found), _of_others, found, added.row, rows, deleted, changes.updated_rows
    )
    others = found[left_to_others]
    if len(others) and refuse:
        at = int(np.flatnonzero(found == others[0])[0])
        raise _exists(changes, int(np.flatnonzero(ids == int(added.row[at]))[0]))
    replaced = replaced.concat(Runs.from_ids(np.sort(others).astype(np.int64)))
    left = changes.left
    gone = records_of(left.high, left.low, np.full(len(left), GONE, np.uint64))
    return Planned((yield from _worked(len(ids), merged, [gone, added])), replaced)


def _added(changes: KeyChanges, first_row: int) -> tuple[Records, Ids]:
    """Records of the keys given, and the row of each: of those updated, then those appended."""
    new = changes.updated.concat(changes.appended)
    ids = np.concatenate([changes.updated_rows, first_row + np.arange(len(changes.appended))])
    return records_of(new.high, new.low, ids.astype(np.uint64)), ids


def _of_others(found: U64, own: U64, rows: Runs, deleted: Runs, updated: Ids) -> Mask:
    """Which of the rows found stay after the transaction with the key they have."""
    ids = found.astype(np.int64)
    there = (found != GONE) & (found != own)
    there[there] = rows.positions(ids[there]) >= 0
    there[there] = deleted.positions(ids[there]) < 0
    others: Mask = there & ~np.isin(ids, updated)
    return others


def _twice(changes: KeyChanges, i: int) -> InvalidInputError:
    key = changes.name(i)
    return InvalidInputError(
        f"key {key!r} is given twice in one transaction, and this dataset refuses duplicates; "
        "give each row a key of its own, or create the dataset with on_duplicate='replace'",
        key_value=key,
    )


def _exists(changes: KeyChanges, i: int) -> AlreadyExistsError:
    key = changes.name(i)
    return AlreadyExistsError(
        f"there is a row with the key {key!r} already, and this dataset refuses duplicates; "
        "update that row instead, or leave this one out",
        key_value=key,
    )


def spill_keys(index: KeyIndex, records: Records, spill: Spill, cache: KeyCache) -> Steps[KeyIndex]:
    """The index with records more: inline while they are few, else in a run.

    A run is merged when it is no longer than what is merged into it, so that every record is
    rewritten a logarithmic number of times; the oldest only once all others together are an
    eighth of it.
    """
    newest = [decode_records(index.inline), records]
    inline = yield from _worked(len(records), merged, newest)
    if inline.nbytes <= INLINE_BYTES:
        return KeyIndex(index.runs, encode_records(inline))
    kept = index.runs[: len(index.runs) - runs_to_merge(index.runs, len(inline))]
    return (yield from _with_run(index.runs, kept, inline, None, spill, cache))


def runs_to_merge(runs: Sequence[KeyRun], n_records: int) -> int:
    """How many of the newest runs are merged with ``n_records`` new records."""
    newer = sum(run.n for run in runs[1:]) + n_records
    if runs and newer > max(WHOLE_RECORDS, runs[0].n // GROWTH):
        return len(runs)
    n_merged, total = 0, n_records
    for run in reversed(runs[1:]):
        if run.n > total:
            break
        n_merged, total = n_merged + 1, total + run.n
    return n_merged


def compacted(index: KeyIndex, rows: Runs, spill: Spill, cache: KeyCache) -> Steps[KeyIndex]:
    """The index as one run, without records of rows that are gone."""
    inline = decode_records(index.inline)
    return (yield from _with_run(index.runs, (), inline, rows, spill, cache))


def _with_run(
    runs: tuple[KeyRun, ...],
    kept: tuple[KeyRun, ...],
    inline: Records,
    rows: Runs | None,
    spill: Spill,
    cache: KeyCache,
) -> Steps[KeyIndex]:
    """An index of the runs kept, and one of all others and the inline records."""
    older = yield from _read_runs(runs[len(kept) :], cache)
    n = sum(map(len, older)) + len(inline)
    records = yield from _worked(n, _joined, (*older, inline), not kept, rows)
    if records.nbytes <= INLINE_BYTES:
        return KeyIndex(kept, encode_records(records))
    run = yield from _worked(n, spill.run, records)
    if is_held(len(kept), run):
        cache.put((run_key(run), "run"), records, records.nbytes)
    return KeyIndex((*kept, run))


def read_records(index: KeyIndex, cache: KeyCache) -> Steps[Records]:
    """Every record of an index.

    Cost: reads all of it.
    """
    runs = yield from _read_runs(index.runs, cache)
    newest = decode_records(index.inline)
    return (yield from _worked(sum(map(len, runs)), merged, (*runs, newest)))


def _read_runs(runs: tuple[KeyRun, ...], cache: KeyCache) -> Steps[list[Records]]:
    found = [cache.get((run_key(run), "run")) for run in runs]
    missing = [run for run, records in zip(runs, found, strict=True) if records is None]

    def decoded(i: int, data: Buffer) -> Any:
        return data

    ranges = tuple((run_key(run), *_whole_range(run)) for run in missing)
    loaded = iter((yield from read_ranges(ranges, decoded)))
    out = []
    for run, records in zip(runs, found, strict=True):
        if records is None:
            records = yield from _worked(run.n, decode_run, next(loaded), run)
        out.append(records)
    return out


def _joined(runs: tuple[Records, ...], oldest: bool, rows: Runs | None) -> Records:
    """Runs as one; below the oldest nothing has to be hidden any more."""
    records = merged(runs)
    if oldest:
        records = records.take(records.row != GONE)
    if rows is not None:
        records = records.take(rows.positions(records.row.astype(np.int64)) >= 0)
    return records
