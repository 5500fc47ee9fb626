"""Class labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiolake.errors import InvalidInputError
from aiolake.types import ClassLabel
from tests.unit.codecs.helpers import fixed

FLOWERS = fixed(ClassLabel(["daisy", "rose", "tulip"]))


@pytest.mark.parametrize(
    "values",
    [
        [0, 2, 1],
        ["daisy", "tulip", "rose"],
        ["daisy", 2, np.str_("rose")],
        np.array([0, 2, 1], np.uint8),
        np.array(["daisy", "tulip", "rose"]),
        (np.int64(0), np.array(2), True),
        range(0, 3, 2),
    ],
    ids=repr,
)
def test_names_and_numbers_are_the_same_labels(values: Any) -> None:
    rows = FLOWERS.encode_rows(values)
    assert rows.array.tolist() == [0, 2, 1][: len(values)]
    assert rows.array.dtype == np.dtype("<i4")
    assert rows.valid is None
    assert FLOWERS.to_value(rows.array, None, 1) == 2


def test_a_label_may_be_none() -> None:
    rows = FLOWERS.encode_rows([None, "rose"])
    back = FLOWERS.read_page(FLOWERS.page_payload(rows, 0, 2), 2, has_nulls=True)
    assert [FLOWERS.to_value(back.array, back.valid, i) for i in range(2)] == [None, 1]


@pytest.mark.parametrize(
    ("values", "row", "reason"),
    [
        ([0, 3], 1, "label 3 is out of range: 0 to 2, 'daisy', 'rose', 'tulip'"),
        ([0, 1, -1], 2, "label -1 is out of range"),
        (np.array([1, 2, 300]), 2, "label 300 is out of range"),
        ([2**40], 0, "out of range"),
        (["rose", "Rose"], 1, "'Rose' is no label; labels are 'daisy', 'rose', 'tulip'"),
        ([1.0], 0, "expected a label's name or number, got float 1.0"),
        (np.array([0.0]), 0, "expected a label's name or number"),
        ([0, [1]], 1, "expected a label's name or number, got list"),
        ([b"rose"], 0, "expected a label's name or number"),
        ([None, None, "x"], 2, "'x' is no label"),
        (np.zeros((2, 1), int), 0, "expected a label's name or number, got ndarray of int64"),
    ],
    ids=repr,
)
def test_a_bad_label_is_refused_saying_which_are_good(values: Any, row: int, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        FLOWERS.encode_rows(values)
    assert caught.value.row == row


def test_long_lists_of_labels_are_cut_in_messages() -> None:
    codec = fixed(ClassLabel([f"c{i}" for i in range(1000)]))
    with pytest.raises(InvalidInputError, match=r"'c9' and 990 more$"):
        codec.encode_rows(["x"])
