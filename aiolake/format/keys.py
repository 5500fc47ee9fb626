"""The index of a key column: from the hash of a key to the row that has it. Pure.

A run is an object of records ascending by hash, 1,024 to a block::

    table   for each block u64 high, u64 low of its first record and u32 crc32c, as three columns
    blocks  of n records each: n x u64 high, n x u64 low, n x u64 row id

Source: docs/spec/v1.md, "Keys".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.errors import FormatError
from aiolake.format.checksum import crc32c, verify
from aiolake.format.numbers import Count, Crc, Id, LogNumber
from aiolake.keys import LISTS, object_key

__all__ = [
    "BLOCK_RECORDS",
    "GONE",
    "NOTHING",
    "KeyIndex",
    "KeyRun",
    "Records",
    "Table",
    "decode_records",
    "decode_run",
    "decode_table",
    "encode_records",
    "encode_run",
    "merged",
    "records_of",
    "run_key",
    "table_nbytes",
]

BLOCK_RECORDS = 1024
RECORD_NBYTES = 24
GONE = (1 << 64) - 1
"""In place of a row id: the row that had the key has another one now."""
_FENCE_NBYTES = 20

U64: TypeAlias = npt.NDArray[np.uint64]


class KeyRun(msgspec.Struct, frozen=True):
    """A run of records in ``lists/``: where it lies, how many they are, its table's crc32c."""

    base: LogNumber
    id: Id
    n: Count
    crc: Crc


