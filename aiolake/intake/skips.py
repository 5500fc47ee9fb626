"""The sources that gave no row: counted, the first listed, all of them written to a file."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from aiolake._aio import WorkPool
from aiolake.errors import InvalidInputError
from aiolake.intake.values import LISTED, Policy, Skipped

__all__ = ["Skips"]


class Skips:
    """Counts and lists.

    Args:
        path: A JSONL file for all of them, or ``None``.
        thread: Writes it.

    Attributes:
        n: How many.
        first: The first 100.
    """

    def __init__(self, path: str | None, thread: WorkPool) -> None:
        self._path = path
        self._thread = thread
        self.n = 0
        self.first: list[Skipped] = []

    def refusal(self, skipped: Sequence[Skipped], policy: Policy) -> str | None:
        """Count some; why the run must end here, if it must."""
        self.n += len(skipped)
        self.first += skipped[: LISTED - len(self.first)]
        if skipped and policy.on_error == "raise":
            return f"{skipped[0]} (on_error='skip' leaves such sources out and lists them)"
        if policy.max_errors is not None and self.n > policy.max_errors:
            return (
                f"{self.n:,} sources gave no row, more than max_errors={policy.max_errors:,}; the "
                f"last: {skipped[-1]}"
            )
        return None

    async def begin(self, n_done: int) -> None:
        """Make the file ready: what a killed run wrote of sources to be done again goes.

        Raises:
            InvalidInputError: It cannot be written.
        """
        if self._path is None:
            return
        try:
            await self._thread.run(_keep_done, self._path, n_done)
        except OSError as error:
            raise InvalidInputError(
                f"errors_to={self._path!r} cannot be written: {error}"
            ) from error

    async def write(self, skipped: Sequence[Skipped]) -> None:
        """Append some to the file; before the commit that takes note of them."""
        if self._path is not None and skipped:
            await self._thread.run(_append, self._path, list(skipped))


def _keep_done(path: str, n_done: int) -> None:
    kept: list[Skipped] = []
    if n_done and os.path.exists(path):
        with open(path, "rb") as file:
            for line in file:
                try:
                    skipped = msgspec.json.decode(line, type=Skipped)
                except msgspec.MsgspecError:  # cut short by the kill
                    continue
                if skipped.item < n_done:
                    kept.append(skipped)
    with open(path, "wb") as file:
        file.write(_lines(kept))


def _append(path: str, skipped: Sequence[Skipped]) -> None:
    with open(path, "ab") as file:
        file.write(_lines(skipped))


def _lines(skipped: Sequence[Skipped]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in skipped)
