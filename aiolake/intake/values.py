"""What an ingestion is told, and what it tells. Frozen values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import msgspec

from aiolake.errors import InvalidInputError
from aiolake.shown import count, size

__all__ = [
    "IngestProgress",
    "IngestReport",
    "OnProgress",
    "Policy",
    "Skipped",
    "check_policy",
]

LISTED = 100
MIB = 1 << 20


class Skipped(msgspec.Struct, frozen=True):
    """A source that gave no row.

    Attributes:
        item: Its number in the order of sources, from 0.
        name: The file's path, or the line.
        reason: Why.
    """

    item: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class IngestProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an ingestion has come.

    Attributes:
        n_items: Sources done, those of earlier runs included.
        total: How many there are, where that is known.
        n_rows: Rows read in this run.
        n_skipped: Sources skipped in this run.
        nbytes: Bytes read in this run.
        seconds: Since this run began.
        snapshot: The last commit of this run, or ``None``.
    """

    n_items: int
    total: int | None
    n_rows: int
    n_skipped: int
    nbytes: int
    seconds: float
    snapshot: int | None


OnProgress: TypeAlias = Callable[[IngestProgress], Awaitable[None] | None]


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingestion did.

    Attributes:
        url: The dataset.
        source: What was read.
        created: Whether the dataset was made.
        columns: Its columns' types, as text.
        n_rows: Rows committed by this run.
        n_items: Sources done, those of earlier runs included.
        resumed_at: Sources that earlier runs had done; 0 for a first run.
        n_skipped: Sources skipped by this run.
        skipped: The first 100 of them; all are in the file ``errors_to``.
        n_foreign: Files of a folder that were not looked at, by their names.
        notes: What a person should know, as sentences.
        nbytes: Bytes read.
        seconds: How long it took.
        snapshots: The commits, in order.
    """

    url: str
    source: str
    created: bool
    columns: dict[str, str]
    n_rows: int
    n_items: int
    resumed_at: int
    n_skipped: int
    skipped: tuple[Skipped, ...]
    n_foreign: int
    notes: tuple[str, ...]
    nbytes: int
    seconds: float
    snapshots: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    def __str__(self) -> str:
        rate = self.n_rows / self.seconds if self.seconds > 0 else 0.0
        lines = [
            f"{count(self.n_rows, 'row')} of {self.source} into {self.url}: {size(self.nbytes)} "
            f"in {self.seconds:.1f} s ({rate:,.0f} rows/s), "
            f"{count(len(self.snapshots), 'commit')}"
        ]
        if self.resumed_at:
            lines.append(f"went on at source {self.resumed_at:,}")
        if self.n_skipped:
            lines.append(f"{count(self.n_skipped, 'source')} skipped:")
            lines += [f"  {skipped}" for skipped in self.skipped[:10]]
            if self.n_skipped > 10:
                lines.append(f"  and {self.n_skipped - 10:,} more")
        if self.n_foreign:
            lines.append(f"{count(self.n_foreign, 'other file')} left out, by name")
        return "\n".join([*lines, *self.notes])


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with what is found; see ``ingest``.

    Attributes:
        commit_every: Rows of a commit, about.
        on_error: Whether a bad source ends the run or is skipped.
        max_errors: The most that are skipped.
        decode: Whether pictures are decoded to be checked.
        max_bytes: Bytes read ahead.
        max_file_bytes: A larger file is bad.
        n_readers: Threads that read.
    """

    commit_every: int = 10_000
    on_error: Literal["raise", "skip"] = "raise"
    max_errors: int | None = None
    decode: bool = False
    max_bytes: int = 64 * MIB
    max_file_bytes: int = 1024 * MIB
    n_readers: int = 4


def check_policy(policy: Policy) -> Policy:
    """Refuse what makes no sense.

    Raises:
        InvalidInputError: Names the argument.
    """
    for name in ("commit_every", "max_bytes", "max_file_bytes", "n_readers", "max_errors"):
        value, least = getattr(policy, name), 0 if name == "max_errors" else 1
        if name == "max_errors" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidInputError(
                f"{name} is a whole number, at least {least}; got {value!r}", argument=name
            )
    if policy.on_error not in ("raise", "skip"):
        raise InvalidInputError(f"on_error is 'raise' or 'skip', got {policy.on_error!r}")
    if policy.max_errors is not None and policy.on_error != "skip":
        raise InvalidInputError("max_errors= bounds what on_error='skip' skips; give both")
    return policy
