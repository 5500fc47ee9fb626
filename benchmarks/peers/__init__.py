"""One module per peer, and what each needs to be installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.peers.base import Peer

__all__ = ["OURS", "PEERS", "PeerSpec", "make_peer"]

OURS = "aiolake"
_WITHOUT_NEEDS = "--no-deps"
_SEQUENTIAL = "a tar file has no random access"
_PERMUTED = "no shuffle of its own; see random batches"
_TORCH = "torch==2.13.0"


@dataclass(frozen=True, slots=True)
class PeerSpec:
    """A peer, known without importing it.

    Attributes:
        name: On the command line.
        title: In reports.
        module: Holds ``make(kind) -> Peer``; imported only inside the peer's own environment.
        environment: Name of that environment; peers may share one.
        requirements: What pip installs there, each group by one call; ``"."`` is the wheel of
            this tree. A group that begins with ``--no-deps`` names all it needs in another.
        package: The distribution whose version is reported.
        only: Workloads it takes part in; all when empty.
        cannot: Workloads it takes no part in, and why.
        mapped: Whether it maps its files, so that what it reads is in no count of reads and
            pages of the file count as its memory.
        slow_import: Whether its import takes seconds of every measurement, so that it takes part
            in one round of what is not pictures.
    """

    name: str
    title: str
    module: str
    environment: str
    requirements: tuple[tuple[str, ...], ...] = ()
    package: str = ""
    only: tuple[str, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)
    mapped: bool = False
    slow_import: bool = False


_LITDATA_NEEDS = (
    "boto3",
    "filelock",
    "lightning-utilities",
    "numpy",
    "obstore",
    "pillow",
    "requests",
    "tifffile",
)
_MOSAICML_NEEDS = (
    "Brotli",
    "boto3<2",
    "catalogue<3",
    "matplotlib<4",
    "numpy<2.2",
    "paramiko<4",
    "python-snappy<1",
    "tqdm<5",
    "transformers<5",
    "xxhash<4",
    "zstd<2",
)
_WHEEL = ((".",),)

PEERS: dict[str, PeerSpec] = {
    spec.name: spec
    for spec in (
        PeerSpec(OURS, "aiolake", "benchmarks.peers.ours", "aiolake", _WHEEL, "aiolake"),
        PeerSpec(
            "aiolake-os",
            "aiolake, not synced",
            "benchmarks.peers.ours_os",
            "aiolake",
            _WHEEL,
            only=("ingest",),
        ),
        PeerSpec(
            "lance", "Lance", "benchmarks.peers.lance", "lance", (("pylance==14.0.2",),), "pylance"
        ),
        PeerSpec(
            "deeplake4",
            "Deep Lake 4",
            "benchmarks.peers.deeplake4",
            "deeplake",
            (("deeplake==4.7.4",),),
            "deeplake",
        ),
        PeerSpec(
            "deeplake3",
            "Deep Lake 3",
            "benchmarks.peers.deeplake3",
            "deeplake3",
            (("deeplake==3.9.52",),),
            "deeplake",
        ),
        PeerSpec(
            "tensorstore",
            "TensorStore",
            "benchmarks.peers.tensorstore",
            "tensorstore",
            (("tensorstore==0.1.86",),),
            "tensorstore",
            cannot={"shuffle": _PERMUTED},
        ),
        PeerSpec(
            "zarr",
            "zarr + obstore",
            "benchmarks.peers.zarr",
            "zarr",
            (("zarr==3.1.6", "obstore==0.12.1"),),
            "zarr",
            cannot={"shuffle": _PERMUTED},
        ),
        PeerSpec(
            "icechunk",
            "Icechunk",
            "benchmarks.peers.icechunk",
            "icechunk",
            (("icechunk==1.1.21", "zarr==3.1.6"),),
            "icechunk",
            cannot={"shuffle": _PERMUTED},
        ),
        PeerSpec(
            "litdata",
            "LitData",
            "benchmarks.peers.litdata",
            "litdata",
            ((_TORCH,), _LITDATA_NEEDS, (_WITHOUT_NEEDS, "litdata==0.2.76")),
            "litdata",
            mapped=True,
            slow_import=True,
        ),
        PeerSpec(
            "mosaicml",
            "MosaicML",
            "benchmarks.peers.mosaicml",
            "mosaicml",
            ((_TORCH,), _MOSAICML_NEEDS, (_WITHOUT_NEEDS, "mosaicml-streaming==0.13.0")),
            "mosaicml-streaming",
            slow_import=True,
        ),
        PeerSpec(
            "webdataset",
            "WebDataset",
            "benchmarks.peers.webdataset",
            "webdataset",
            (("webdataset==1.0.2",),),
            "webdataset",
            cannot=dict.fromkeys(
                ("first", "reopen", "single", "inflight", "batch", "readers"), _SEQUENTIAL
            ),
        ),
        PeerSpec(
            "files", "plain files", "benchmarks.peers.files", "files", (("numpy",),), mapped=True
        ),
    )
}


def make_peer(name: str, kind: str = "pictures") -> Peer:
    """The adapter of a peer for a kind of samples; imports the peer."""
    peer: Peer = importlib.import_module(PEERS[name].module).make(kind)
    return peer
