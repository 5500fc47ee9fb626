"""Whatever two snapshots' pieces, every row of the result has the value it was claimed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from aiolake.format.entry import Piece
from aiolake.ranges import Runs
from aiolake.types import Constant
from aiolake.versions.overlay import Claims, OrderError, laid_anew, laid_over

N_ROWS = 8
COLUMN = 3
DEFAULT = Constant(b"7")


def data(name: int, rows: set[int]) -> Piece:
    """A piece of data; its bytes are its name and its rows, so that a cut one would show."""
    flat = tuple(Runs.from_ids(sorted(rows)).flat())
    return Piece(column=COLUMN, rows=flat, inline=bytes([name, *sorted(rows)]))


def constant(value: int, rows: set[int]) -> Piece:
    flat = tuple(Runs.from_ids(sorted(rows)).flat())
    return Piece(column=COLUMN, rows=flat, constant=Constant(b"%d" % value))


def rows_of(piece: Piece) -> set[int]:
    return set(Runs.from_flat(piece.rows).ids().tolist())


def value(pieces: Sequence[Piece], row: int) -> object:
    """What a row holds: of the last piece that covers it."""
    for piece in reversed(pieces):
        if row in rows_of(piece):
            if piece.constant is not None:
                return piece.constant.payload
            assert piece.inline is not None
            assert set(piece.inline[1:]) == rows_of(piece), "a piece of data was cut"
            return f"data {piece.inline[0]}"
    return None


some_rows = st.sets(st.integers(0, N_ROWS - 1), min_size=1)
piece = st.builds(data, st.integers(0, 5), some_rows) | st.builds(
    constant, st.integers(10, 12), some_rows
)


@dataclass(frozen=True)
class Case:
    """Pieces of two snapshots with a common beginning, and whose rows are whose."""

    ours: tuple[Piece, ...]
    theirs: tuple[Piece, ...]
    whose: tuple[str, ...]

    @property
    def claims(self) -> Claims:
        def of(*kinds: str) -> Runs:
            return Runs.from_ids([i for i, kind in enumerate(self.whose) if kind in kinds])

        rows = of("ours", "theirs", "fill", "same")
        return Claims(COLUMN, rows, of("ours"), of("theirs"), of("fill"), DEFAULT)

    def right(self, pieces: Sequence[Piece]) -> bool:
        for row, kind in enumerate(self.whose):
            found = value(pieces, row)
            ours, theirs = value(self.ours, row), value(self.theirs, row)
            expected: dict[str, list[object]] = {
                "ours": [ours],
                "theirs": [theirs],
                "fill": [b"7"],
                "same": [ours, theirs],
            }
            if kind != "gone" and found not in expected[kind]:
                return False
        return True


kinds = st.sampled_from(["ours", "theirs", "fill", "same", "gone"])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    everything = data(200, set(range(N_ROWS)))
    common = (everything, *draw(st.lists(piece, max_size=2)))
    ours = (*common, *draw(st.lists(piece, max_size=4)))
    theirs = (*common, *draw(st.lists(piece, max_size=4)))
    whose = draw(st.lists(kinds, min_size=N_ROWS, max_size=N_ROWS))
    return Case(ours, theirs, tuple(whose))


@given(cases())
def test_what_is_laid_over_ours_gives_every_row_its_value(case: Case) -> None:
    over = laid_over(case.ours, case.theirs, case.claims)
    if over is not None:
        assert case.right((*case.ours, *over))


@given(cases())
def test_what_is_laid_anew_gives_every_row_its_value(case: Case) -> None:
    try:
        pieces = laid_anew(case.ours, case.theirs, case.claims)
    except OrderError:
        assert laid_over(case.ours, case.theirs, case.claims) is None
    else:
        assert case.right(pieces)


@given(cases())
def test_a_common_beginning_may_be_left_out(case: Case) -> None:
    over = laid_over(case.ours[1:], case.theirs[1:], case.claims)
    if over is not None:
        assert case.right((*case.ours, *over))


def test_an_optimized_side_goes_under_updates_of_the_other() -> None:
    whole = data(0, set(range(N_ROWS)))
    update, optimized = data(1, {0}), data(2, set(range(N_ROWS)))
    case = Case((whole, update), (optimized,), ("ours", "theirs", *["same"] * 6))
    assert laid_over(case.ours, case.theirs, case.claims) is None
    assert laid_anew(case.ours, case.theirs, case.claims) == (optimized, update)


def test_a_default_covers_only_rows_that_have_it() -> None:
    """What hid values before: a default laid over rows that another branch had written."""
    default, written = constant(7, set(range(N_ROWS))), data(1, {2, 3})
    case = Case((default, written), (default,), ("ours",) * 4 + ("theirs",) * 4)
    over = laid_over(case.ours, case.theirs, case.claims)
    assert over is not None
    assert case.right((*case.ours, *over))


def test_only_what_is_needed_is_laid() -> None:
    old, theirs, hidden = data(0, {0, 1}), data(1, {2, 3}), data(2, {2, 3})
    case = Case((old,), (old, hidden, theirs), ("ours", "ours", "theirs", "theirs", *["gone"] * 4))
    assert laid_over(case.ours, case.theirs, case.claims) == (theirs,)


def test_no_order_is_said() -> None:
    ours, theirs = data(1, {0, 1}), data(2, {0, 1})
    case = Case((ours,), (theirs,), ("ours", "theirs", *["gone"] * 6))
    assert laid_over(case.ours, case.theirs, case.claims) is None
    try:
        laid_anew(case.ours, case.theirs, case.claims)
    except OrderError:
        return
    raise AssertionError("two pieces that both must be on top have no order")
