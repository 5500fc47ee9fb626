"""aiolake without syncing, which is what most other peers do."""

from __future__ import annotations

import aiolake
from benchmarks.peers.ours import AiolakePeer

__all__ = ["make"]


def make(kind: str) -> AiolakePeer:
    """Leaves syncing to the operating system."""
    return AiolakePeer(kind, aiolake.Options(durability="os"))
