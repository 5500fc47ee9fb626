"""The values a transaction gives to rows of its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from aiolake.chunks.write import PieceWriter, Target
from aiolake.ranges import Ids, Runs

__all__ = ["Updates"]

_SMALL_ROWS = 1024


class _Run(msgspec.Struct):
    """Updates of the same columns and of distinct rows, written as one piece a column."""

    writer: PieceWriter
    columns: frozenset[int]
    rows: list[Ids] = msgspec.field(default_factory=list)
    small: set[int] | None = msgspec.field(default_factory=set)


class Updates:
    """Updates in order; small ones are joined, so that a thousand of one row make one piece.

    Args:
        writer: Makes a writer for some columns.
    """

    def __init__(self, writer: Callable[[Sequence[Target]], PieceWriter]) -> None:
        self._writer = writer
        self._runs: list[_Run] = []

    async def add(
        self, targets: Sequence[Target], ids: Ids, values: Mapping[str, Sequence[Any]]
    ) -> None:
        """Give values to rows; the later update of a row and column wins.

        Raises:
            InvalidInputError: A value is refused; nothing was added.
        """
        run = self._run(targets, ids)
        run.writer.targets = tuple(targets)  # they may have been renamed
        await run.writer.add(values, len(ids), first_row=0)
        run.rows.append(ids)
        if run.small is not None:
            run.small.update(ids.tolist())

    def writers(self) -> list[tuple[PieceWriter, tuple[int, ...]]]:
        """Each writer with the row-id runs of its rows, the oldest first."""
        return [
            (run.writer, tuple(Runs.from_ids(np.concatenate(run.rows)).flat()))
            for run in self._runs
            if run.rows
        ]

    def _run(self, targets: Sequence[Target], ids: Ids) -> _Run:
        """One that can take these rows without changing which update is the later; else new."""
        columns = frozenset(target.id for target in targets)
        small = len(ids) <= _SMALL_ROWS
        for run in reversed(self._runs):
            if run.columns == columns:
                if small and run.small is not None and run.small.isdisjoint(ids.tolist()):
                    return run
                break
            if run.columns & columns:
                break
        made = _Run(self._writer(targets), columns, small=set() if small else None)
        self._runs.append(made)
        return made
