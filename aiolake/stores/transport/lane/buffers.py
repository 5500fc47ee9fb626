"""Memory for long bodies, used again once nobody refers to it.

Of fresh memory the kernel clears every page when it is first written to, which takes as long as
receiving what is written.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["Buffers"]

_LEAST_STEP_BITS = 16
_REFERENCES = sys.getrefcount(object()) + 1
"""Of memory that only its place in the list refers to, as ``sys.getrefcount`` counts them."""


class Buffers:
    """Hands out memory; what it handed out is free again when its last view is gone.

    Args:
        max_nbytes: How much of it is kept, in use or free; what is beyond is used once.
    """

    def __init__(self, max_nbytes: int) -> None:
        self._max_nbytes = max_nbytes
        self._kept: list[Any] = []
        self._nbytes = 0
        self._used: set[int] = set()

    @property
    def nbytes(self) -> int:
        """Bytes kept, in use or free."""
        return self._nbytes

    def take(self, nbytes: int) -> memoryview:
        """Memory of that size, whatever is in it."""
        size = _rounded(nbytes)
        found = self._free(size)
        if found is None:
            found = np.empty(size, np.uint8)
            if self._nbytes + size <= self._max_nbytes:
                self._kept.append(found)
                self._nbytes += size
        self._used.add(id(found))
        return memoryview(found)[:nbytes]

    def trim(self) -> None:
        """Let go of what was not used since the last time."""
        used, self._used = self._used, set()
        self._kept = [each for each in self._kept if id(each) in used]
        self._nbytes = sum(each.nbytes for each in self._kept)

    def _free(self, size: int) -> Any:
        kept = self._kept
        for i in range(len(kept)):
            if kept[i].nbytes == size and sys.getrefcount(kept[i]) == _REFERENCES:
                return kept[i]
        return None


def _rounded(nbytes: int) -> int:
    """Up to the next of four to eight sizes between powers of two, so that sizes are met again."""
    step = 1 << max(_LEAST_STEP_BITS, (nbytes - 1).bit_length() - 3)
    return -(-nbytes // step) * step
