"""A dataset's past: its snapshots, what differs between two, and going back to one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aiolake import keys
from aiolake.dataset.select import whole_number
from aiolake.errors import InvalidInputError, ReadOnlyError
from aiolake.format.entry import Entry
from aiolake.versions.commit import Context
from aiolake.versions.head import snapshot_of
from aiolake.versions.history import SnapshotDiff, ancestors, diff
from aiolake.versions.intents import Restore

if TYPE_CHECKING:
    from aiolake.dataset.dataset import Dataset

__all__ = ["History", "SnapshotInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """One snapshot in a branch's history.

    Attributes:
        id: Its number.
        parent: The snapshot before it, or ``None``.
        branch: The branch it was committed to.
        time: UTC.
        operation: ``create``, ``commit``, ``optimize``, ``restore`` or ``merge``.
        message: The author's words.
        author: Who committed, or ``""``.
        n_rows: Rows in it.
        write_id: The transaction's identity.
    """

    id: int
    parent: int | None
    branch: str
    time: datetime
    operation: str
    message: str
    author: str
    n_rows: int
    write_id: str


def info_of(entry: Entry) -> SnapshotInfo:
    """What history says of a snapshot's entry."""
    snapshot = entry.snapshot
    assert snapshot is not None
    return SnapshotInfo(
        id=entry.n,
        parent=snapshot.parent,
        branch=snapshot.branch,
        time=datetime.fromisoformat(entry.time),
        operation=entry.operation.kind,
        message=snapshot.message,
        author=snapshot.author,
        n_rows=snapshot.rows.n,
        write_id=entry.write_id,
    )


class History:
    """The snapshots of a handle's branch: ``ds.history``."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    async def list(self, limit: int = 100) -> tuple[SnapshotInfo, ...]:
        """The handle's snapshot and those before it, newest first; at most ``limit`` of them."""
        dataset = self._dataset
        dataset._guard.check()
        if (whole_number(limit) or 0) < 1:
            raise InvalidInputError(f"a history's limit is a number from 1, got {limit!r}")
        chain = await dataset._core.log.run(ancestors(dataset._state.entry, limit))
        return tuple(info_of(entry) for entry in chain)

    async def diff(self, old: int, new: int | None = None) -> SnapshotDiff:
        """What differs from snapshot ``old`` to ``new`` (the handle's own by default)."""
        dataset = self._dataset
        dataset._guard.check()
        old, new = keys.check_snapshot(old), None if new is None else keys.check_snapshot(new)
        log = dataset._core.log
        head, _ = await log.forward(dataset._state.head)
        entry = dataset._require_same(head)
        first = await log.run(snapshot_of(entry, old))
        second = dataset._state.entry if new is None else await log.run(snapshot_of(entry, new))
        return await log.run(diff(first, second))

    async def restore(self, snapshot: int, message: str = "") -> int:
        """Commit the content of an older snapshot as the branch's newest; returns its number.

        Raises:
            ReadOnlyError: The handle is fixed at a tag, snapshot or time.
        """
        dataset = self._dataset
        dataset._guard.check()
        if dataset.branch is None:
            raise ReadOnlyError("this handle is fixed at a snapshot; open a branch to write")
        keys.check_message(message)
        n = keys.check_snapshot(snapshot)
        intent = Restore(on_branch=dataset.branch, snapshot=n, message=message)
        head, seen = await dataset._core.log.forward(dataset._state.head)
        context = Context(dataset.url, keys.new_id())
        committed = await dataset._core.log.commit(intent, head, seen, context)
        await dataset._follow(committed.head)
        return committed.entry.n
