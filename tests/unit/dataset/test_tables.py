"""What summaries and statistics look like in words."""

from __future__ import annotations

import pytest

import aiolake
from aiolake import ColumnType, Tensor, Text


def test_sizes_that_are_only_known_on_average_are_not_called_each() -> None:
    assert str(aiolake.Sizes(4, 4.0, 4, 8)) == "4 B each"
    assert str(aiolake.Sizes(None, 16.3, None, 1484)) == "mean 16 B"
    assert str(aiolake.Sizes(1, 2.0, 3, 4)) == "1 B..3 B, mean 2 B"


async def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    schema: dict[str, ColumnType] = {"n": Tensor("int64"), "t": Text()}
    async with aiolake.create_dataset("mem://tables", schema) as ds:
        for found in (await ds.stats(), await ds.summary()):
            assert found["n"].name == "n"
            with pytest.raises(aiolake.NotFoundError, match="'nope'; columns are: n, t"):
                found["nope"]
