"""Which rows of a column match a condition: by statistics where they tell, else by reading them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.chunks.assemble import Decode, batch_of, fixed_rows
from aiolake.chunks.conditions import (
    Condition,
    Interval,
    Verdict,
    match_payloads,
    match_rows,
    payload_of,
)
from aiolake.chunks.located import Located
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.zones import Zoned, held, wanted_pieces, zoned
from aiolake.codecs import FixedCodec
from aiolake.codecs.text import BytesCodec, TextCodec
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Piece
from aiolake.format.statistics import Statistics
from aiolake.ranges import Ids, Runs
from aiolake.stores.base import Buffer
from aiolake.types import Constant

__all__ = [
    "STEP_BYTES",
    "STEP_ENTRIES",
    "STEP_ROWS",
    "ColumnFilter",
    "column_filter",
    "constant_matches",
]

Mask = npt.NDArray[np.bool_]
STEP_ROWS = 32_768
STEP_ENTRIES = 16_384
STEP_BYTES = 8 << 20


class ColumnFilter(msgspec.Struct, frozen=True, eq=False):
    """A condition on one column of a snapshot, and what its statistics say of some rows.

    Attributes:
        reader: The column.
        condition: The condition.
        zoned: Its stretches.
        verdicts: (number of stretches,) a ``Verdict`` of each.
        n_maybe: How many of the rows must be read.
        n_sure: How many match for certain.
    """

    reader: ColumnReader
    condition: Condition
    zoned: Zoned
    verdicts: npt.NDArray[np.uint8]
    n_maybe: int
    n_sure: int

    @property
    def rank(self) -> float:
        """The condition with the least comes first: cheap to read, and few rows left."""
        left = self.n_sure + self.n_maybe * self.condition.likely
        gone = self.n_sure + self.n_maybe - left
        return self.n_maybe * self._nbytes_per_row / (1 + gone)

    @property
    def _nbytes_per_row(self) -> float:
        pieces = self.zoned.index.pieces
        n_rows = sum(piece.n_rows for piece in pieces)
        return max(1.0, sum(piece.nbytes for piece in pieces) / max(1, n_rows))

    def possible(self, rows: Runs) -> Runs:
        """The rows, in their order, that statistics do not exclude."""
        if (self.verdicts != Verdict.NONE).all():
            return rows
        kept = self.verdicts != Verdict.NONE
        stretches = self.zoned.stretches
        return rows.intersection(Runs.from_bounds(stretches.start[kept], stretches.stop[kept]))

    async def matching(self, ids: Ids) -> Mask:
        """Which of some rows match, shape (n,)."""
        verdicts = self.verdicts[self.zoned.stretches.of(ids)]
        hit: Mask = verdicts == Verdict.ALL
        maybe = np.flatnonzero(verdicts == Verdict.MAYBE)
        if len(maybe):
            hit[maybe] = await self._read(ids[maybe])
        return hit

    async def _read(self, ids: Ids) -> Mask:
        codec = self.reader.codec
        step = STEP_ENTRIES
        if isinstance(codec, FixedCodec):
            step = max(1, min(STEP_ROWS, STEP_BYTES // max(1, codec.row_nbytes)))
        parts = [
            await (
                self._of_pages(part) if isinstance(codec, FixedCodec) else self._of_entries(part)
            )
            for part in (ids[at : at + step] for at in range(0, len(ids), step))
        ]
        return np.concatenate(parts)

    async def _of_pages(self, ids: Ids) -> Mask:
        located = await self.reader.index.locate(ids)
        if self.condition.needs_values or located.parted:
            return await self._of_values(located)
        hit = np.full(len(ids), self.condition.outside)
        rest = np.asarray(_with_bitmap(located), np.int64)
        if len(rest):
            hit[rest] = await self._of_values(await self.reader.index.locate(ids[rest]))
        return hit

    async def _of_values(self, located: Located) -> Mask:
        payloads = await self.reader.payloads(located, keep=False)
        return await self.reader.pool.run(self._match_pages, located, payloads)

    def _match_pages(self, located: Located, payloads: Sequence[Buffer]) -> Mask:
        codec = self.reader.codec
        assert isinstance(codec, FixedCodec)
        return match_rows(self.condition, codec, fixed_rows(codec, located, payloads))

    async def _of_entries(self, ids: Ids) -> Mask:
        """Of texts and bytes; where only equal ones match, length and checksum exclude most."""
        located = await self.reader.index.locate(ids)
        condition = self.condition
        hit = np.where(located.null, condition.null, condition.outside)
        rest = self._undecided(located)
        for rows, constant in located.constants:
            hit[rows] = constant_matches(condition, self.reader, constant)
        at, step = 0, 64
        while at < len(rest):
            part = rest[at : at + step]
            there = await self.reader.index.locate(ids[part])
            payloads = await self.reader.payloads(there, keep=False)
            hit[part] = await self.reader.pool.run(self._match_entries, there, payloads)
            at += len(part)
            step = max(1, min(STEP_ENTRIES, STEP_BYTES * len(part) // max(1, there.units.nbytes)))
        return hit

    def _undecided(self, located: Located) -> Ids:
        """The rows whose payloads must be read."""
        if not self.condition.needs_values:
            return np.asarray(_with_bitmap(located), np.int64)
        stored = located.unit >= 0
        stored &= ~located.null
        wanted = self._wanted()
        if wanted is not None:
            units = located.units
            same = np.isin(_stamps(units.length, units.crc), wanted) | (located.n_rows > 1)
            stored[stored] = same[located.unit[stored]]
        stored[list(located.parted)] = True
        return np.flatnonzero(stored)

    def _wanted(self) -> Ids | None:
        """Lengths and checksums of the payloads that match; ``None`` where these do not tell."""
        codec, body = self.reader.codec, self.condition.body
        plain = isinstance(codec, TextCodec | BytesCodec) and codec.compression == "none"
        if not plain or isinstance(body, Interval):
            return None
        payloads = [payload_of(value) for value in body]
        lengths = np.asarray([len(payload) for payload in payloads], np.int64)
        return _stamps(lengths, np.asarray([crc32c(p) if p else 0 for p in payloads], np.int64))

    def _match_entries(self, located: Located, payloads: Sequence[Buffer]) -> Mask:
        values = batch_of(self.reader.codec, located, payloads, Decode.RAW)
        return match_payloads(self.condition, values)


def _stamps(length: Ids, crc: Ids) -> Ids:
    """Length and checksum in one number; an empty payload has no checksum."""
    # Payloads of 2 GiB are in parts, whose units are not asked here.
    return (length << 32) | np.where(length > 0, crc, 0)


def _with_bitmap(located: Located) -> list[int]:
    """The rows whose page ends in a bitmap, and those of constants."""
    unit = located.unit
    constants = [int(i) for rows, _ in located.constants for i in rows]
    if not len(located.bitmap):
        return constants
    found = np.flatnonzero((unit >= 0) & located.bitmap[np.maximum(unit, 0)])
    return sorted([*found.tolist(), *constants])


def constant_matches(condition: Condition, reader: ColumnReader, constant: Constant) -> bool:
    """Whether rows that hold a constant match."""
    if constant.payload is None:
        return condition.null
    codec = reader.codec
    if not condition.needs_values:
        return condition.outside
    if isinstance(codec, FixedCodec):
        return bool(match_rows(condition, codec, codec.read_page(constant.payload, 1, False))[0])
    raw = codec.raw(constant.payload, constant.shape)
    assert isinstance(raw, bytes)
    return bool(match_payloads(condition, [raw])[0])


async def column_filter(reader: ColumnReader, condition: Condition, rows: Runs) -> ColumnFilter:
    """What statistics say of some rows.

    Cost: the column's lists, and one GET for each large piece they cannot decide as a whole.
    """
    low = int(rows.starts.min()) if rows else 0
    high = int(rows.stops.max()) if rows else 0
    index = await reader.index.index_of(low, high)
    run = reader.pool.run
    pieces = await run(wanted_pieces, index, rows)
    whole = await run(_of_pieces, reader, condition, index.pieces)

    def undecided(piece: Piece) -> bool:
        return condition.verdict(piece.stats, piece.n_rows) is Verdict.MAYBE

    found = await zoned(index, pieces, undecided, reader.fetcher)
    return await run(_judged, reader, condition, found, whole, rows)


def _of_pieces(
    reader: ColumnReader, condition: Condition, pieces: Sequence[Piece]
) -> npt.NDArray[np.uint8]:
    return np.asarray([_of_piece(reader, condition, piece) for piece in pieces], np.uint8)


def _of_piece(reader: ColumnReader, condition: Condition, piece: Piece) -> Verdict:
    if piece.constant is not None:
        matches = constant_matches(condition, reader, piece.constant)
        return Verdict.ALL if matches else Verdict.NONE
    return condition.verdict(piece.stats, piece.n_rows)


def _judged(
    reader: ColumnReader,
    condition: Condition,
    found: Zoned,
    whole: npt.NDArray[np.uint8],
    rows: Runs,
) -> ColumnFilter:
    stretches = found.stretches
    verdicts = np.full(len(stretches.piece), Verdict.MAYBE, np.uint8)
    there = stretches.piece >= 0
    verdicts[there] = whole[stretches.piece[there]]
    for k, zones in found.zones.items():
        of_zones = _of_zones(condition, zones, found.zone_rows.item(k), found.index.pieces[k])
        mine = stretches.piece == k
        verdicts[mine] = of_zones[stretches.zone[mine]]
    n_rows = held(stretches, rows)
    counts = [int(n_rows[verdicts == v].sum()) for v in (Verdict.MAYBE, Verdict.ALL)]
    return ColumnFilter(reader, condition, found, verdicts, *counts)


def _of_zones(
    condition: Condition, zones: Sequence[Statistics], zone_rows: int, piece: Piece
) -> npt.NDArray[np.uint8]:
    n = piece.n_rows
    return np.asarray(
        [
            condition.verdict(zone, min(zone_rows, n - k * zone_rows))
            for k, zone in enumerate(zones)
        ],
        np.uint8,
    )
