"""The stretches of a column's rows, and what statistics say of each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from aiolake import keys
from aiolake._aio import map_concurrently
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.locate import PieceIndex, Stretches
from aiolake.errors import FormatError
from aiolake.format.checksum import verify
from aiolake.format.entry import Piece
from aiolake.format.manifest import block_ranges
from aiolake.format.statistics import Statistics, decode_zones
from aiolake.ranges import Ids, Runs
from aiolake.stores.base import Buffer

__all__ = ["Zoned", "read_zones", "wanted_pieces", "zoned"]


class Zoned(msgspec.Struct, frozen=True, eq=False):
    """A column's stretches, and the statistics of those zones that were read.

    Attributes:
        index: Its pieces.
        zones: By piece, the statistics of its zones.
        zone_rows: (number of pieces,) rows of each piece's zones; 0 without.
        stretches: Stretches of one piece, or of one zone.
    """

    index: PieceIndex
    zones: dict[int, tuple[Statistics, ...]]
    zone_rows: Ids
    stretches: Stretches


def wanted_pieces(index: PieceIndex, rows: Runs) -> Ids:
    """The pieces that hold some of the rows, ascending."""
    whole = index.stretches(np.zeros(len(index.pieces), np.int64))
    some = held(whole, rows) > 0
    return np.unique(whole.piece[some & (whole.piece >= 0)])


def held(stretches: Stretches, rows: Runs) -> Ids:
    """How many of the rows lie in each stretch, a row that is there twice counted twice."""
    counts = np.zeros(len(stretches.start), np.int64)
    for part in rows.parts():
        counts += _below(part, stretches.stop) - _below(part, stretches.start)
    return counts


def _below(rows: Runs, ids: Ids) -> Ids:
    """How many of the rows are below each id."""
    # The rows of each run that began below it, less those of each that ended.
    begun, before_start = _sums(rows.starts, ids)
    ended, before_stop = _sums(rows.stops, ids)
    below: Ids = (begun * ids - before_start) - (ended * ids - before_stop)
    return below


def _sums(values: Ids, ids: Ids) -> tuple[Ids, Ids]:
    """How many of the values are below each id, and their sum."""
    ordered = np.sort(values)
    n = np.searchsorted(ordered, ids, side="left")
    return n, np.concatenate([[0], np.cumsum(ordered)])[n]


async def zoned(
    index: PieceIndex, pieces: Ids, wants: Callable[[Piece], bool], fetcher: Fetcher
) -> Zoned:
    """A column's stretches by the zones of those pieces that are worth it.

    Cost: one GET for each of them whose table does not lie in the piece.
    """
    chosen = [k for k in pieces.tolist() if _has_zones(index.pieces[k]) and wants(index.pieces[k])]
    read = await map_concurrently(lambda k: read_zones(index.pieces[k], fetcher), chosen)
    zones = dict(zip(chosen, read, strict=True))
    zone_rows = np.zeros(len(index.pieces), np.int64)
    for k in chosen:
        zone_rows[k] = _zone_rows(index.pieces[k])
    return Zoned(index, zones, zone_rows, index.stretches(zone_rows))


def _has_zones(piece: Piece) -> bool:
    return piece.stats is not None and piece.stats.zones is not None


def _zone_rows(piece: Piece) -> int:
    assert piece.stats is not None
    assert piece.stats.zones is not None
    return piece.stats.zones.rows


async def read_zones(piece: Piece, fetcher: Fetcher) -> tuple[Statistics, ...]:
    """The statistics of a piece's zones.

    Raises:
        CorruptDataError: The table is damaged.
        FormatError: It is no table of these zones.
    """
    assert piece.stats is not None
    ref = piece.stats.zones
    assert ref is not None
    key = "an inline table of zones"
    data: Buffer | None = ref.inline
    if piece.manifest is not None:
        key = keys.object_key(keys.MANIFESTS, piece.manifest.base, piece.manifest.id)
        stops = block_ranges(piece.manifest).stops
        start = stops[-1] if stops else 0
        data = await fetcher.unit(key, start, ref.length, ref.crc)
    elif data is None:
        raise FormatError("a piece without a manifest object has its zones in one")
    else:
        verify(data, ref.crc, key)
    return decode_zones(data, -(-piece.n_rows // ref.rows), key)
