"""Icechunk: the same zarr arrays in a repository, one commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import icechunk  # type: ignore[import-not-found]

from benchmarks.peers.zarrs import ZarrPeer

__all__ = ["make"]


class IcechunkPeer(ZarrPeer):
    """A writable session and its commit; a read-only session of the branch."""

    def writing(self, directory: Path) -> Any:
        storage = icechunk.local_filesystem_storage(str(directory))
        self._writable = icechunk.Repository.create(storage).writable_session("main")
        return self._writable.store

    def commit(self) -> None:
        """Commit the session."""
        self._writable.commit("ingest")

    def reading(self, directory: Path) -> Any:
        storage = icechunk.local_filesystem_storage(str(directory))
        return icechunk.Repository.open(storage).readonly_session(branch="main").store


def make(kind: str) -> IcechunkPeer:
    """With the defaults."""
    return IcechunkPeer(kind)
