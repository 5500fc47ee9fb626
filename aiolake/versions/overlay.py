"""One column's pieces out of two snapshots', so that every row has the value it shall have. Pure.

A piece of data is laid whole or not at all, since its manifest counts rows by their places in it;
a constant may be cut. What matters of a result is only which piece lies on top of each row: it is
worked out first, by rows, and the order of pieces is then whatever brings it about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.format.entry import Piece
from aiolake.ranges import Ids, Runs, distinct
from aiolake.types import Constant

__all__ = ["Claims", "OrderError", "laid_anew", "laid_over"]

Mask = npt.NDArray[np.bool_]

NONE = -1
"""No piece of those at hand lies there: what is deeper decides."""

_FEW_RUNS = 32


class OrderError(Exception):
    """No order of the pieces gives every row its value."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose value rows have, of one column.

    Attributes:
        column: The column's id.
        rows: All rows of the result. What is claimed by nobody has the same value on both sides.
        ours: Rows that have ours.
        theirs: Rows that have theirs.
        fill: Rows that have the column's default.
        default: That value.
    """

    column: int
    rows: Runs
    ours: Runs
    theirs: Runs
    fill: Runs
    default: Constant


class _Grid:
    """Row ids cut at every edge of some pieces and claims: within a cell nothing changes.

    ``ours`` and ``theirs`` are, for each cell, the number of the piece on top there.
    """

    def __init__(self, ours: Sequence[Piece], theirs: Sequence[Piece], claims: Claims) -> None:
        self.pieces = (*ours, *theirs)
        self.n_ours = len(ours)
        numbers: dict[Piece, int] = {}
        # The same piece in both is one: what is on top is compared by these numbers.
        self.number = [numbers.setdefault(piece, i) for i, piece in enumerate(self.pieces)]
        runs = [np.asarray(piece.rows, np.int64).reshape(-1, 2) for piece in self.pieces]
        claimed = (claims.rows, claims.ours, claims.theirs, claims.fill)
        runs += [np.asarray(each.flat(), np.int64).reshape(-1, 2) for each in claimed]
        bounds = [np.zeros(1, np.int64)]  # there is always a cell
        bounds += [part for each in runs for part in (each[:, 0], each[:, 0] + each[:, 1])]
        self.edges: Ids = distinct(np.concatenate(bounds))
        self.cells = [self._cells(each) for each in runs[: len(self.pieces)]]
        self.rows, self.our, self.their, self.fill = (
            self._mask(self._cells(each)) for each in runs[len(self.pieces) :]
        )
        self.ours = self.painted(range(self.n_ours))
        self.theirs = self.painted(range(self.n_ours, len(self.pieces)))

    def _cells(self, runs: Ids) -> Ids:
        """The cells of some runs, as pairs of first and end."""
        ends = (runs[:, 0], runs[:, 0] + runs[:, 1])
        return np.searchsorted(self.edges, np.stack(ends, axis=1))

    def _mask(self, cells: Ids) -> Mask:
        mask = np.zeros(len(self.edges), bool)
        _paint(mask, cells, 1)
        return mask

    def painted(self, order: Sequence[int]) -> Ids:
        """The piece on top of each cell, where the later lies over the earlier."""
        owner = np.full(len(self.edges), NONE, np.int64)
        for i in order:
            _paint(owner, self.cells[i], self.number[i])
        return owner

    def covered(self, i: int) -> Ids:
        """The cells a piece covers."""
        return np.flatnonzero(self._mask(self.cells[i]))

    def runs(self, mask: Mask) -> Runs:
        """The row ids of some cells."""
        cells = np.flatnonzero(mask)
        return Runs.from_bounds(self.edges[cells], self.edges[np.minimum(cells + 1, len(mask) - 1)])


def _paint(target: npt.NDArray[Any], cells: Ids, value: int) -> None:
    if len(cells) <= _FEW_RUNS:
        for start, stop in cells.tolist():
            target[start:stop] = value
        return
    length = cells[:, 1] - cells[:, 0]
    before = np.cumsum(length) - length
    at = np.arange(int(length.sum())) + np.repeat(cells[:, 0] - before, length)
    target[at] = value


def laid_over(
    ours: Sequence[Piece], theirs: Sequence[Piece], claims: Claims
) -> tuple[Piece, ...] | None:
    """What to lay over our pieces, which stay as they are; ``None`` where that cannot do.

    Args:
        ours: Of the column, oldest first; what both have beneath everything may be left out.
        theirs: Likewise.
        claims: Whose values rows shall have.
    """
    grid = _Grid(ours, theirs, claims)
    wanted = grid.rows & grid.their & (grid.ours != grid.theirs)
    if (wanted & (grid.theirs == NONE)).any():
        return None
    over = _cut(grid, range(grid.n_ours, len(grid.pieces)), np.where(wanted, grid.theirs, NONE))
    result = _Grid((*ours, *(piece for _, piece in over)), (), claims)
    if not _is_right(grid, result, {i: n for n, (i, _) in enumerate(over)}, len(ours)):
        return None
    return (*(piece for _, piece in over), *_fills(claims))


def laid_anew(ours: Sequence[Piece], theirs: Sequence[Piece], claims: Claims) -> tuple[Piece, ...]:
    """All pieces of the column, in an order that gives every row its value.

    Args:
        ours: All of ours of the column, oldest first.
        theirs: All of theirs.
        claims: Whose values rows shall have.

    Raises:
        OrderError: There is no such order.
    """
    grid = _Grid(ours, theirs, claims)
    for shared in (grid.ours, grid.theirs):  # whose piece rows have that are the same on both
        owner = np.where(grid.our, grid.ours, np.where(grid.their, grid.theirs, shared))
        owner = np.where(grid.rows & ~grid.fill, owner, NONE)
        order = _ordered(grid, owner)
        if order is not None:
            kept = _cut(grid, order, owner)
            return (*(piece for _, piece in kept), *_fills(claims))
    raise OrderError


def _ordered(grid: _Grid, owner: Ids) -> list[int] | None:
    """The pieces that own cells, each beneath those that own cells it covers."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for i in distinct(owner[owner != NONE]).tolist():
        sorter.add(i)
        if grid.pieces[i].constant is not None:
            continue  # it will be cut
        for above in distinct(owner[grid.covered(i)]).tolist():
            if above not in (NONE, i):
                sorter.add(above, i)
    try:
        return list(sorter.static_order())
    except CycleError:
        return None


