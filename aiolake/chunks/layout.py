"""How the rows of a column would best lie in pieces. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from aiolake.chunks.locate import PieceIndex
from aiolake.format.entry import Piece
from aiolake.ranges import EMPTY, Runs
from aiolake.types import Constant

__all__ = ["Layout", "best_layout"]

_LEAST_ROWS = 4096
_LEAST_RUN_ROWS = 1024


class Layout(msgspec.Struct, frozen=True):
    """The rows of a column: those of constants that are worth a piece, and the others.

    Attributes:
        constants: Each with its rows.
        rest: Rows that are to be packed, as one piece.
    """

    constants: tuple[tuple[Constant, Runs], ...]
    rest: Runs

    def pieces(self, column: int) -> tuple[Piece, ...]:
        """The pieces of the constants."""
        return tuple(
            Piece(column=column, rows=tuple(rows.flat()), constant=constant)
            for constant, rows in self.constants
        )

    def is_that_of(self, pieces: Sequence[Piece]) -> bool:
        """Whether pieces lie so already."""
        packed = [piece for piece in pieces if piece.constant is None]
        rest = [tuple(self.rest.flat())] if self.rest else []
        constants = {piece for piece in pieces if piece.constant is not None}
        return (
            [piece.rows for piece in packed] == rest
            and len(pieces) == len(rest) + len(self.constants)
            and constants == (set(self.pieces(pieces[0].column)) if pieces else set())
        )


def best_layout(index: PieceIndex, rows: Runs) -> Layout:
    """The layout of some rows: a constant stays one where its runs are long, else it is packed."""
    number: dict[Constant, int] = {}
    for piece in index.pieces:
        if piece.constant is not None:
            number.setdefault(piece.constant, len(number))
    of_piece = np.asarray(
        [-1 if p.constant is None else number[p.constant] for p in index.pieces] + [-1]
    )
    stretches = index.stretches(np.zeros(len(index.pieces), np.int64))
    group, stops = of_piece[stretches.piece], stretches.stop
    constants: list[tuple[Constant, Runs]] = []
    kept = EMPTY
    for constant, k in number.items():
        mine = group == k
        held = rows.intersection(Runs.from_bounds(stretches.start[mine], stops[mine]))
        if len(held) >= max(_LEAST_ROWS, _LEAST_RUN_ROWS * len(held.starts)):
            constants.append((constant, held))
            kept = kept.concat(held)
    return Layout(tuple(constants), rows.difference(kept))
