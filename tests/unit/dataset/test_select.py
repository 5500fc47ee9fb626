"""Which rows a selection means."""

from __future__ import annotations

import numpy as np
import pytest

from aiolake import OutOfRangeError
from aiolake.dataset.select import positions


@pytest.mark.parametrize("row", [2**63, 2**64 - 1, 10**20, -(2**63) - 1])
def test_a_number_that_int64_cannot_hold_names_no_row(row: int) -> None:
    with pytest.raises(OutOfRangeError, match=f"row {row} is out of range"):
        positions([row], 5)


def test_unsigned_indexes_are_taken() -> None:
    assert positions(np.array([4, 0], np.uint64), 5).tolist() == [4, 0]
