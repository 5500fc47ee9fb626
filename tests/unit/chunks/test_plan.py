from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aiolake.chunks.plan import Fetch, Units, coalesce, regions
from aiolake.stores.base import CostModel


def _units(rows: list[tuple[int, int, int]]) -> Units:
    key, start, length = (np.asarray(column, np.int64) for column in zip(*rows, strict=True))
    return Units(("a", "b", "c"), key, start, length, np.zeros(len(rows), np.int64))


def _oracle(rows: list[tuple[int, int, int]], cost: CostModel) -> list[Fetch]:
    """One unit after the other, in stored order: joined to the last fetch, or a new one."""
    fetches: list[Fetch] = []
    wanted = [(key, start, length, u) for u, (key, start, length) in enumerate(rows) if length]
    for key, start, length, u in sorted(wanted, key=lambda row: (row[0], row[1], row[3])):
        stop = start + length
        last = fetches[-1] if fetches else None
        if (
            last is not None
            and last.key == "abc"[key]
            and start - last.stop <= cost.gap_bytes
            and max(stop, last.stop) - last.start <= cost.max_range_bytes
        ):
            fetches[-1] = Fetch(last.key, last.start, max(stop, last.stop), (*last.units, u))
        else:
            fetches.append(Fetch("abc"[key], start, stop, (u,)))
    return fetches


rows = st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(0, 40))


@given(st.lists(rows, min_size=1, max_size=40), st.integers(0, 30), st.integers(1, 120))
def test_coalesce_is_the_greedy_plan(
    rows: list[tuple[int, int, int]], gap: int, longest: int
) -> None:
    cost = CostModel(gap, longest)
    assert list(coalesce(_units(rows), cost)) == _oracle(rows, cost)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 120))
def test_neighbours_are_cut_at_the_longest_range(lengths: list[int], longest: int) -> None:
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    rows = [(0, start, length) for start, length in zip(starts, lengths, strict=True)]
    cost = CostModel(0, longest)
    assert list(coalesce(_units(rows), cost)) == _oracle(rows, cost)


def test_every_unit_with_bytes_is_in_one_region() -> None:
    units = _units([(1, 0, 5), (0, 9, 1), (0, 9, 1), (0, 3, 0), (2, 7, 7)])
    plan = regions(units, CostModel(0, 100))
    assert plan.order.tolist() == [1, 2, 0, 4]
    assert plan.bounds == (0, 2, 3, 4)


def test_nothing_wanted_takes_no_region() -> None:
    assert coalesce(_units([(0, 3, 0)]), CostModel(0, 100)) == ()
