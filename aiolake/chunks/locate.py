"""Which piece holds a row, and which entry of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from aiolake.format.entry import ListRef, Piece, Segment
from aiolake.ranges import Ids, distinct

__all__ = ["PieceIndex", "Stretches", "needed_lists", "segment_of"]

_FEW_RUNS = 32
_ALL_IDS = 1 << 62


class Stretches(msgspec.Struct, frozen=True, eq=False):
    """Stretches of row ids, ascending, without gaps from 0 on; columns of the same length.

    Attributes:
        start: First row id of each; it ends where the next begins.
        piece: The piece that holds it; -1 for none.
        zone: Its zone of that piece; 0 for pieces without zones.
    """

    start: Ids
    piece: Ids
    zone: Ids

    @property
    def stop(self) -> Ids:
        """The end of each; the last reaches over every id."""
        return np.append(self.start[1:], _ALL_IDS)

    def of(self, ids: Ids) -> Ids:
        """The stretch each row id lies in."""
        found: Ids = np.searchsorted(self.start, ids, side="right") - 1
        return found


class PieceIndex:
    """The rows of one column's pieces, where the later piece wins.

    Args:
        pieces: Oldest first.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        flat = [np.asarray(piece.rows, np.int64).reshape(-1, 2) for piece in self.pieces]
        table = np.concatenate(flat) if flat else np.empty((0, 2), np.int64)
        first, count = table[:, 0], table[:, 1]
        self._piece = np.repeat(np.arange(len(flat)), [len(runs) for runs in flat])
        self._base = first - _ordinals(count, flat)
        self._paint(first, first + count, [len(runs) for runs in flat])
        self._only = _single(self.pieces)

    def _paint(self, starts: Ids, stops: Ids, n_runs: Sequence[int]) -> None:
        """For each interval between edges, the newest run that covers it; -1 for none."""
        self._edges: Ids = distinct(np.concatenate([starts, stops]))
        low = np.searchsorted(self._edges, starts)
        high = np.searchsorted(self._edges, stops)
        self._owner: Ids = np.full(len(self._edges) + 1, -1, np.int64)
        if (high - low == 1).all() and len(distinct(low)) == len(low):
            self._owner[low] = np.arange(len(low))
            return
        first = 0
        for n in n_runs:
            _paint_piece(self._owner, low[first : first + n], high[first : first + n], first)
            first += n

    def locate(self, ids: Ids) -> tuple[Ids, Ids]:
        """For each row id its piece (-1: none covers it) and its ordinal among the piece's rows."""
        if self._only is not None and len(ids):
            first, stop = self._only
            if ids.min() >= first and ids.max() < stop:
                return np.zeros(len(ids), np.int64), ids - first
        interval = np.searchsorted(self._edges, ids, side="right") - 1
        run = self._owner[interval]
        if not len(self._piece):
            return np.full(len(ids), -1, np.int64), np.zeros(len(ids), np.int64)
        covered = (run >= 0) & (interval >= 0)
        return np.where(covered, self._piece[run], -1), ids - self._base[run]

    def locate_one(self, id: int) -> tuple[int, int]:
        """As ``locate``, of one row."""
        if self._only is not None and self._only[0] <= id < self._only[1]:
            return 0, id - self._only[0]
        interval = int(self._edges.searchsorted(id, side="right")) - 1
        run = int(self._owner[interval]) if interval >= 0 else -1
        if run < 0:
            return -1, 0
        return int(self._piece[run]), id - int(self._base[run])

    def stretches(self, zone_rows: Ids) -> Stretches:
        """Which piece, and which of its zones, holds each row id.

        Args:
            zone_rows: (number of pieces,) the rows of each piece's zones; 0 for one without.
        """
        n = len(self._edges)
        start = np.concatenate([[0], self._edges])
        run = np.concatenate([[-1], self._owner[:n]])
        if not len(self._piece):
            return Stretches(start, run, np.zeros(n + 1, np.int64))
        piece = np.where(run >= 0, self._piece[run], -1)
        size = np.where(piece >= 0, zone_rows[piece], 0)
        ordinal = start - self._base[run]
        stop = np.append(start[1:], start[-1]) - self._base[run]
        per = np.maximum(size, 1)
        first = np.where(size > 0, ordinal // per, 0)
        n_zones = np.where(size > 0, (np.maximum(stop, ordinal + 1) - 1) // per - first + 1, 1)
        at = np.repeat(np.arange(n + 1), n_zones)
        inner = np.arange(len(at)) - np.repeat(np.cumsum(n_zones) - n_zones, n_zones)
        zone = first[at] + inner
        inside = self._base[run][at] + zone * size[at]
        return Stretches(np.where(inner > 0, inside, start[at]), piece[at], zone)


def _paint_piece(owner: Ids, low: Ids, high: Ids, first: int) -> None:
    """Give the intervals of a piece's runs, which are distinct, to them."""
    if len(low) <= _FEW_RUNS:
        for i, (start, stop) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            owner[start:stop] = first + i
        return
    length = high - low
    before = np.cumsum(length) - length
    at = np.arange(int(length.sum())) + np.repeat(low - before, length)
    owner[at] = np.repeat(np.arange(first, first + len(low)), length)


def _ordinals(count: Ids, flat: Sequence[Ids]) -> Ids:
    """The ordinal, within its piece, of each run's first row."""
    ends = np.cumsum(count)
    before = ends - count
    n_runs = np.asarray([len(runs) for runs in flat], np.int64)
    first_run = np.cumsum(n_runs) - n_runs
    starts = before[np.minimum(first_run, len(count) - 1)] if len(count) else before
    ordinals: Ids = before - np.repeat(starts, n_runs)
    return ordinals


def _single(pieces: tuple[Piece, ...]) -> tuple[int, int] | None:
    if len(pieces) == 1 and len(pieces[0].rows) == 2:
        first, count = pieces[0].rows
        return first, first + count
    return None


def needed_lists(lists: Sequence[ListRef], column: int, low: int, high: int) -> tuple[int, ...]:
    """Which lists may hold pieces of a column for row ids in ``[low, high)``."""
    return tuple(i for i, ref in enumerate(lists) if _touches(ref, column, low, high))


def _touches(ref: ListRef, column: int, low: int, high: int) -> bool:
    if ref.segments is None:
        return ref.low < high and low < ref.high
    segment = segment_of(ref.segments, column)
    return segment is not None and segment.low < high and low < segment.high


def segment_of(segments: Sequence[Segment], column: int) -> Segment | None:
    """A column's segment of a list, if it has one."""
    return next((segment for segment in segments if segment.column == column), None)