def _cut(grid: _Grid, order: Sequence[int], owner: Ids) -> list[tuple[int, Piece]]:
    """The pieces that own cells, with their numbers; constants cut to what they own."""
    found = []
    owners = set(distinct(owner).tolist())
    for i in order:
        piece = grid.pieces[i]
        if grid.number[i] not in owners:
            continue
        owners.discard(grid.number[i])
        if piece.constant is not None:
            rows = grid.runs(owner == grid.number[i])
            piece = msgspec.structs.replace(piece, rows=tuple(rows.flat()))
        found.append((i, piece))
    return found


def _is_right(grid: _Grid, result: _Grid, laid: dict[int, int], n_ours: int) -> bool:
    """Whether what lies on top is what shall, cell by cell."""
    # Cells of the result are unions of cells of the grid: it has no other edges.
    at = np.searchsorted(result.edges, grid.edges, side="right") - 1
    top = np.where(at >= 0, result.ours[np.maximum(at, 0)], NONE)
    back = {NONE: NONE, **{i: grid.number[i] for i in range(n_ours)}}
    back |= {n_ours + n: grid.number[i] for i, n in laid.items()}
    found = np.asarray([back[each] for each in distinct(top).tolist()], np.int64)
    top = found[np.searchsorted(distinct(top), top)]
    is_our, is_their = top == grid.ours, top == grid.theirs
    right = np.where(grid.our, is_our, np.where(grid.their, is_their, is_our | is_their))
    return bool(right[grid.rows & ~grid.fill].all())


def _fills(claims: Claims) -> tuple[Piece, ...]:
    if not claims.fill:
        return ()
    rows = tuple(claims.fill.flat())
    return (Piece(column=claims.column, rows=rows, constant=claims.default),)
