"""The pictures every peer is given: one file of JPEGs and their table. Standard library only."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source", "WrongBytesError"]

_TABLE = "table.json"
_JPEGS = "jpegs.bin"


class WrongBytesError(Exception):
    """A peer answered with other bytes than it was given."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was generated.

    Attributes:
        directory: Where it lies.
        lengths: Bytes of each JPEG.
        crcs: crc32 of each JPEG.
        labels: One small integer each.
    """

    directory: Path
    lengths: Sequence[int]
    crcs: Sequence[int]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a JPEG."""
        return sum(self.lengths) / len(self)

    def jpegs(self) -> Iterator[bytes]:
        """Every JPEG in order, read as it goes: a peer's memory is its own."""
        with open(self.directory / _JPEGS, "rb") as file:
            for length in self.lengths:
                yield file.read(length)

    def check(self, row: int, answer: bytes | bytearray | memoryview) -> None:
        """Compare an answer with what was given.

        Raises:
            WrongBytesError: They differ.
        """
        if len(answer) != self.lengths[row] or zlib.crc32(answer) != self.crcs[row]:
            raise WrongBytesError(f"row {row}: {len(answer)} bytes that are not the JPEG given")

    @classmethod
    def write(cls, directory: Path, jpegs: Sequence[bytes], labels: Sequence[int]) -> None:
        """Write the pictures, the table last: a directory with a table is complete."""
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / _JPEGS, "wb") as file:
            file.writelines(jpegs)
        table = {
            "lengths": [len(jpeg) for jpeg in jpegs],
            "crcs": [zlib.crc32(jpeg) for jpeg in jpegs],
            "labels": list(labels),
        }
        (directory / _TABLE).write_text(json.dumps(table))

    @classmethod
    def load(cls, directory: Path) -> Source:
        """Read the table."""
        return cls(directory, **json.loads((directory / _TABLE).read_text()))

    @classmethod
    def complete(cls, directory: Path) -> bool:
        """Whether the pictures are there."""
        return (directory / _TABLE).exists()
