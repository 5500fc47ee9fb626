"""Rows that were read together and are handed out batch by batch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["SLAB_BYTES", "SLAB_ROWS", "Step", "Stock"]

SLAB_ROWS = 4096
SLAB_BYTES = 1 << 20
"""What is read at a time stays in a core's cache, and no consumer waits long for the first."""

_GROWTH = 4


class Stock:
    """Some rows, decoded, from which batches are cut.

    Args:
        values: Of each column an array or a list of ``n`` values.
        n: Rows.
        batch_size: Rows per batch; the last is shorter.
    """

    __slots__ = ("_at", "_n", "_size", "values")

    def __init__(self, values: Mapping[str, Any], n: int, batch_size: int) -> None:
        self.values = values
        self._n = n
        self._size = batch_size
        self._at = 0

    def __len__(self) -> int:
        return -(-(self._n - self._at) // self._size)

    def take(self) -> dict[str, Any]:
        """The next batch, which shares no memory with the others."""
        start = self._at
        self._at = stop = min(self._n, start + self._size)
        if not start and stop == self._n:
            return dict(self.values)
        # A list cut is a copy; a view would keep all rows as long as one batch is kept.
        return {
            name: values[start:stop] if isinstance(values, list) else values[start:stop].copy()
            for name, values in self.values.items()
        }


class Step(msgspec.Struct, frozen=True):
    """How many rows to read at a time: whole batches, as many as are little together.

    Attributes:
        batch_size: Rows per batch.
        n_rows: Rows to read next.
    """

    batch_size: int
    n_rows: int

    def after(self, n_rows: int, nbytes: int, limit: int) -> Step:
        """The next step, where ``n_rows`` took ``nbytes``: at most four times as many."""
        fitting = min(SLAB_ROWS, limit * n_rows // max(1, nbytes), _GROWTH * n_rows)
        return Step(self.batch_size, self._whole(fitting))

    def _whole(self, n_rows: int) -> int:
        return max(self.batch_size, n_rows - n_rows % self.batch_size)
