"""The handle of a dataset."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, SupportsIndex

import msgspec

from aiolake import keys
from aiolake._aio import Guard
from aiolake.chunks.stream import Batches
from aiolake.credentials.lease import CredentialState, Lease
from aiolake.credentials.secrets import has_secret
from aiolake.credentials.values import refuse_plain_pickling
from aiolake.dataset.history import History
from aiolake.dataset.keys import MISSING
from aiolake.dataset.notebook import described
from aiolake.dataset.refs import Branches, Tags
from aiolake.dataset.select import Selector, whole_number
from aiolake.dataset.session import Borrowed
from aiolake.dataset.state import Core, State, load_state
from aiolake.dataset.transaction import Transaction
from aiolake.dataset.view import View
from aiolake.errors import InvalidInputError, NotFoundError, ReadOnlyError
from aiolake.format.entry import Entry
from aiolake.options import Options
from aiolake.shown import count
from aiolake.types import Schema
from aiolake.versions.commit import Found
from aiolake.versions.head import Head, require_dataset, snapshot_of_branch

if TYPE_CHECKING:
    from aiolake.dataset.stats import DatasetStats
    from aiolake.dataset.summary import Summary

__all__ = ["Dataset", "DatasetSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """How to open a dataset again, elsewhere: what a pickled handle becomes.

    ``await aiolake.open_dataset(spec)``. It says how to get a credential; where ``creds`` holds a
    secret itself it is not pickled, unless multiprocessing is spawning a process.

    Attributes:
        url: The address.
        branch: The branch the handle followed, or ``None``.
        snapshot: The snapshot it was on.
        options: Its options, if it had its own.
        links: The prefixes that references may be followed to.
        creds: What the handle was opened with; not shown.
        link_creds: Likewise of references; not shown.
    """

    url: str
    branch: str | None
    snapshot: int
    options: Options | None = None
    links: tuple[str, ...] = ()
    creds: Any = field(default=None, repr=False)
    link_creds: Mapping[str, Any] | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        if has_secret(self.creds) or has_secret(self.link_creds):
            refuse_plain_pickling(f"what opens {self.url}")
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return _rebuilt, (named,)


def _rebuilt(named: dict[str, Any]) -> DatasetSpec:
    return DatasetSpec(**named)


class Dataset:
    """An open dataset, at one snapshot of one branch (or fixed at a tag, snapshot or time).

    Made by ``aiolake.open_dataset`` and ``aiolake.create_dataset``. A handle on a branch follows
    its own commits; those of others after ``refresh()``. It belongs to the event loop it was
    opened in and is closed by whoever opened it.
    """

    def __init__(
        self,
        core: Core,
        borrowed: Borrowed,
        state: State,
        branch: str | None,
        options: Options | None,
    ) -> None:
        self._core = core
        self._borrowed = borrowed
        self._branch = branch
        self._own_options = options
        self._options = options or core.session.options
        self._guard = Guard(f"dataset {core.url}")
        self._transaction: Transaction | None = None
        self._set_state(state)

    def _set_state(self, state: State) -> None:
        self._state = state
        self._view = View(self._core, self._guard, state, state.rows, state.schema)

    @property
    def url(self) -> str:
        """The address, canonical."""
        return self._core.url

    @property
    def schema(self) -> Schema:
        """The columns of the handle's snapshot."""
        return self._state.schema

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's own metadata; change it with ``tx.set_metadata``."""
        return dict(self._state.metadata)

    @property
    def key(self) -> str | None:
        """The column whose values name rows, for ``get``; ``None`` without one."""
        return None if self._state.key is None else self._state.key.name

    @property
    def branch(self) -> str | None:
        """The branch the handle follows; ``None`` for one fixed at a tag, snapshot or time."""
        return self._branch

    @property
    def snapshot(self) -> int:
        """The number of the handle's snapshot."""
        return self._state.entry.n

    @property
    def spec(self) -> DatasetSpec:
        """How to open it again in another process."""
        return DatasetSpec(
            url=self.url,
            branch=self._branch,
            snapshot=self.snapshot,
            options=self._own_options,
            links=self._core.links.prefixes,
            creds=self._core.creds,
            link_creds=self._core.links.creds,
        )

    def credentials(self) -> CredentialState | None:
        """Where the credential in use comes from, until when it is good, when it was renewed.

        ``None`` for stores that need none. No secret is among it.
        """
        lease = getattr(self._core.store.inner, "lease", None)
        return lease.state() if isinstance(lease, Lease) else None

    @property
    def branches(self) -> Branches:
        """Its branches: list, create, move, delete."""
        return Branches(self)

    @property
    def tags(self) -> Tags:
        """Its tags: list, create, delete."""
        return Tags(self)

    @property
    def history(self) -> History:
        """Its past: list snapshots, compare two, restore one."""
        return History(self)

    def __len__(self) -> int:
        return len(self._state.rows)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        at = self._branch or "fixed"
        return f"<Dataset {self.url}@{self.snapshot} ({at}): {count(len(self), 'row')}>"

    def _repr_html_(self) -> str:
        at = f"branch {self._branch}" if self._branch else "fixed"
        facts = f"snapshot {self.snapshot} ({at}), {count(len(self), 'row')}"
        return described(self.url, facts, self.schema.columns)

    def __iter__(self) -> NoReturn:
        self._view.__iter__()

    def __getitem__(self, selector: Selector) -> View:
        """A view of some rows; see ``View``."""
        return self._view[selector]

    def select(self, *columns: str) -> View:
        """A view of some columns."""
        return self._view.select(*columns)

    async def where(self, conditions: Mapping[str, Any] | None = None, /, **named: Any) -> View:
        """A view of the rows that match every condition; see ``View.where``."""
        return await self._view.where(conditions, **named)

    async def stats(self) -> DatasetStats:
        """Counts, the least and the greatest value of each column; see ``View.stats``."""
        return await self._view.stats()

    async def summary(self) -> Summary:
        """Counts, Nones, shapes, sizes, labels of each column; see ``View.summary``."""
        return await self._view.summary()

    async def read(
        self, rows: Selector, *, columns: Iterable[str] | None = None, decode: bool = True
    ) -> dict[str, Any]:
        """Read one row, or a batch; see ``View.read``."""
        return await self._view.read(rows, columns=columns, decode=decode)

    async def get(
        self,
        key: Any,
        *,
        columns: Iterable[str] | None = None,
        decode: bool = True,
        default: Any = MISSING,
    ) -> Any:
        """Read a row by its key, or rows by theirs, in a dataset with a key column.

        Args:
            key: A key gives one row: a dict of column to value. A list or array of keys gives a
                batch, in its order; see ``read``.
            columns: Names; all by default.
            decode: See ``read``.
            default: Returned where no row has the (single) key.

        Raises:
            NotFoundError: No row has a key; it is named.
            InvalidInputError: The dataset has no key column, or a key is not of its type.

        Cancellation: nothing is left behind.
        Cost: that of ``read``, and at most one GET more for each key, once the short parts of the
        index are in memory.
        """
        return await self._view._get(key, columns=columns, decode=decode, default=default)

    async def read_bytes(
        self,
        row: SupportsIndex,
        column: str,
        start: SupportsIndex = 0,
        stop: SupportsIndex | None = None,
    ) -> bytes:
        """Read bytes of one stored sample; see ``View.read_bytes``."""
        return await self._view.read_bytes(row, column, start, stop)

    def batches(self, n: SupportsIndex, *, decode: bool = True) -> Batches:
        """Stream all rows in order; see ``View.batches``."""
        return self._view.batches(n, decode=decode)

    def transaction(
        self, message: str = "", *, author: str = "", write_id: str | None = None
    ) -> Transaction:
        """Begin changes that are committed together when the block ends.

        Args:
            message: Said in the history; at most 4 KiB.
            author: Likewise.
            write_id: An identity of your own, so that a job that is run again does not commit
                twice: it is looked for in the last 1,000 entries.

        Raises:
            ReadOnlyError: The handle is fixed at a tag, snapshot or time.
        """
        self._guard.check()
        if self._branch is None:
            raise ReadOnlyError(
                f"this handle is fixed at snapshot {self.snapshot}; open a branch to write"
            )
        keys.check_message(message)
        keys.check_message(author)
        if write_id is not None:
            check_write_id(write_id)
        return Transaction(self, self._branch, message=message, author=author, write_id=write_id)

    async def find_commit(
        self, write_id: str, *, slot: int | None = None, settle: bool = False
    ) -> Found:
        """What became of a commit whose answer was lost.

        Args:
            write_id: From the transaction or the ``OutcomeUnknownError``.
            slot: Likewise; without it a commit that is not found is pending.
            settle: Fill the slot of a pending commit with an entry that does nothing, so that
                it can never happen.

        Returns:
            ``committed`` with its number, ``not_committed``, or ``pending``.

        Raises:
            InvalidInputError: No write id, or no slot.
        """
        self._guard.check()
        check_write_id(write_id)
        slot = None if slot is None else check_slot(slot)
        return await self._core.log.find_commit(write_id, slot, settle=settle, url=self.url)

    async def refresh(self) -> bool:
        """Move to the newest snapshot of the branch; whether there was a newer one.

        Cost: one GET when there is nothing new.
        """
        self._guard.check()
        if self._branch is None:
            return False
        before = self.snapshot
        head, _ = await self._core.log.forward(self._state.head)
        await self._follow(head)
        return self.snapshot != before

    async def aclose(self) -> None:
        """Close the handle; a transaction still open is abandoned. Idempotent; no-op after a fork.

        Raises:
            WrongLoopError: It belongs to another loop or thread.

        Cancellation: goes on once the transaction's uploads have ended.
        """
        if self._guard.closed or self._guard.forked:
            return
        self._guard.check()
        self._guard.close()
        try:
            if self._transaction is not None:
                await self._transaction._abandon()
        finally:
            try:
                await self._core.links.aclose()
            finally:
                await self._borrowed.aclose_after(self._core.store)

    async def __aenter__(self) -> Self:
        self._guard.check()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled handle is its spec: connections do not travel."""
        return _spec, (self.spec,)

    def __del__(self) -> None:
        guard = getattr(self, "_guard", None)
        if guard is not None and not guard.closed and not guard.forked:
            warnings.warn(
                f"{self!r} was not closed; use 'async with' or await ds.aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    async def _follow(self, head: Head) -> None:
        """Move to the branch's newest snapshot at a head, unless a newer one is known."""
        assert self._branch is not None
        head = max(head, self._state.head, key=lambda known: known.n)
        entry = self._require_same(head)
        newest = await self._core.log.run(snapshot_of_branch(entry, self._branch))
        if newest.n == self.snapshot:
            state = msgspec.structs.replace(self._state, head=head)
        else:
            state = await load_state(self._core, head, newest)
        if head.n >= self._state.head.n:  # else another call went further meanwhile
            self._set_state(state)

    def _require_same(self, head: Head) -> Entry:
        """The head's entry, unless the dataset the handle was opened on is gone."""
        entry = require_dataset(head, self.url)
        if entry.dataset != self._state.entry.dataset:
            raise NotFoundError(
                f"the dataset at {self.url} was deleted and another one created there; open it",
                url=self.url,
            )
        return entry

    def _begin_transaction(self, transaction: Transaction) -> None:
        if self._transaction is not None:
            raise InvalidInputError(
                "a transaction is open on this handle; end it first, or open another handle"
            )
        self._transaction = transaction

    def _end_transaction(self, transaction: Transaction) -> None:
        if self._transaction is transaction:
            self._transaction = None


def require_handle(dataset: object, what: str) -> None:
    """Refuse anything but an open dataset that may be used here."""
    if not isinstance(dataset, Dataset):
        raise InvalidInputError(
            f"{what}() takes an open dataset, got {dataset!r:.80}; open it first: "
            "ds = await aiolake.open_dataset(url)"
        )
    dataset._guard.check()


def _spec(spec: DatasetSpec) -> DatasetSpec:
    return spec


def check_slot(slot: object) -> int:
    """A log number, as an ``int``."""
    number = whole_number(slot)
    if number is None or not 1 <= number <= keys.MAX_ENTRY:
        raise InvalidInputError(
            f"slot={slot!r:.80} is no entry of the log; it is a number from 1, as tx.slot or the "
            "error's slot has it"
        )
    return number


def check_write_id(write_id: str) -> None:
    """A write id: 1 to 128 printable ASCII characters."""
    ok = isinstance(write_id, str) and 1 <= len(write_id) <= 128 and write_id.isascii()
    if not ok or not write_id.isprintable():
        raise InvalidInputError("a write_id is 1 to 128 printable ASCII characters")
