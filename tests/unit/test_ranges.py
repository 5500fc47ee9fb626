"""Runs against a plain list of ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake import ranges
from aiolake.ranges import EMPTY, Runs

IDS = st.lists(st.integers(0, 60), unique=True, max_size=40)


@given(IDS)
def test_ids_come_back_in_order(ids: list[int]) -> None:
    runs = Runs.from_ids(ids)
    assert runs.ids().tolist() == ids
    assert len(runs) == len(ids)
    assert Runs.from_flat(runs.flat()) == runs
    assert [runs.at(i) for i in range(len(ids))] == ids


@given(IDS, IDS)
def test_set_operations_keep_the_left_order(left: list[int], right: list[int]) -> None:
    a, b = Runs.from_ids(left), Runs.from_ids(right)
    assert a.intersection(b).ids().tolist() == [i for i in left if i in right]
    assert a.difference(b).ids().tolist() == [i for i in left if i not in right]
    assert a.intersects(b) == bool(set(left) & set(right))


@given(IDS, IDS)
def test_positions_are_found_and_others_are_minus_one(ids: list[int], asked: list[int]) -> None:
    runs = Runs.from_ids(ids)
    want = [ids.index(i) if i in ids else -1 for i in asked]
    assert runs.positions(np.asarray(asked, np.int64)).tolist() == want


@given(IDS)
def test_concat_appends(ids: list[int]) -> None:
    runs = Runs.from_ids(ids)
    assert runs.concat(Runs.of((100, 3))).ids().tolist() == [*ids, 100, 101, 102]
    assert runs.concat(EMPTY) == runs


def test_neighbouring_runs_are_joined() -> None:
    assert Runs.of((0, 5), (5, 5)).flat() == [0, 10]


@given(IDS, st.integers(0, 45), st.integers(0, 45))
def test_slices_and_order(ids: list[int], start: int, stop: int) -> None:
    runs = Runs.from_ids(ids)
    start, stop = min(start, len(ids)), min(stop, len(ids))
    assert runs.slice(start, stop).ids().tolist() == ids[start:stop]
    assert runs.ascending == (ids == sorted(ids))


@given(IDS, IDS)
def test_parts_are_the_runs_in_order(left: list[int], right: list[int]) -> None:
    a, b = Runs.from_ids(left), Runs.from_ids(right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "_PART_RUNS", 2)
        assert [id for part in a.parts() for id in part.ids().tolist()] == left
        assert a.intersection(b) == Runs.from_ids([i for i in left if i in right])
        assert a.difference(b) == Runs.from_ids([i for i in left if i not in right])
