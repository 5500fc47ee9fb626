"""Deep Lake 3: pictures and arrays as tensors, read by their bytes where there are bytes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that there is a newer version
    import deeplake  # type: ignore[import-not-found]

from benchmarks.peers.base import ROWS_PER_WRITE
from benchmarks.peers.blocking import BlockingPeer
from benchmarks.source import Source

__all__ = ["DeepLake3Peer", "make"]

_HTYPES = {
    "pictures": {"htype": "image", "sample_compression": "jpeg"},
    "vectors": {"htype": "embedding", "dtype": "float32"},
    "ragged": {"htype": "generic", "dtype": "float32"},
    "texts": {"htype": "text"},
}


class DeepLake3Peer(BlockingPeer):
    """``extend`` of tensors; ``tobytes`` gives a picture's JPEG, ``numpy`` arrays."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Extends within ``with ds``, which defers writing."""
        ds = deeplake.empty(str(directory), verbose=False)
        ds.create_tensor("sample", verbose=False, **_HTYPES[self._kind])
        ds.create_tensor("label", htype="generic", dtype="int32")
        with ds:
            for values, labels in source.groups(ROWS_PER_WRITE):
                ds.sample.extend(self._samples(values))
                ds.label.extend(np.asarray(labels, np.int32))

    async def open(self, directory: Path) -> None:
        """Load read-only."""
        self._ds: Any = deeplake.load(str(directory), read_only=True, verbose=False)
        self._tensor: Any = self._ds.sample
        self._n_rows = len(self._tensor)

    async def read_one(self, row: int) -> Any:
        """Index the tensor."""
        sample = self._tensor[row]
        if self._kind == "pictures":
            return sample.tobytes()
        return sample.text() if self._kind == "texts" else sample.numpy()

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """Index the tensor by a list; bytes come one by one."""
        if self._kind == "pictures":
            return [self._tensor[row].tobytes() for row in rows]
        some = self._tensor[list(rows)]
        values: Sequence[Any] = (
            some.text() if self._kind == "texts" else some.numpy(aslist=self._kind == "ragged")
        )
        return values

    async def close(self) -> None:
        """Drop the handle."""
        del self._tensor, self._ds

    def _samples(self, values: list[Any]) -> Any:
        if self._kind == "pictures":
            return [deeplake.core.sample.Sample(buffer=v, compression="jpeg") for v in values]
        return values


def make(kind: str) -> DeepLake3Peer:
    """With the defaults."""
    return DeepLake3Peer(kind)
