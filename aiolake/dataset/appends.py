"""The rows a transaction appends, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from aiolake.chunks.keys import KeyBlocks
from aiolake.chunks.write import PieceWriter, Target
from aiolake.dataset.fork import Receipt
from aiolake.format.entry import Piece
from aiolake.ranges import Runs
from aiolake.types import Constant
from aiolake.versions.delta import moved

__all__ = ["Appends"]


class _Run(msgspec.Struct):
    """Rows of the same columns: ids are counted from the first appended row."""

    first: int
    rows: PieceWriter | Receipt

    @property
    def runs(self) -> Runs:
        return Runs.of((self.first, self.rows.n_rows))


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
        return sum(run.rows.n_rows for run in self._runs)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts among them."""
        return tuple(run.rows for run in self._runs if isinstance(run.rows, Receipt))

    def writer(self, targets: Sequence[Target]) -> PieceWriter:
        """The writer for the next rows, which have the columns as they are now."""
        writer = self._runs[-1].rows if self._runs else None
        if isinstance(writer, PieceWriter) and _ids(writer.targets) == _ids(targets):
            writer.targets = tuple(targets)  # they may have been renamed
            return writer
        made = self._writer(targets)
        self._runs.append(_Run(self.n_rows, made))
        return made

    def merge(self, receipts: Iterable[Receipt]) -> None:
        """Rows that workers have uploaded, next in order."""
        for receipt in receipts:
            if receipt.n_rows:
                self._runs.append(_Run(self.n_rows, receipt))

    def fill(self, target: Target, default: Constant) -> None:
        """A column was added: the rows so far hold its default."""
        self._filled += [(target, default, run.runs) for run in self._runs]

    def writers(self) -> list[tuple[PieceWriter, tuple[int, ...]]]:
        """Each writer with the runs of its rows, in order."""
        return [
            (run.rows, tuple(run.runs.flat()))
            for run in self._runs
            if isinstance(run.rows, PieceWriter)
        ]

    def keys(self) -> list[KeyBlocks]:
        """The rows' keys in order, in a dataset with a key column."""
        return [run.rows.keys for run in self._runs if run.rows.keys is not None]

    def pieces(self) -> list[Piece]:
        """The pieces of merged rows, and constants for columns that earlier rows did not know."""
        merged = [
            moved(piece, run.first)
            for run in self._runs
            if isinstance(run.rows, Receipt)
            for piece in run.rows.pieces
        ]
        fills = [
            Piece(column=target.id, rows=tuple(runs.flat()), constant=constant)
            for target, constant, runs in self._filled
            if runs
        ]
        return [*merged, *fills]


def _ids(targets: Sequence[Target]) -> list[int]:
    return [target.id for target in targets]
