"""Which piece holds a row, and which entry of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiolake.format.entry import ListRef, Piece, Segment
from aiolake.ranges import Ids, distinct

__all__ = ["PieceIndex", "needed_lists", "segment_of"]

_FEW_RUNS = 32


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
