"""The table of a column whose samples lie outside the dataset. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiolake.codecs import LinkRows
from aiolake.format.manifest import BLOCK_ENTRIES, REFERRED, TO_END, Block, Source, encode_block
from aiolake.ranges import Ids

__all__ = ["LinkTable"]


class LinkTable:
    """References, growing; each is an entry."""

    def __init__(self) -> None:
        self._sources: dict[Source, int] = {}
        self._columns: list[tuple[Ids, Ids, Ids]] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, rows: LinkRows) -> None:
        """More entries."""
        numbers = [
            self._sources.setdefault(Source(*each), len(self._sources)) for each in rows.objects
        ]
        known = np.asarray([*numbers, -1], np.int64)  # -1 stays -1
        self._columns.append((known[rows.object], rows.offset, rows.length))
        self._n += len(rows)

    def blocks(self) -> list[bytes]:
        """The encoded manifest blocks."""
        if not self._n:
            return []
        source, offset, length = (
            np.concatenate(column) for column in zip(*self._columns, strict=True)
        )
        sources = tuple(self._sources)
        return [
            encode_block(_block(sources, source[cut], offset[cut], length[cut]))
            for start in range(0, self._n, BLOCK_ENTRIES)
            for cut in [slice(start, start + BLOCK_ENTRIES)]
        ]


def _block(sources: Sequence[Source], source: Ids, offset: Ids, length: Ids) -> Block:
    null = source < 0
    used, inverse = np.unique(source[~null], return_inverse=True)
    numbers = np.full(len(source), -1, np.int64)
    numbers[~null] = inverse
    return Block(
        chunks=(),
        chunk=np.where(null, 0, REFERRED),
        offset=offset.astype(np.uint64),
        length=np.where(length < 0, np.uint64(TO_END), length.astype(np.uint64)),
        crc=np.zeros(len(source), np.uint32),
        shape=np.empty((len(source), 0), np.uint32),
        null=null if null.any() else None,
        sources=tuple(sources[i] for i in used.tolist()),
        source=numbers if len(used) else None,
    )
