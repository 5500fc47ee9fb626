"""Cutting values of varying size into pages. Pure.

Short values gather in a page until it is long enough; a long one ends the page and stands alone.
So reading a row never brings more than a few KiB that were not wanted, and no order of short and
long values makes more entries than there are rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from aiolake.codecs import ByteCodec, ByteRows

__all__ = ["ShortPages"]

_PLAIN_PAGE_BYTES = 4 << 10
# Twice of it gains less than 5 % with texts, and costs a random read twice as much to unpack.
_PACKED_PAGE_BYTES = 8 << 10
_MAX_PAGE_ROWS = 1024


class ShortPages:
    """Rows that wait for their page.

    Args:
        codec: Of the column.
    """

    def __init__(self, codec: ByteCodec) -> None:
        self._page_bytes = _PACKED_PAGE_BYTES if codec.compression == "zstd" else _PLAIN_PAGE_BYTES
        self._values: list[bytes] = []
        self._missing: list[int] = []
        self._nbytes = 0

    def add(self, rows: ByteRows) -> Iterator[ByteRows]:
        """Add rows; gives the pages that became full, those of one row included, in order."""
        at, n_before = 0, len(self._values)
        self._missing += [n_before + i for i in rows.missing]
        self._values += rows.values
        alone_from = self._page_bytes // 2
        nbytes = self._nbytes
        for i, length in enumerate(map(len, rows.values), n_before):
            if length > alone_from:
                if at < i:
                    yield self._cut(at, i)
                yield self._cut(i, i + 1)
                at, nbytes = i + 1, 0
                continue
            nbytes += length
            if nbytes >= self._page_bytes or i + 1 - at == _MAX_PAGE_ROWS:
                yield self._cut(at, i + 1)
                at, nbytes = i + 1, 0
        self._nbytes = nbytes
        self._drop(at)

    def rest(self) -> ByteRows | None:
        """Take out what waits."""
        if not self._values:
            return None
        found = self._cut(0, len(self._values))
        self._drop(len(self._values))
        self._nbytes = 0
        return found

    def _cut(self, start: int, stop: int) -> ByteRows:
        values = self._values[start:stop]
        if not self._missing:
            return ByteRows(values)
        low, high = (bisect_left(self._missing, at) for at in (start, stop))
        return ByteRows(values, [i - start for i in self._missing[low:high]])

    def _drop(self, n: int) -> None:
        del self._values[:n]
        if self._missing:
            self._missing = [i - n for i in self._missing if i >= n]
