"""The keys of rows that are being written."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.codecs import ByteRows, FixedRows, hash_keys, key_values
from aiolake.types import ColumnType, Text

__all__ = ["KeyBlocks"]


class _Block(msgspec.Struct, frozen=True, eq=False):
    """Keys of some rows: hashes, and of keys that are no integers the bytes and their ends."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    content: bytes
    stops: npt.NDArray[np.int64]


class KeyBlocks(msgspec.Struct):
    """Hashes of keys in the order of their rows; the keys too, so that errors can name them.

    It takes about 24 bytes a row, and the key's own where it is no integer.
    """

    type: ColumnType
    blocks: list[_Block] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(block.high) for block in self.blocks)

    def made(self, rows: FixedRows | ByteRows) -> _Block:
        """The keys of encoded rows.

        Raises:
            InvalidInputError: A key is None or too long; ``row`` is its index.
        """
        values = key_values(rows)
        if isinstance(values, np.ndarray):
            return _Block(*hash_keys(values), b"", np.empty(0, np.int64))
        stops = np.cumsum([len(value) for value in values], dtype=np.int64)
        return _Block(*hash_keys(values), b"".join(values), stops)

    def hashes(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """All of them, as two columns."""
        empty = [np.empty(0, np.uint64)]
        high = np.concatenate(empty + [block.high for block in self.blocks])
        return high, np.concatenate(empty + [block.low for block in self.blocks])

    def name(self, i: int) -> Any:
        """The key of row ``i``, as users read it."""
        for block in self.blocks:
            if i < len(block.high):
                return self._name(block, i)
            i -= len(block.high)
        raise IndexError(i)

    def _name(self, block: _Block, i: int) -> Any:
        if not len(block.stops):
            number = int(block.low[i])
            unsigned = getattr(self.type, "dtype", "").startswith("u")
            return number if unsigned or number < 1 << 63 else number - (1 << 64)
        start = int(block.stops[i - 1]) if i else 0
        content = block.content[start : int(block.stops[i])]
        return content.decode(errors="replace") if isinstance(self.type, Text) else content
