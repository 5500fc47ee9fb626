"""Statistics of some rows of a column: by those stored where they hold, else by reading."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

import msgspec
import numpy as np

from aiolake.chunks.assemble import encoded_of
from aiolake.chunks.conditions import Condition
from aiolake.chunks.filter import STEP_BYTES, STEP_ENTRIES, STEP_ROWS, column_filter
from aiolake.chunks.locate import PieceIndex
from aiolake.chunks.located import Located
from aiolake.chunks.measure import Measure, Order, merged, order_of
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.zones import Zoned, held, wanted_pieces, zoned
from aiolake.codecs import ByteRows, FixedCodec, FixedRows
from aiolake.format.entry import Piece
from aiolake.format.statistics import Statistics
from aiolake.ranges import Ids, Runs
from aiolake.stores.base import Buffer
from aiolake.types import Constant

__all__ = ["Tally", "each_located", "each_values", "tally"]


class Tally(msgspec.Struct, frozen=True):
    """What some rows of a column are like.

    Attributes:
        statistics: Counts and bounds.
        nbytes: Stored bytes of the pieces that hold them.
        pieces: How many pieces.
    """

    statistics: Statistics
    nbytes: int
    pieces: int


async def tally(reader: ColumnReader, rows: Runs) -> Tally:
    """Count and bound some rows of a column.

    Cost: nothing but the column's lists where pieces hold these rows and no others; else the
    statistics of their zones, and the pages of zones of which only some rows are wanted. No sample
    of a column whose values have no order is read.
    """
    low = int(rows.starts.min()) if rows else 0
    high = int(rows.stops.max()) if rows else 0
    index = await reader.index.index_of(low, high)
    wanted = await reader.pool.run(wanted_pieces, index, rows)
    pieces = [index.pieces[k] for k in wanted.tolist()]
    nbytes = sum(piece.nbytes for piece in pieces)
    order = order_of(reader.codec)
    if order is Order.NONE:
        found = Statistics(await _count_nulls(reader, rows))
    else:
        found = await _ordered(reader, rows, index, wanted, order)
    return Tally(found, nbytes, len(pieces))


async def _count_nulls(reader: ColumnReader, rows: Runs) -> int:
    filter = await column_filter(reader, Condition(Order.NONE, null=True), rows)
    left = await reader.pool.run(filter.possible, rows)
    total = 0
    for at in range(0, len(left), STEP_ROWS):
        ids = left.take(np.arange(at, min(len(left), at + STEP_ROWS), dtype=np.int64))
        total += int((await filter.matching(ids)).sum())
    return total


async def _ordered(
    reader: ColumnReader, rows: Runs, index: PieceIndex, wanted: Ids, order: Order
) -> Statistics:
    run = reader.pool.run
    counts = await run(_held_of_pieces, index, rows)
    numbers = {id(piece): k for k, piece in enumerate(index.pieces)}

    def in_part(piece: Piece) -> bool:
        return bool(counts[numbers[id(piece)]] != piece.n_rows)

    found = await zoned(index, wanted, in_part, reader.fetcher)
    known, left = await run(_known, reader, found, rows, order)
    measure = Measure(reader.codec)
    for part in rows.parts():
        rest = await run(part.intersection, left)
        await each_values(reader, rest, partial(_measured, measure))
    return merged([known, measure.finish()[0]], order)


def _measured(measure: Measure, values: FixedRows | ByteRows) -> None:
    if isinstance(values, FixedRows):
        measure.add_rows(values)
    else:
        measure.add_bytes(values)


def _held_of_pieces(index: PieceIndex, rows: Runs) -> Ids:
    """How many of the rows each piece holds."""
    stretches = index.stretches(np.zeros(len(index.pieces), np.int64))
    counts = np.zeros(len(index.pieces) + 1, np.int64)
    np.add.at(counts, stretches.piece, held(stretches, rows))
    return counts[:-1]


def _known(reader: ColumnReader, found: Zoned, rows: Runs, order: Order) -> tuple[Statistics, Runs]:
    """What stored statistics say, and where they say nothing exact of these rows."""
    stretches, pieces = found.stretches, found.index.pieces
    # A row that is there twice is counted twice, which no stored statistics do.
    repeated = not rows.ascending and _overlap(rows)
    first_zone = np.cumsum([0, *(len(found.zones.get(k, (0,))) for k in range(len(pieces)))])
    there = stretches.piece >= 0
    group = np.where(there, first_zone[stretches.piece] + stretches.zone, -1)
    counts = np.zeros(int(first_zone[-1]) + 1, np.int64)
    np.add.at(counts, group, held(stretches, rows))
    parts: list[Statistics] = []
    exact = np.zeros(len(counts), bool)
    for k in np.unique(stretches.piece[there]).tolist():
        at = int(first_zone[k])
        sizes, stored = _stored(pieces[k], found, k)
        for z, (size, statistics) in enumerate(zip(sizes, stored, strict=True)):
            n = int(counts[at + z])
            constant = pieces[k].constant
            if n and constant is not None:
                parts.append(_of_constant(reader, constant, n))
            elif n and statistics is not None and n == size and not repeated:
                parts.append(statistics)
            else:
                continue
            exact[at + z] = True
    rest = ~exact[group] | ~there
    return merged(parts, order), Runs.from_bounds(stretches.start[rest], stretches.stop[rest])


def _overlap(rows: Runs) -> bool:
    return bool((np.sort(rows.starts)[1:] < np.sort(rows.stops)[:-1]).any())


def _stored(piece: Piece, found: Zoned, k: int) -> tuple[list[int], Sequence[Statistics | None]]:
    """The rows and the statistics of a piece's zones, or of the piece."""
    zones = found.zones.get(k)
    if zones is None:
        return [piece.n_rows], [piece.stats]
    size = found.zone_rows.item(k)
    return [min(size, piece.n_rows - z * size) for z in range(len(zones))], zones


def _of_constant(reader: ColumnReader, constant: Constant, n: int) -> Statistics:
    codec = reader.codec
    if constant.payload is None:
        return Statistics(nulls=n)
    measure = Measure(codec)
    if isinstance(codec, FixedCodec):
        measure.add_rows(codec.read_page(constant.payload, 1, False))
    else:
        measure.add_bytes(ByteRows([bytes(codec.raw(constant.payload, ()))]))  # type: ignore[call-overload]
    one = measure.finish()[0]
    return msgspec.structs.replace(one, nans=n * one.nans)


async def each_values(
    reader: ColumnReader, rows: Runs, take: Callable[[FixedRows | ByteRows], None]
) -> None:
    """Hand over the values of rows of a column of pages or short values, some at a time.

    ``take`` runs in the pool.
    """
    codec = reader.codec
    step = min(STEP_ROWS, STEP_ENTRIES)
    if isinstance(codec, FixedCodec):
        step = max(1, min(STEP_ROWS, STEP_BYTES // max(1, codec.row_nbytes)))

    def decoded(located: Located, payloads: Sequence[Buffer]) -> None:
        take(cast("FixedRows | ByteRows", encoded_of(codec, located, payloads)))

    async def read(located: Located) -> None:
        payloads = await reader.payloads(located, keep=False)
        await reader.pool.run(decoded, located, payloads)

    await each_located(reader, rows, step, read)


async def each_located(
    reader: ColumnReader, rows: Runs, step: int, take: Callable[[Located], Awaitable[None]]
) -> None:
    """Hand over where rows are, ``step`` of them at a time."""
    for at in range(0, len(rows), step):
        ids = rows.take(np.arange(at, min(len(rows), at + step), dtype=np.int64))
        await take(await reader.index.locate(ids))
