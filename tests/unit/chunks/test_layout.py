"""Which rows stay a constant when a column is packed anew."""

from __future__ import annotations

from aiolake.chunks.layout import best_layout
from aiolake.chunks.locate import PieceIndex
from aiolake.format.entry import Piece
from aiolake.ranges import Runs
from aiolake.types import Constant

SEVEN, NONE = Constant(b"7"), Constant()


def constant(value: Constant, *rows: int) -> Piece:
    return Piece(column=1, rows=rows, constant=value)


def packed(*rows: int) -> Piece:
    return Piece(column=1, rows=rows, inline=b"")


def test_a_long_constant_stays_and_the_rest_is_packed() -> None:
    pieces = (constant(SEVEN, 0, 10_000), packed(10_000, 50), packed(10_050, 5))
    layout = best_layout(PieceIndex(pieces), Runs.of((0, 10_055)))
    assert layout.constants == ((SEVEN, Runs.of((0, 10_000))),)
    assert layout.rest == Runs.of((10_000, 55))
    assert not layout.is_that_of(pieces)
    assert layout.is_that_of((packed(10_000, 55), *layout.pieces(1)))


def test_equal_constants_are_one_and_updates_cut_them() -> None:
    pieces = (constant(SEVEN, 0, 8_000), packed(4_000, 1), constant(SEVEN, 8_000, 8_000))
    layout = best_layout(PieceIndex(pieces), Runs.of((0, 16_000)))
    assert layout.constants == ((SEVEN, Runs.of((0, 4_000), (4_001, 11_999))),)
    assert layout.rest == Runs.of((4_000, 1))


def test_a_short_or_scattered_constant_is_packed() -> None:
    rows = Runs.of((0, 10_000))
    updates = packed(*(value for i in range(0, 10_000, 2) for value in (i, 1)))
    for pieces in (
        (constant(NONE, 0, 4_000), packed(4_000, 6_000)),
        (constant(SEVEN, 0, 10_000), updates),
    ):
        layout = best_layout(PieceIndex(pieces), rows)
        assert (layout.constants, layout.rest) == ((), rows)


def test_deleted_rows_leave_a_constant() -> None:
    pieces = (constant(NONE, 0, 10_000), packed(10_000, 5))
    rows = Runs.of((10_000, 5), (3, 9_000))
    layout = best_layout(PieceIndex(pieces), rows)
    assert layout.constants == ((NONE, Runs.of((3, 9_000))),)
    assert layout.rest == Runs.of((10_000, 5))
