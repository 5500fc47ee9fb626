"""Which piece holds a row, beside a dict that says it row by row."""

from __future__ import annotations

import random

import numpy as np
import pytest

from aiolake.chunks.locate import PieceIndex
from aiolake.format.entry import Piece
from aiolake.ranges import Runs
from aiolake.types import Constant

N_IDS = 600


def _piece(random_: random.Random) -> Piece:
    ids = random_.sample(range(N_IDS), random_.choice([1, 5, 300]))
    if random_.random() < 0.5:
        ids.sort()
    return Piece(column=0, rows=tuple(Runs.from_ids(ids).flat()), constant=Constant())


def _expected(pieces: list[Piece]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for number, piece in enumerate(pieces):
        for ordinal, id in enumerate(Runs.from_flat(piece.rows).ids().tolist()):
            found[id] = number, ordinal
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_newest_piece_that_covers_a_row_holds_it(seed: int) -> None:
    random_ = random.Random(seed)
    pieces = [_piece(random_) for _ in range(random_.randint(1, 6))]
    index, expected = PieceIndex(pieces), _expected(pieces)
    numbers, ordinals = index.locate(np.arange(N_IDS))
    for id in range(N_IDS):
        number, ordinal = expected.get(id, (-1, 0))
        assert index.locate_one(id) == (number, ordinal)
        assert numbers[id] == number
        assert number < 0 or ordinals[id] == ordinal


def test_an_index_of_no_pieces_holds_no_row() -> None:
    numbers, _ = PieceIndex([]).locate(np.arange(3))
    assert numbers.tolist() == [-1, -1, -1]
