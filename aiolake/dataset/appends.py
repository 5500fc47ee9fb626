"""The rows a transaction appends, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from aiolake.chunks.write import PieceWriter, Target
from aiolake.format.entry import Piece
from aiolake.ranges import Runs
from aiolake.types import Constant

__all__ = ["Appends"]


class _Run(msgspec.Struct):
    """Rows of the same columns: ids are counted from the first appended row."""

    first: int
    writer: PieceWriter

    @property
    def runs(self) -> Runs:
        return Runs.of((self.first, self.writer.n_rows))


class Appends:
    """Runs of appended rows; a change of columns begins another.

    Args:
        writer: Makes a writer for some columns.
    """

    def __init__(self, writer: Callable[[Sequence[Target]], PieceWriter]) -> None:
        self._writer = writer
        self._runs: list[_Run] = []
        self._filled: list[tuple[Target, Constant, Runs]] = []

    @property
    def n_rows(self) -> int:
        """Rows so far."""
        return sum(run.writer.n_rows for run in self._runs)

    def writer(self, targets: Sequence[Target]) -> PieceWriter:
        """The writer for the next rows, which have the columns as they are now."""
        if self._runs:
            writer = self._runs[-1].writer
            if [t.id for t in writer.targets] == [t.id for t in targets]:
                writer.targets = tuple(targets)  # they may have been renamed
                return writer
        made = _Run(self.n_rows, self._writer(targets))
        self._runs.append(made)
        return made.writer

    def fill(self, target: Target, default: Constant) -> None:
        """A column was added: the rows so far hold its default."""
        self._filled += [(target, default, run.runs) for run in self._runs]

    def writers(self) -> list[tuple[PieceWriter, tuple[int, ...]]]:
        """Each writer with the runs of its rows, in order."""
        return [(run.writer, tuple(run.runs.flat())) for run in self._runs]

    def fills(self) -> list[Piece]:
        """Constant pieces of columns that earlier rows did not know."""
        return [
            Piece(column=target.id, rows=tuple(runs.flat()), constant=constant)
            for target, constant, runs in self._filled
            if runs
        ]
