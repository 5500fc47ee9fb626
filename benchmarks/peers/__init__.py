"""One module per peer, and what each needs to be installed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from benchmarks.peers.base import Peer

__all__ = ["OURS", "PEERS", "PeerSpec", "make_peer"]

OURS = "aiolake"


@dataclass(frozen=True, slots=True)
class PeerSpec:
    """A peer, known without importing it.

    Attributes:
        name: As in reports.
        module: Holds ``make() -> Peer``; imported only inside the peer's own environment.
        environment: Name of that environment; peers may share one.
        requirements: What pip installs there; ``"."`` is the wheel of this tree.
        only: Workloads it takes part in; all when empty.
    """

    name: str
    module: str
    environment: str
    requirements: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


PEERS: dict[str, PeerSpec] = {
    spec.name: spec
    for spec in (
        PeerSpec(OURS, "benchmarks.peers.ours", "aiolake", (".",)),
        PeerSpec("aiolake, not synced", "benchmarks.peers.ours_os", "aiolake", (".",), ("ingest",)),
        PeerSpec("lance", "benchmarks.peers.lance", "lance", ("pylance",)),
        PeerSpec("deeplake", "benchmarks.peers.deeplake", "deeplake", ("deeplake==4.7.4",)),
        PeerSpec("plain files", "benchmarks.peers.files", "files"),
    )
}


def make_peer(name: str) -> Peer:
    """The adapter of a peer; imports the peer."""
    peer: Peer = importlib.import_module(PEERS[name].module).make()
    return peer
