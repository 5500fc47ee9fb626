"""What one entry is to do, as values: each says what it touches and makes the entry's body.

An intent is built anew on every head it is rebased on; it never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from aiolake.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError
from aiolake.format.entry import (
    Description,
    Effects,
    Entry,
    LogState,
    Refs,
    Requires,
    RowRuns,
    Snapshot,
)
from aiolake.format.keys import KeyIndex
from aiolake.types import Schema
from aiolake.versions import rules
from aiolake.versions.blobs import refs_with
from aiolake.versions.delta import Delta, WriteKeys, apply, effects_of
from aiolake.versions.head import Head, require_dataset, require_snapshot, snapshot_of
from aiolake.versions.keys import KeyCache, NoCache
from aiolake.versions.steps import Steps

__all__ = [
    "BaseIntent",
    "Body",
    "Close",
    "Collect",
    "Commit",
    "Create",
    "Expire",
    "Intent",
    "Noop",
    "Restore",
    "SetBranch",
    "SetTag",
    "branch_head",
    "named",
]

DEFAULT_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Body:
    """An entry's content before its number, time and long values are settled.

    ``keys`` writes the snapshot's index of keys, where that changes.
    """

    dataset: str
    kind: str
    effects: Effects
    state: LogState
    refs: Refs
    snapshot: Snapshot | None = None
    requires: Requires = field(default_factory=Requires)
    keys: WriteKeys | None = None


class Intent(Protocol):
    """What one entry is to do."""

    @property
    def effects(self) -> Effects:
        """What it touches, as far as it is known without a head."""
        ...

    @property
    def kind(self) -> str:
        """The operation's kind."""
        ...

    @property
    def branch(self) -> str | None:
        """The branch it commits to."""
        ...

    @property
    def min_base(self) -> int | None:
        """The smallest base among the objects it refers to; ``None`` if it has none."""
        ...

    @property
    def columns(self) -> frozenset[int]:
        """Columns of the base that new rows have values of."""
        ...

    def build(self, head: Head, url: str) -> Steps[Body]:
        """The body of the entry after ``head``; raises where it cannot be done on it."""
        ...


