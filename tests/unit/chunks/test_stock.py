"""Batches cut from rows that were read together."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aiolake.chunks.stock import SLAB_ROWS, Step, Stock


@given(n=st.integers(1, 40), size=st.integers(1, 50))
def test_batches_are_the_rows_in_order(n: int, size: int) -> None:
    stock = Stock({"a": np.arange(n), "t": list(range(n))}, n, size)
    expected = [list(range(n))[at : at + size] for at in range(0, n, size)]
    batches: list[dict[str, Any]] = []
    while stock:
        assert len(stock) == len(expected) - len(batches)
        batches.append(stock.take())
    assert [batch["a"].tolist() for batch in batches] == expected
    assert [batch["t"] for batch in batches] == expected


def test_a_batch_keeps_nothing_of_the_others_alive() -> None:
    values = np.arange(6)
    stock = Stock({"a": values, "m": np.ma.MaskedArray(values, values > 2)}, 6, 4)
    first, second = stock.take(), stock.take()
    assert not np.shares_memory(first["a"], values)
    first["a"][:] = -1
    first["m"][0] = np.ma.masked
    assert second["a"].tolist() == [4, 5]
    assert second["m"].mask.tolist() == [True, True]
    assert values.tolist() == [0, 1, 2, 3, 4, 5]


@given(
    size=st.integers(1, 10_000),
    n_rows=st.integers(1, 10_000),
    nbytes=st.integers(0, 1 << 40),
    limit=st.integers(1, 1 << 24),
)
def test_a_step_is_whole_batches_within_the_limit(
    size: int, n_rows: int, nbytes: int, limit: int
) -> None:
    step = Step(size, size).after(n_rows, nbytes, limit)
    assert step.n_rows >= size
    assert step.n_rows % size == 0
    if step.n_rows > size:
        assert step.n_rows <= min(SLAB_ROWS, 4 * n_rows)
        assert step.n_rows * nbytes <= limit * n_rows
    if nbytes > 2 * limit and n_rows > size:
        assert step.n_rows < n_rows
