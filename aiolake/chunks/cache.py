"""Bytes and tables kept in memory, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

__all__ = ["MemoryCache"]


class MemoryCache:
    """Values by key, bounded by their bytes; shared by everything a session has open.

    Args:
        max_bytes: What the values together may take; a larger value is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nbytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of the values held."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Any:
        """A value, which is now the most recently used; ``None`` if it is not here."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep a value of so many bytes."""
        old = self._values.pop(key, None)
        if old is not None:
            self._nbytes -= old[1]
        if nbytes > self._max_bytes:
            return
        self._values[key] = (value, nbytes)
        self._nbytes += nbytes
        while self._nbytes > self._max_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self._nbytes -= freed

    def clear(self) -> None:
        """Let go of everything."""
        self._values.clear()
        self._nbytes = 0
