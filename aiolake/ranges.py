"""Runs of row ids, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["EMPTY", "Ids", "Runs", "distinct"]

Ids: TypeAlias = npt.NDArray[np.int64]
_PART_RUNS = 1 << 16


class Runs:
    """An immutable sequence of distinct row ids, held as runs ``[start, stop)``.

    The order of the runs is the order of the rows. Set operations (``intersection``,
    ``difference``) keep the order of the left side.

    Attributes:
        starts: First id of each run, int64.
        stops: One past the last id of each run, int64.
    """

    __slots__ = ("_ends", "starts", "stops")

    def __init__(self, starts: Ids, stops: Ids) -> None:
        self.starts = starts
        self.stops = stops
        self._ends: Ids = np.cumsum(stops - starts)

    @classmethod
    def of(cls, *pairs: tuple[int, int]) -> Runs:
        """Runs from ``(first, count)`` pairs."""
        return cls.from_flat([value for pair in pairs for value in pair])

    @classmethod
    def from_flat(cls, flat: Sequence[int]) -> Runs:
        """Runs from ``first, count, first, count, ...``; neighbours are joined."""
        if not len(flat):
            return EMPTY
        table = np.asarray(flat, np.int64).reshape(-1, 2)
        return _joined(table[:, 0], table[:, 0] + table[:, 1])

    @classmethod
    def from_bounds(cls, starts: Ids, stops: Ids) -> Runs:
        """Runs ``[start, stop)``, of which empty ones are left out; neighbours are joined."""
        return _joined(starts, stops)

    @classmethod
    def from_ids(cls, ids: Ids | Iterable[int]) -> Runs:
        """Runs of distinct ids, in their order."""
        array = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        return _joined(array, array + 1)

    def flat(self) -> list[int]:
        """``first, count, first, count, ...``: the stored form."""
        pairs = np.empty((len(self.starts), 2), np.int64)
        pairs[:, 0], pairs[:, 1] = self.starts, self.stops - self.starts
        flat: list[int] = pairs.ravel().tolist()
        return flat

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __bool__(self) -> bool:
        return len(self.starts) > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Runs):
            return NotImplemented
        return np.array_equal(self.starts, other.starts) and np.array_equal(self.stops, other.stops)

    def __hash__(self) -> int:
        return hash((self.starts.tobytes(), self.stops.tobytes()))

    def __repr__(self) -> str:
        pairs = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        return "Runs(" + ", ".join(f"{a}..{b}" for a, b in pairs) + ")"

    def ids(self) -> Ids:
        """Every id, in order, shape (len,)."""
        return self.take(np.arange(len(self), dtype=np.int64))

    def take(self, positions: Ids) -> Ids:
        """The ids at ``positions`` (each in ``[0, len)``), same shape."""
        if len(self.starts) == 1:
            first: np.int64 = self.starts[0]
            return positions + first
        run = np.searchsorted(self._ends, positions, side="right")
        ids: Ids = self.stops[run] - (self._ends[run] - positions)
        return ids

    def at(self, position: int) -> int:
        """The id at one position in ``[0, len)``."""
        if len(self.starts) == 1:
            return int(self.starts[0]) + position
        run = int(self._ends.searchsorted(position, side="right"))
        return int(self.stops[run]) - (int(self._ends[run]) - position)

    def positions(self, ids: Ids) -> Ids:
        """Where ``ids`` stand, same shape; -1 for those that are not here."""
        if not len(self.starts):
            return np.full(len(ids), -1, np.int64)
        order = np.argsort(self.starts, kind="stable")
        run = order[np.maximum(np.searchsorted(self.starts[order], ids, side="right") - 1, 0)]
        found = (ids >= self.starts[run]) & (ids < self.stops[run])
        positions: Ids = np.where(found, self._ends[run] - (self.stops[run] - ids), -1)
        return positions

    def has(self, id: int) -> bool:
        """Whether an id is here."""
        if len(self.starts) == 1:
            return bool(self.starts[0] <= id < self.stops[0])
        return bool(self.positions(np.asarray([id], np.int64))[0] >= 0)

    def slice(self, start: int, stop: int) -> Runs:
        """The rows at positions ``[start, stop)``, both within ``[0, len]``."""
        begins = self._ends - (self.stops - self.starts)
        cut_front = np.clip(start - begins, 0, self.stops - self.starts)
        cut_back = np.clip(self._ends - stop, 0, self.stops - self.starts)
        return _joined(self.starts + cut_front, self.stops - cut_back)

    @property
    def ascending(self) -> bool:
        """Whether the ids grow from row to row."""
        return bool((self.starts[1:] >= self.stops[:-1]).all())

    def concat(self, other: Runs) -> Runs:
        """These rows, then the other's."""
        if not self or not other:
            return self or other
        return _joined(
            np.concatenate([self.starts, other.starts]), np.concatenate([self.stops, other.stops])
        )

    def intersection(self, other: Runs) -> Runs:
        """The ids that are in both."""
        return self._cut(other, keep_inside=True)

    def difference(self, other: Runs) -> Runs:
        """The ids that are not in ``other``."""
        return self._cut(other, keep_inside=False) if self and other else self

    def intersects(self, other: Runs) -> bool:
        """Whether any id is in both."""
        return bool(self.intersection(other))

    def parts(self) -> Iterator[Runs]:
        """These rows in order, some runs at a time: what is worked out of them takes no more."""
        if len(self.starts) <= _PART_RUNS:
            yield self
            return
        for at in range(0, len(self.starts), _PART_RUNS):
            yield Runs(self.starts[at : at + _PART_RUNS], self.stops[at : at + _PART_RUNS])

    def _cut(self, other: Runs, *, keep_inside: bool) -> Runs:
        """Cut every run at the other's edges, then keep the parts inside (or outside) it."""
        cover = other._ascending()
        if not self or not cover:
            return EMPTY
        edges = distinct(np.concatenate([cover.starts, cover.stops]))
        cut = [part._cut_at(edges, cover, keep_inside) for part in self.parts()]
        if len(cut) == 1:
            return cut[0]
        return _joined(
            np.concatenate([part.starts for part in cut]),
            np.concatenate([part.stops for part in cut]),
        )

    def _cut_at(self, edges: Ids, cover: Runs, keep_inside: bool) -> Runs:
        low = np.searchsorted(edges, self.starts, side="right")
        n_inner = np.maximum(np.searchsorted(edges, self.stops, side="left") - low, 0)
        parts = np.repeat(np.arange(len(self.starts)), n_inner + 1)
        first_part = np.cumsum(n_inner + 1) - n_inner - 1
        within = np.arange(len(parts)) - np.repeat(first_part, n_inner + 1)
        first, last = within == 0, within == n_inner[parts]
        edge = low[parts] + within
        starts = np.where(first, self.starts[parts], edges[np.maximum(edge - 1, 0)])
        stops = np.where(last, self.stops[parts], edges[np.minimum(edge, len(edges) - 1)])
        run = np.maximum(np.searchsorted(cover.starts, starts, side="right") - 1, 0)
        inside = (starts >= cover.starts[run]) & (starts < cover.stops[run])
        kept = inside if keep_inside else ~inside
        return _joined(starts[kept], stops[kept])

    def _ascending(self) -> Runs:
        if self.ascending:
            return self
        order = np.argsort(self.starts, kind="stable")
        return _joined(self.starts[order], self.stops[order])


def distinct(ids: Ids) -> Ids:
    """Each value once, ascending."""
    # Not numpy.unique: since 2.3 it hashes, and is fifty times slower for many integers.
    ordered = np.sort(ids)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ids) else ordered


def _joined(starts: Ids, stops: Ids) -> Runs:
    """Runs without empty ones, neighbours joined."""
    full = stops > starts
    starts, stops = starts[full], stops[full]
    if len(starts) > 1:
        breaks = np.flatnonzero(starts[1:] != stops[:-1])
        starts = starts[np.concatenate([[0], breaks + 1])]
        stops = stops[np.concatenate([breaks, [len(stops) - 1]])]
    return Runs(starts, stops)


EMPTY = Runs(np.empty(0, np.int64), np.empty(0, np.int64))