class KeyIndex(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the index of a snapshot's keys is.

    Attributes:
        runs: Runs, oldest first; the newer wins.
        inline: The newest records, as a block.
    """

    runs: tuple[KeyRun, ...] = ()
    inline: bytes = b""

    def __post_init__(self) -> None:
        if len(self.inline) % RECORD_NBYTES:
            raise ValueError("the records of keys are cut short")
        if self.inline and not _ascend(decode_records(self.inline)):
            raise ValueError("the records of keys do not ascend")


class Records(msgspec.Struct, frozen=True, eq=False):
    """Records as columns, ascending by (``high``, ``low``), each hash once.

    Attributes:
        high: (n,) the first half of the hash.
        low: (n,) its second half.
        row: (n,) row id, or ``GONE``.
    """

    high: U64
    low: U64
    row: U64

    def __len__(self) -> int:
        return len(self.high)

    @property
    def nbytes(self) -> int:
        """Bytes they take."""
        return RECORD_NBYTES * len(self.high)

    def row_of(self, high: int, low: int) -> int | None:
        """The row id of one hash, or ``None``."""
        at = _last(self.high, self.low, high, low)
        if at < 0 or self.high.item(at) != high or self.low.item(at) != low:
            return None
        return self.row.item(at)

    def take(self, at: Any) -> Records:
        """Some of them, by index or mask."""
        return Records(self.high[at], self.low[at], self.row[at])

    def find(self, high: U64, low: U64) -> npt.NDArray[np.int64]:
        """Where hashes stand, -1 for those that are not here."""
        at = last_not_after(self.high, self.low, high, low)
        if not len(self.high):
            return at
        hit = (at >= 0) & (self.high[at] == high) & (self.low[at] == low)
        return np.where(hit, at, -1)


_EMPTY = np.empty(0, np.uint64)
NOTHING = Records(_EMPTY, _EMPTY, _EMPTY)
"""No records."""


class Table(msgspec.Struct, frozen=True, eq=False):
    """The first hash and the crc32c of each block of a run."""

    high: U64
    low: U64
    crc: npt.NDArray[np.uint32]

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return _FENCE_NBYTES * len(self.high)

    def block_of(self, high: int, low: int) -> int:
        """The block that one hash can be in; -1 for none."""
        return _last(self.high, self.low, high, low)


def _last(highs: U64, lows: U64, high: int, low: int) -> int:
    """As ``last_not_after``, of one hash."""
    at = int(highs.searchsorted(np.uint64(high), side="right")) - 1
    while at >= 0 and highs.item(at) == high and lows.item(at) > low:
        at -= 1
    return at


def last_not_after(highs: U64, lows: U64, high: U64, low: U64) -> npt.NDArray[np.int64]:
    """For each hash the index of the last that is not greater; -1 where all are."""
    at = np.searchsorted(highs, high, side="right") - 1
    while True:  # among equal first halves, of which there are hardly ever two
        back = (at >= 0) & (highs[at] == high) & (lows[at] > low) if len(highs) else at > at
        if not back.any():
            return at
        at = at - back


def _ascend(records: Records) -> bool:
    """Whether each hash is greater than the one before it."""
    high, low = records.high, records.low
    above = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))
    return bool(above.all())


def records_of(high: U64, low: U64, row: U64) -> Records:
    """Records in order; of those of one hash the last stays."""
    order = np.lexsort((np.arange(len(high)), low, high))
    high, low, row = high[order], low[order], row[order]
    last = np.ones(len(high), bool)
    last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return Records(high[last], low[last], row[last])


def merged(runs: Sequence[Records]) -> Records:
    """Runs as one, oldest first; the newer wins."""
    full = [run for run in runs if len(run)]
    if len(full) < 2:
        return full[0] if full else NOTHING
    columns = zip(*((run.high, run.low, run.row) for run in full), strict=True)
    high, low, row = (np.concatenate(column) for column in columns)
    return records_of(high, low, row)


def encode_records(records: Records) -> bytes:
    """Records as a block."""
    columns = (records.high, records.low, records.row)
    return b"".join(np.ascontiguousarray(column, "<u8").tobytes() for column in columns)


def decode_records(data: Any) -> Records:
    """The records of a block."""
    table = np.frombuffer(data, "<u8").reshape(3, -1)
    return Records(table[0], table[1], table[2])


def encode_run(records: Records, base: int, id: str) -> tuple[KeyRun, bytes]:
    """Records (at least one) as an object, and the reference to it."""
    starts = range(0, len(records), BLOCK_RECORDS)
    blocks = [encode_records(records.take(slice(start, start + BLOCK_RECORDS))) for start in starts]
    firsts = np.asarray(starts)
    table = b"".join(
        (
            records.high[firsts].astype("<u8").tobytes(),
            records.low[firsts].astype("<u8").tobytes(),
            np.asarray([crc32c(block) for block in blocks], "<u4").tobytes(),
        )
    )
    run = KeyRun(base, id, len(records), crc32c(table))
    return run, b"".join((table, *blocks))


def run_key(run: KeyRun) -> str:
    """Where a run lies."""
    return object_key(LISTS, run.base, run.id)


def n_blocks(run: KeyRun) -> int:
    """How many blocks a run has."""
    return -(-run.n // BLOCK_RECORDS)


def table_nbytes(run: KeyRun) -> int:
    """Bytes of a run's table, with which it begins."""
    return _FENCE_NBYTES * n_blocks(run)


def block_range(run: KeyRun, first: int, last: int) -> tuple[int, int]:
    """The bytes of the blocks ``[first, last)`` of a run."""
    at = table_nbytes(run)
    start = min(first * BLOCK_RECORDS, run.n) * RECORD_NBYTES
    stop = min(last * BLOCK_RECORDS, run.n) * RECORD_NBYTES
    return at + start, at + stop


def decode_table(data: Any, run: KeyRun) -> Table:
    """A run's table.

    Raises:
        CorruptDataError: The checksum differs.
    """
    verify(data, run.crc, run_key(run))
    n = n_blocks(run)
    if len(data) != table_nbytes(run):
        raise FormatError(f"{run_key(run)!r} has a table of {len(data)} bytes", key=run_key(run))
    hashes = np.frombuffer(data, "<u8", 2 * n).reshape(2, n)
    return Table(hashes[0], hashes[1], np.frombuffer(data, "<u4", n, 16 * n))


def decode_blocks(data: Any, run: KeyRun, table: Table, first: int, last: int) -> Records:
    """The records of the blocks ``[first, last)``, from their bytes.

    Raises:
        CorruptDataError: A checksum differs.
        FormatError: They are cut short, or do not ascend.
    """
    view, key = memoryview(data), run_key(run)
    origin, _ = block_range(run, first, first)
    blocks = []
    for i in range(first, last):
        start, stop = block_range(run, i, i + 1)
        block = view[start - origin : stop - origin]
        verify(block, int(table.crc[i]), key, start)
        if len(block) != stop - start:
            raise FormatError(f"{key!r}: block {i} of its records is cut short", key=key)
        records = decode_records(block)
        if not _ascend(records):
            raise FormatError(f"{key!r}: the records of block {i} do not ascend", key=key)
        blocks.append(records)
    if len(blocks) == 1:
        return blocks[0]
    columns = zip(*((block.high, block.low, block.row) for block in blocks), strict=True)
    high, low, row = (np.concatenate(column) for column in columns)
    return Records(high, low, row)


def decode_run(data: Any, run: KeyRun) -> Records:
    """All records of a run, from the object's bytes."""
    view, nbytes = memoryview(data), table_nbytes(run)
    table = decode_table(view[:nbytes], run)
    return decode_blocks(view[nbytes:], run, table, 0, n_blocks(run))
