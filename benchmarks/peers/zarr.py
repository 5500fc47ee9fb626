"""Zarr with obstore: variable-length bytes and text, sharded, through its asynchronous arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import obstore.store  # type: ignore[import-not-found]
from zarr.storage import ObjectStore  # type: ignore[import-not-found]

from benchmarks.peers.zarrs import ZarrPeer

__all__ = ["make"]


class ObstorePeer(ZarrPeer):
    """An ``ObjectStore`` over obstore's local one."""

    def writing(self, directory: Path) -> Any:
        directory.mkdir(parents=True)
        return ObjectStore(obstore.store.LocalStore(str(directory)))

    def reading(self, directory: Path) -> Any:
        return ObjectStore(obstore.store.LocalStore(str(directory)), read_only=True)


def make(kind: str) -> ObstorePeer:
    """With the defaults."""
    return ObstorePeer(kind)