def named(refs: Refs, *, branch: str | None = None, tag: str | None = None, n: int | None) -> Refs:
    """A table with one name set, or (``n`` is ``None``) taken away."""

    def changed(table: dict[str, int | None], name: str | None) -> dict[str, int | None]:
        if name is None:
            return table
        rest = {key: value for key, value in table.items() if key != name}
        return rest if n is None and refs.listed is None else {**rest, name: n}

    return Refs(changed(refs.branches, branch), changed(refs.tags, tag), refs.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseIntent:
    """What most intents say: nothing touched, on no branch, no objects."""

    @property
    def effects(self) -> Effects:
        """See ``Intent``."""
        return Effects()

    @property
    def branch(self) -> str | None:
        """See ``Intent``."""
        return None

    @property
    def min_base(self) -> int | None:
        """See ``Intent``."""
        return None

    @property
    def columns(self) -> frozenset[int]:
        """See ``Intent``."""
        return frozenset()

    def _body(self, entry: Entry, kind: str, effects: Effects, **changes: Any) -> Body:
        """A body that leaves everything as ``entry`` has it, but for ``changes``."""
        kept = {
            "state": entry.state, "refs": entry.refs, "requires": entry.requires, **changes
        }  # fmt: skip
        return Body(entry.dataset, kind, effects, **kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(BaseIntent):
    """Begin a dataset, in an empty log or after one that was deleted.

    The columns of ``description`` carry ids from 0; they are moved past the log's counter.
    """

    dataset: str
    description: Description
    message: str = ""
    author: str = ""
    kind: str = "create"

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``.

        Raises:
            AlreadyExistsError: There is a dataset.
        """
        yield from ()
        if head.entry is not None and not rules.is_closed(head.entry):
            raise AlreadyExistsError(
                f"there is a dataset at {url} already; open it, choose another address, or "
                "delete it first with aiolake.delete_dataset()",
                url=url,
            )
        n = head.n + 1
        before = LogState(first=n) if head.entry is None else head.entry.state
        moved = _moved(self.description, before.next_column_id)
        snapshot = Snapshot(
            branch=DEFAULT_BRANCH,
            parent=None,
            rows=RowRuns(),
            description=moved,
            message=self.message,
            author=self.author,
            keys=None if moved.key is None else KeyIndex(),
        )
        state = msgspec.structs.replace(
            rules.next_ids(before, 0, len(moved.schema)), first=n, expire_below=n
        )
        refs = Refs({DEFAULT_BRANCH: n}, {})
        return Body(self.dataset, self.kind, Effects(), state, refs, snapshot)


def _moved(description: Description, by: int) -> Description:
    """A description with its column ids moved up."""

    def moved(id: int | None) -> int | None:
        return None if id is None else id + by

    columns = tuple(
        msgspec.structs.replace(column, id=column.id + by) for column in description.schema.columns
    )
    return msgspec.structs.replace(
        description,
        schema=Schema(columns),
        key=moved(description.key),
        row_metadata=moved(description.row_metadata),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(BaseIntent):
    """A transaction's delta on a branch."""

    on_branch: str
    delta: Delta
    base: int
    message: str = ""
    author: str = ""
    kind: str = "commit"
    cache: KeyCache = field(default_factory=NoCache)

    @property
    def effects(self) -> Effects:
        """See ``Intent``; columns that are added have no ids yet."""
        return effects_of(self.delta)

    @property
    def branch(self) -> str | None:
        """See ``Intent``."""
        return self.on_branch

    @property
    def min_base(self) -> int | None:
        """See ``Intent``."""
        return self.base

    @property
    def columns(self) -> frozenset[int]:
        """See ``Intent``."""
        return frozenset(piece.column for piece in self.delta.pieces if piece.column >= 0)

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        entry = require_dataset(head, url)
        parent = yield from branch_head(entry, self.on_branch)
        assert parent.snapshot is not None
        applied = yield from apply(self.delta, parent.snapshot, entry.state, self.cache)
        snapshot = msgspec.structs.replace(
            applied.snapshot,
            branch=self.on_branch,
            parent=parent.n,
            message=self.message,
            author=self.author,
        )
        refs = named(entry.refs, branch=self.on_branch, n=head.n + 1)
        return self._body(
            entry,
            self.kind,
            applied.effects,
            refs=refs,
            state=applied.state,
            snapshot=snapshot,
            keys=applied.keys,
        )


def branch_head(entry: Entry, branch: str) -> Steps[Entry]:
    """The newest snapshot of a branch that is committed to."""
    refs = yield from refs_with(entry, branch=branch)
    n = refs.branches.get(branch)
    if n is None:
        raise ConflictError(
            f"branch {branch!r} was deleted; create it again, or commit to another", branch=branch
        )
    return (yield from require_snapshot(entry, n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(BaseIntent):
    """A new snapshot of a branch with the content of an older one."""

    on_branch: str
    snapshot: int
    message: str = ""
    author: str = ""
    kind: str = "restore"

    @property
    def effects(self) -> Effects:
        """See ``Intent``."""
        return Effects(restored=self.snapshot)

    @property
    def branch(self) -> str | None:
        """See ``Intent``."""
        return self.on_branch

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        entry = require_dataset(head, url)
        parent = yield from branch_head(entry, self.on_branch)
        source = yield from snapshot_of(entry, self.snapshot)
        assert source.snapshot is not None
        snapshot = msgspec.structs.replace(
            source.snapshot,
            branch=self.on_branch,
            parent=parent.n,
            message=self.message,
            author=self.author,
        )
        refs = named(entry.refs, branch=self.on_branch, n=head.n + 1)
        return self._body(entry, self.kind, self.effects, refs=refs, snapshot=snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBranch(BaseIntent):
    """Create (``expected`` is ``None``), move or delete (``snapshot`` is ``None``) a branch.

    ``expected`` is the snapshot it must have: what the caller saw.
    """

    name: str
    snapshot: int | None
    expected: int | None
    kind: str = "branch"

    @property
    def effects(self) -> Effects:
        """See ``Intent``."""
        return Effects(branches=(self.name,))

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        entry = require_dataset(head, url)
        table = yield from refs_with(entry, branch=self.name)
        _check_name("branch", self.name, table.branches.get(self.name), self.expected)
        if self.snapshot is None and self.name == DEFAULT_BRANCH:
            raise InvalidInputError(f"the branch {DEFAULT_BRANCH!r} cannot be deleted")
        if self.expected is None:
            _check_free((yield from refs_with(entry, tag=self.name)).tags, "tag", self.name)
        if self.snapshot is not None:
            yield from snapshot_of(entry, self.snapshot)
        refs = named(entry.refs, branch=self.name, n=self.snapshot)
        return self._body(entry, self.kind, self.effects, refs=refs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTag(BaseIntent):
    """Create a tag, or delete it (``snapshot`` is ``None``)."""

    name: str
    snapshot: int | None
    expected: int | None
    kind: str = "tag"

    @property
    def effects(self) -> Effects:
        """See ``Intent``."""
        return Effects(tags=(self.name,))

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        entry = require_dataset(head, url)
        table = yield from refs_with(entry, tag=self.name)
        _check_name("tag", self.name, table.tags.get(self.name), self.expected)
        if self.expected is None:
            branches = (yield from refs_with(entry, branch=self.name)).branches
            _check_free(branches, "branch", self.name)
        if self.snapshot is not None:
            yield from snapshot_of(entry, self.snapshot)
        refs = named(entry.refs, tag=self.name, n=self.snapshot)
        return self._body(entry, self.kind, self.effects, refs=refs)


def _check_free(table: Mapping[str, int | None], what: str, name: str) -> None:
    """A name is a branch's or a tag's: ``url@name`` must mean one of them."""
    if table.get(name) is not None:
        raise AlreadyExistsError(f"{name!r} is the name of a {what} already", **{what: name})


def _check_name(what: str, name: str, found: int | None, expected: int | None) -> None:
    if found == expected:
        return
    if expected is None:
        raise AlreadyExistsError(
            f"there is a {what} {name!r} already, at snapshot {found}", **{what: name}
        )
    if found is None:
        raise NotFoundError(f"there is no {what} {name!r}", **{what: name})
    raise ConflictError(
        f"{what} {name!r} is at snapshot {found}, not at {expected}; refresh and retry",
        **{what: name},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(BaseIntent):
    """Move the line below which snapshots may be opened only while a name holds them."""

    below: int
    kind: str = "expire"

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        yield from ()
        entry = require_dataset(head, url)
        state = rules.raised(entry.state, expire_below=min(self.below, head.n + 1))
        return self._body(entry, self.kind, self.effects, state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect(BaseIntent):
    """Raise the fence: transactions that began below it may not commit any more.

    ``below`` is ``None`` for the entry's own number.
    """

    below: int | None
    kind: str = "gc"

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        yield from ()
        entry = require_dataset(head, url)
        n = head.n + 1
        below = n if self.below is None else min(self.below, n)
        state = rules.raised(entry.state, collect_below=below)
        return self._body(entry, self.kind, self.effects, state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(BaseIntent):
    """Delete the dataset; its log stays."""

    kind: str = "closed"

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        yield from ()
        entry = require_dataset(head, url)
        state = rules.raised(entry.state, expire_below=head.n + 1, collect_below=head.n + 1)
        return self._body(entry, self.kind, self.effects, refs=Refs(), state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noop(BaseIntent):
    """Fill a slot, so that a put that may still land cannot."""

    kind: str = "noop"

    def build(self, head: Head, url: str) -> Steps[Body]:
        """See ``Intent``."""
        yield from ()
        if head.entry is None:
            raise NotFoundError(f"there is no dataset at {url}", url=url)
        # Whoever reads only the newest entry must still see that the dataset was deleted.
        kind = head.entry.operation.kind if rules.is_closed(head.entry) else self.kind
        return self._body(head.entry, kind, self.effects)
