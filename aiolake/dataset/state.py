"""One snapshot as a handle holds it."""

from __future__ import annotations

from typing import Any

import msgspec

from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.follow import Follower
from aiolake.chunks.read import SnapshotReader
from aiolake.dataset.links import Links
from aiolake.dataset.session import Session
from aiolake.errors import AiolakeError, CorruptDataError, NotFoundError, SnapshotExpiredError
from aiolake.format.entry import Description, Entry, LogState, Snapshot
from aiolake.ranges import Runs
from aiolake.stores.scheduled import ScheduledStore
from aiolake.types import Column, Schema
from aiolake.versions import rules
from aiolake.versions.blobs import load_description, load_refs, load_rows
from aiolake.versions.head import Head
from aiolake.versions.log import Log
from aiolake.versions.steps import Steps

__all__ = ["Core", "State", "load_state", "snapshot_reader"]


class Core(msgspec.Struct, frozen=True):
    """What the handles of one dataset share: its address, store, log and reader of objects."""

    url: str
    session: Session
    store: ScheduledStore
    log: Log
    fetcher: Fetcher
    links: Links
    follower: Follower
    creds: Any = None

    def __repr__(self) -> str:
        return f"<Core {self.url}>"  # what opened it may hold a secret

    async def explained(self, error: NotFoundError, snapshot: int) -> AiolakeError:
        """Why an object that a snapshot needs is missing: read the head and see."""
        if "key" not in error.context:
            return error
        head = await self.log.head()
        entry = head.entry
        if entry is None or rules.is_closed(entry) or snapshot < entry.state.first:
            return NotFoundError(f"the dataset at {self.url} was deleted", url=self.url)
        if not await self._is_held(snapshot, entry):
            return SnapshotExpiredError(
                f"snapshot {snapshot} of {self.url} was expired and its objects collected; "
                "refresh() to read the newest",
                snapshot=snapshot,
            )
        return CorruptDataError(
            f"object {error.key!r} of {self.url} is missing although snapshot {snapshot} needs "
            "it; restore it from a copy, or run 'aiolake verify'",
            key=error.key,
            snapshot=snapshot,
        )

    async def _is_held(self, snapshot: int, head: Entry) -> bool:
        if snapshot >= head.state.expire_below:
            return True
        return rules.is_held(snapshot, head.state, await self.log.run(load_refs(head)))


class State(msgspec.Struct, frozen=True):
    """A snapshot with its parts at hand.

    Attributes:
        head: The head of the log as it was known then.
        entry: The snapshot's entry.
        snapshot: What the entry holds.
        description: All columns and what is settled for them.
        schema: The columns users see.
        rows: Row ids in order.
        reader: Reads rows by id.
    """

    head: Head
    entry: Entry
    snapshot: Snapshot
    description: Description
    schema: Schema
    rows: Runs
    reader: SnapshotReader

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's own metadata."""
        return self.description.metadata

    @property
    def key(self) -> Column | None:
        """The key column, if there is one."""
        id = self.description.key
        return None if id is None else _column(self.description.schema, id)

    @property
    def row_metadata(self) -> Column | None:
        """The hidden column of the rows' metadata, if there is one."""
        id = self.description.row_metadata
        return None if id is None else _column(self.description.schema, id)

    @property
    def log_state(self) -> LogState:
        """The log's state at the head."""
        assert self.head.entry is not None
        return self.head.entry.state


def snapshot_reader(core: Core, snapshot: Snapshot, schema: Schema) -> SnapshotReader:
    """Reads rows of a snapshot by their ids."""
    return SnapshotReader(snapshot, schema, core.fetcher, core.session._pool, core.follower)


async def load_state(core: Core, head: Head, entry: Entry) -> State:
    """Load a snapshot's columns and rows.

    Cost: nothing for what lies in the entry; one GET each for long ones.
    """
    description, rows = await core.log.run(_parts(entry))
    assert entry.snapshot is not None
    reader = snapshot_reader(core, entry.snapshot, description.schema)
    return State(
        head=head,
        entry=entry,
        snapshot=entry.snapshot,
        description=description,
        schema=_visible(description),
        rows=rows,
        reader=reader,
    )


def _column(schema: Schema, id: int) -> Column | None:
    return next((column for column in schema.columns if column.id == id), None)


def _visible(description: Description) -> Schema:
    """The columns users see: all but that of the rows' metadata."""
    hidden, schema = description.row_metadata, description.schema
    if hidden is None:
        return schema
    return Schema(tuple(column for column in schema.columns if column.id != hidden))


def _parts(entry: Entry) -> Steps[Any]:
    assert entry.snapshot is not None
    description = yield from load_description(entry.snapshot)
    rows = yield from load_rows(entry.snapshot.rows)
    return description, rows
