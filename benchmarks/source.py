"""The samples every peer is given: one file of bytes and a table. Standard library at import.

numpy is imported where arrays are made, never before: a peer pays for its own import.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "N_BANDS", "N_DIMENSIONS", "Source", "WrongBytesError", "encoded"]

KINDS = ("pictures", "vectors", "ragged", "texts")
N_DIMENSIONS = 768
N_BANDS = 80
_TABLE = "table.json"
_DATA = "samples.bin"
_SAMPLE_SHAPES = {"vectors": (N_DIMENSIONS,), "ragged": (-1, N_BANDS)}


class WrongBytesError(Exception):
    """A peer answered with something else than it was given."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was generated.

    Attributes:
        directory: Where it lies.
        lengths: Bytes of each sample.
        crcs: crc32 of each sample's bytes.
        labels: One small integer each.
        kind: ``pictures`` (JPEG bytes), ``vectors`` (float32 of 768), ``ragged`` (float32 of
            50 to 400 by 80) or ``texts`` (``str``).
    """

    directory: Path
    lengths: Sequence[int]
    crcs: Sequence[int]
    labels: Sequence[int]
    kind: str = "pictures"
    _rows: dict[tuple[int, int], int] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return sum(self.lengths)

    def values(self, start: int = 0, stop: int | None = None) -> Iterator[Any]:
        """Samples in order, read as it goes: a peer's memory is its own."""
        with open(self.directory / _DATA, "rb") as file:
            file.seek(sum(self.lengths[:start]))
            for length in self.lengths[start:stop]:
                yield self._decoded(file.read(length))

    def groups(self, n: int) -> Iterator[tuple[list[Any], Sequence[int]]]:
        """Samples and labels, ``n`` at a time; the last group may be shorter."""
        values, at = self.values(), 0
        while group := list(islice(values, n)):
            yield group, self.labels[at : at + len(group)]
            at += len(group)

    def check(self, row: int, answer: Any) -> int:
        """Compare an answer with what was given; returns its bytes.

        Raises:
            WrongBytesError: They differ: in type, dtype, shape or a byte.
        """
        data = encoded(self.kind, answer)
        if len(data) != self.lengths[row] or zlib.crc32(data) != self.crcs[row]:
            raise WrongBytesError(f"row {row}: {len(data)} bytes that are not the sample given")
        return len(data)

    def find(self, answer: Any) -> int:
        """Which row an answer is.

        Raises:
            WrongBytesError: None of them.
        """
        if not self._rows:
            keys = zip(self.lengths, self.crcs, strict=True)
            self._rows.update((key, row) for row, key in enumerate(keys))
        data = encoded(self.kind, answer)
        row = self._rows.get((len(data), zlib.crc32(data)))
        if row is None:
            raise WrongBytesError(f"{len(data)} bytes that are no sample given")
        return row

    def _decoded(self, data: bytes) -> Any:
        if self.kind == "pictures":
            return data
        if self.kind == "texts":
            return data.decode()
        import numpy as np

        return np.frombuffer(data, np.float32).reshape(_SAMPLE_SHAPES[self.kind])

    @classmethod
    def write(
        cls, directory: Path, kind: str, samples: Iterable[bytes], labels: Sequence[int]
    ) -> None:
        """Write samples, the table last: a directory with a table is complete.

        Raises:
            ValueError: Two samples are the same, so an order could not be told.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lengths, crcs = [], []
        with open(directory / _DATA, "wb") as file:
            for sample in samples:
                file.write(sample)
                lengths.append(len(sample))
                crcs.append(zlib.crc32(sample))
        if len(set(zip(lengths, crcs, strict=True))) < len(lengths):
            raise ValueError(f"two {kind} are the same")
        table = {"lengths": lengths, "crcs": crcs, "labels": list(labels), "kind": kind}
        (directory / _TABLE).write_text(json.dumps(table))

    @classmethod
    def load(cls, directory: Path) -> Source:
        """Read the table."""
        return cls(directory, **json.loads((directory / _TABLE).read_text()))

    @classmethod
    def complete(cls, directory: Path) -> bool:
        """Whether the samples are there."""
        return (directory / _TABLE).exists() and (directory / _DATA).exists()


def encoded(kind: str, answer: Any) -> bytes | bytearray | memoryview:
    """The bytes of an answer of a kind.

    Raises:
        WrongBytesError: It is of another type, dtype or shape.
    """
    if kind == "pictures":
        return _checked(answer, isinstance(answer, bytes | bytearray | memoryview))  # type: ignore[no-any-return]
    if kind == "texts":
        return _checked(answer, isinstance(answer, str)).encode()  # type: ignore[no-any-return]
    shape = _SAMPLE_SHAPES[kind]
    fits = (
        str(getattr(answer, "dtype", "")) == "float32"
        and len(answer.shape) == len(shape)
        and answer.shape[-1] == shape[-1]
    )
    return _checked(answer, fits).tobytes()  # type: ignore[no-any-return]


def _checked(answer: Any, fits: bool) -> Any:
    if not fits:
        form = f"{getattr(answer, 'dtype', '')} {getattr(answer, 'shape', '')}".strip()
        raise WrongBytesError(f"an answer is a {type(answer).__name__} {form}")
    return answer
