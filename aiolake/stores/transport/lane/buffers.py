"""Memory for long bodies, used again once nobody refers to it.

Of fresh memory the kernel clears every page when it is first written to, which takes as long as
receiving what is written.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from typing import Any

import numpy as np

__all__ = ["Buffers"]

_LEAST_STEP_BITS = 16
_LOOKED_AT = 8
_REFERENCES = sys.getrefcount(object()) + 1
"""Of memory that only its place among the kept refers to, as ``sys.getrefcount`` counts them."""


class Buffers:
    """Hands out memory; what it handed out is free again when its last view is gone.

    Args:
        max_nbytes: How much of it is kept, in use or free; what is beyond is used once.
    """

    def __init__(self, max_nbytes: int) -> None:
        self._max_nbytes = max_nbytes
        self._kept: defaultdict[int, deque[Any]] = defaultdict(deque)
        self._used: set[int] = set()
        self.nbytes = 0
        """Bytes kept, in use or free."""

    def take(self, nbytes: int) -> memoryview:
        """Memory of that size, whatever is in it."""
        size = _rounded(nbytes)
        found = self._free(size)
        if found is None:
            found = np.empty(size, np.uint8)
            if self.nbytes + size <= self._max_nbytes:
                self._kept[size].append(found)
                self.nbytes += size
        self._used.add(id(found))
        return memoryview(found)[:nbytes]

    def trim(self) -> None:
        """Let go of what was not used since the last time."""
        used, self._used = self._used, set()
        for size, kept in list(self._kept.items()):
            left = deque(each for each in kept if id(each) in used)
            self.nbytes -= size * (len(kept) - len(left))
            self._kept[size] = left
            if not left:
                del self._kept[size]

    def _free(self, size: int) -> Any:
        """One of this size that nobody refers to, of the few handed out longest ago."""
        kept = self._kept[size]
        for _ in range(min(len(kept), _LOOKED_AT)):
            kept.rotate(-1)
            if sys.getrefcount(kept[-1]) == _REFERENCES:
                return kept[-1]
        return None


def _rounded(nbytes: int) -> int:
    """Up to the next of four to eight sizes between powers of two, so that sizes are met again."""
    step = 1 << max(_LEAST_STEP_BITS, (nbytes - 1).bit_length() - 3)
    return -(-nbytes // step) * step
