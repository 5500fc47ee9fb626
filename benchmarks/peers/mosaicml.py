"""MosaicML streaming: ``MDSWriter``, ``LocalDataset`` indexed, ``StreamingDataset`` shuffled."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.peers.base import BATCH
from benchmarks.peers.blocking import BlockingPeer, gathered
from benchmarks.source import N_DIMENSIONS, Source

__all__ = ["MosaicPeer", "make"]


def _stub(name: str, *classes: str) -> None:
    """In place of torchvision, which its data sets of known pictures inherit from: not used here.

    What is released of it depends on a torch of several gigabytes.
    """
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    for each in classes:
        setattr(module, each, type(each, (), {}))
    sys.modules[name] = module


_stub("torchvision")
_stub("torchvision.datasets", "VisionDataset", "CIFAR10")
_stub("torchvision.transforms")
_stub("torchvision.transforms.functional", "to_tensor")

from streaming import LocalDataset, MDSWriter, StreamingDataset  # type: ignore[import-not-found] # noqa: E402

_ENCODINGS = {
    "pictures": "bytes",
    "vectors": f"ndarray:float32:{N_DIMENSIONS}",
    "ragged": "ndarray:float32",
    "texts": "str",
}


class MosaicPeer(BlockingPeer):
    """Samples are ``bytes`` (its ``jpeg`` decodes), arrays or text."""

    async def ingest(self, source: Source, directory: Path) -> None:
        """Row by row."""
        columns = {"sample": _ENCODINGS[self._kind], "label": "int"}
        with MDSWriter(out=str(directory), columns=columns) as writer:
            for value, label in zip(source.values(), source.labels, strict=True):
                writer.write({"sample": value, "label": label})

    async def open(self, directory: Path) -> None:
        """As a map-style dataset."""
        self._directory = str(directory)
        self._ds: Any = LocalDataset(self._directory)
        self._n_rows = len(self._ds)

    async def read_one(self, row: int) -> Any:
        """An index."""
        return self._ds[row]["sample"]

    async def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """Its own shuffle."""
        samples = StreamingDataset(
            local=self._directory, batch_size=BATCH, shuffle=True, shuffle_seed=seed
        )
        for group in gathered(sample["sample"] for sample in samples):
            yield group


def make(kind: str) -> MosaicPeer:
    """With the defaults."""
    return MosaicPeer(kind)
