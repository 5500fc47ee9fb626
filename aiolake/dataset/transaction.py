"""Pending changes of a dataset: uploaded while they come, visible only once committed."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from aiolake import keys
from aiolake._aio import Tasks
from aiolake.chunks.write import PieceWriter, Target, Uploader, finish
from aiolake.dataset.appends import Appends
from aiolake.dataset.columns import ColumnChanges, check_metadata
from aiolake.dataset.fork import Receipt, Worker, append_slices, check_columns_of, checked_receipts
from aiolake.dataset.keys import KeyCacheOf, key_changes
from aiolake.dataset.rows import check_columns, column_lengths
from aiolake.dataset.select import Selector, positions
from aiolake.dataset.state import State
from aiolake.dataset.updates import Updates
from aiolake.errors import ClosedError, InvalidInputError
from aiolake.format.entry import Entry, Piece
from aiolake.ranges import EMPTY, Ids, Runs, distinct
from aiolake.shown import count
from aiolake.types import ColumnType
from aiolake.versions.commit import Context, Outcome, find_done
from aiolake.versions.delta import Delta
from aiolake.versions.head import Head
from aiolake.versions.intents import Commit
from aiolake.versions.keys import KeyChanges
from aiolake.versions.log import Attempt

if TYPE_CHECKING:
    from aiolake.dataset.dataset import Dataset

__all__ = ["Transaction"]


class Transaction:
    """Changes to one branch, committed together when its block ends without an exception.

    Made by ``ds.transaction(message)`` and used as ``async with ... as tx``. Rows are uploaded
    while they are appended; nothing is visible before the commit, and an exception leaves nothing
    visible. ``update`` and ``delete`` address rows of the dataset as the handle saw it when the
    block was entered.

    Attributes:
        write_id: Identifies the commit, whatever becomes of it.
    """

    def __init__(
        self,
        dataset: Dataset,
        branch: str,
        *,
        message: str,
        author: str,
        write_id: str | None,
    ) -> None:
        self.write_id = write_id or keys.new_id()
        self._given_id = write_id is not None
        self._dataset = dataset
        self._core = dataset._core
        self._branch = branch
        self._message = message
        self._author = author
        self._attempt = Attempt(self.write_id)
        self._options = dataset._options
        self._tasks = Tasks()
        self._open = False
        self._committed_before = False
        self._busy = False
        self._broken: str | None = None
        self._state: State | None = None
        self._base: tuple[Head, tuple[Entry, ...]] | None = None
        self._appends = Appends(self._writer)
        self._updates = Updates(self._writer)
        self._deleted = EMPTY

    @property
    def outcome(self) -> Outcome:
        """What became of the commit, as far as is known; also after a cancellation."""
        return self._attempt.outcome

    @property
    def slot(self) -> int | None:
        """The log number last tried, for ``ds.find_commit(write_id, slot=...)``."""
        return self._attempt.slot

    @property
    def snapshot(self) -> int | None:
        """The number of the snapshot committed, once it is."""
        return None if self._attempt.entry is None else self._attempt.entry.n

    @property
    def n_appended(self) -> int:
        """Rows appended so far."""
        return self._appends.n_rows

    def __repr__(self) -> str:
        return f"<Transaction {self.write_id} on {self._core.url}: {self.outcome}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a transaction is not pickled; it belongs to the process that began it")

    async def append(
        self,
        rows: Mapping[str, Any]
        | Iterable[Mapping[str, Any]]
        | AsyncIterable[Mapping[str, Any]]
        | None = None,
        *,
        columns: Mapping[str, Any] | None = None,
    ) -> int:
        """Append rows.

        Args:
            rows: One row (a mapping of column to value), or any number: a sequence, an iterable
                or an async iterable of rows.
            columns: Instead of rows, a mapping of column to values of one length.

        Returns:
            How many rows.

        Raises:
            InvalidInputError: A column is missing or unknown, or a value is not of its column's
                type; names the column and the row. If earlier rows of a long input were packed
                already, the transaction cannot be committed any more. At the end of the block: a
                key is given twice, and the dataset refuses duplicates.
            AlreadyExistsError: At the end of the block: a row has one of the keys, likewise.

        Cancellation: the transaction cannot be committed any more.
        """
        self._begin()
        before = self.n_appended
        try:
            if not self._committed_before:
                writer = self._appends.writer(self._columns.now)
                await append_slices(writer, rows, columns, self._check)
        except BaseException as error:
            if self.n_appended != before or not isinstance(error, InvalidInputError):
                self._broken = f"an append failed half way ({error!r})"
            raise
        finally:
            self._busy = False
        return self.n_appended - before

    def fork(self) -> Worker:
        """A worker that appends elsewhere, in another task or process; it can be pickled.

        ``async with worker.open() as rows: await rows.append(...)`` uploads there, and gives
        ``rows.receipt``, for ``merge``. A worker that dies leaves nothing visible.
        """
        self._check_idle()
        assert self._state is not None
        return Worker(
            url=self._core.url,
            dataset=self._state.entry.dataset,
            transaction=self.write_id,
            columns=tuple(self._columns.now),
            options=self._dataset._own_options,
        )

    async def merge(self, receipts: Receipt | Iterable[Receipt]) -> int:
        """Append what workers have uploaded, in the order of their receipts.

        Args:
            receipts: From ``worker.open()``'s blocks, of this transaction or of one before it on
                this dataset. Each once: a commit that finds one merged already is refused with
                ``ConflictError``, whoever merged it.

        Returns:
            How many rows.

        Raises:
            InvalidInputError: A receipt of another dataset or of other columns, or one twice;
                nothing was merged.

        Cost: at the commit, one GET for each entry since the oldest worker began.
        """
        self._begin()
        try:
            assert self._state is not None
            known = {receipt.id for receipt in self._appends.receipts}
            given = checked_receipts(receipts, self._state.entry.dataset, known)
            check_columns_of(given, self.write_id, self._columns.now)
            if self._committed_before:
                return 0
            self._appends.merge(given)
            return sum(receipt.n_rows for receipt in given)
        finally:
            self._busy = False

    async def update(self, rows: Selector, values: Mapping[str, Any]) -> int:
        """Replace values of rows.

        Args:
            rows: Which, as in ``ds.read``; each once.
            values: For a single index a value of each column to change; else as many values as
                rows.

        Returns:
            How many rows.

        Raises:
            InvalidInputError: A column is unknown, or a value is not of its column's type.

        Cancellation: the transaction cannot be committed any more.
        """
        self._begin()
        try:
            if self._committed_before:
                return 0
            ids, single = self._addressed(rows)
            check_columns(values, self._columns.targets, all_of_them=False)
            blocks = {name: [value] for name, value in values.items()} if single else dict(values)
            n_rows = column_lengths(blocks)
            if n_rows != len(ids):
                raise InvalidInputError(
                    f"an update of {count(len(ids), 'row')} needs as many values in each column, "
                    f"got {count(n_rows, 'value') if values else 'no column'}"
                )
            if n_rows:
                targets = [self._columns.targets[name] for name in values]
                await self._updates.add(targets, ids, blocks)
                self._check()
            return n_rows
        except BaseException as error:
            if not isinstance(error, InvalidInputError):
                self._broken = f"an update failed half way ({error!r})"
            raise
        finally:
            self._busy = False

    async def delete(self, rows: Selector) -> int:
        """Remove rows; returns how many. A row deleted twice is removed once."""
        self._begin()
        try:
            if self._committed_before:
                return 0
            ids, _ = self._addressed(rows)
            fresh = Runs.from_ids(ids).difference(self._deleted)
            self._deleted = self._deleted.concat(fresh)
            return len(fresh)
        finally:
            self._busy = False

    def add_column(
        self,
        name: str,
        type: ColumnType | type,
        *,
        default: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a column; rows there are, and rows appended without knowing it, hold ``default``."""
        self._check_idle()
        self._appends.fill(*self._columns.add(name, type, default, metadata))

    def rename_column(self, old: str, new: str) -> None:
        """Give a column another name; its data stay where they are."""
        self._check_idle()
        self._columns.rename(old, new)

    def drop_column(self, name: str) -> None:
        """Remove a column; older snapshots keep it."""
        self._check_idle()
        self._columns.drop(name)

    def set_metadata(self, values: Mapping[str, Any], *, column: str | None = None) -> None:
        """Set metadata keys, of the dataset or of a column, to JSON values."""
        self._check_idle()
        self._columns.set_metadata(check_metadata(values), column)

    def remove_metadata(self, *names: str, column: str | None = None) -> None:
        """Take metadata keys away."""
        self._check_idle()
        self._columns.remove_metadata(names, column)

    async def __aenter__(self) -> Self:
        self._dataset._guard.check()
        if self._open or self._state is not None:
            raise InvalidInputError("a transaction is used once; call ds.transaction() again")
        self._dataset._begin_transaction(self)
        try:
            await self._enter(self._dataset._state)
        except BaseException:
            self._dataset._end_transaction(self)
            raise
        self._open = True
        return self

    async def _enter(self, state: State) -> None:
        self._state = state
        self._columns = ColumnChanges(state.description)
        if self._given_id:
            await self._look_for_itself(state)
        await self._tasks.__aenter__()
        self._uploader = Uploader(
            self._core.store,
            self._tasks,
            self._base_number,
            max(1, self._core.session.options.max_inflight_bytes // 4),
        )

    async def _look_for_itself(self, state: State) -> None:
        """A write id of the caller's own may have committed before: then there is nothing to do.

        Later entries are compared with it by the commit.
        """
        head, seen = await self._core.log.forward(state.head)
        done = await self._core.log.run(find_done(head, self.write_id))
        if done is not None:
            self._committed_before = True
            self._base = head, seen
            self._attempt.outcome, self._attempt.entry = Outcome.COMMITTED, done

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc is None:
                self._begin()
                if self._committed_before:
                    assert self._base is not None
                    await self._dataset._follow(self._base[0])
                else:
                    await self._commit()
        finally:
            self._open = False
            self._dataset._end_transaction(self)
            await self._tasks.aclose()

    async def _abandon(self) -> None:
        """The dataset is being closed under it."""
        self._open = False
        await self._tasks.aclose()

    async def _commit(self) -> None:
        writers = self._appends.writers()
        pieces = await finish([*writers, *self._updates.writers()], self._uploader, self._options)
        n_appended = sum(len(w.targets) for w, _ in writers if w.n_rows)
        delta = self._delta(pieces[:n_appended], pieces[n_appended:], await self._key_changes())
        if delta.is_empty:
            return
        base = await self._base_number()
        assert self._base is not None
        head, seen = self._base
        intent = Commit(
            on_branch=self._branch,
            delta=delta,
            base=min([base, *(receipt.base for receipt in self._appends.receipts)]),
            message=self._message,
            author=self._author,
            cache=KeyCacheOf(self._core),
        )
        context = Context(self._core.url, self.write_id)
        committed = await self._core.log.commit(intent, head, seen, context, self._attempt)
        await self._dataset._follow(committed.head)

    async def _key_changes(self) -> KeyChanges:
        assert self._state is not None
        if self._state.key is None:
            return KeyChanges()
        updates = self._updates.writers()
        pool, appended = self._core.session._pool, self._appends.keys()
        return await key_changes(pool, self._state, appended, updates, self._deleted)

    def _delta(
        self, appended: Sequence[Piece], updates: Sequence[Piece], key_changes: KeyChanges
    ) -> Delta:
        columns = self._columns
        return Delta(
            appended=self.n_appended,
            pieces=(*appended, *self._appends.pieces()),
            receipts=tuple(receipt.id for receipt in self._appends.receipts),
            updates=tuple(updates),
            deleted=self._deleted,
            added=columns.added,
            renamed=columns.renamed,
            dropped=columns.dropped,
            metadata=columns.metadata,
            column_metadata=columns.column_metadata,
            keys=key_changes,
        )

    async def _base_number(self) -> int:
        """The head when the first object is about to be uploaded: objects carry its number."""
        if self._base is None:
            assert self._state is not None
            self._base = await self._core.log.forward(self._state.head)
        return self._base[0].n

    def _writer(self, targets: Sequence[Target]) -> PieceWriter:
        pool = self._core.session._pool
        return PieceWriter(targets, self._uploader, pool, self._options)

    def _addressed(self, rows: Selector) -> tuple[Ids, bool]:
        """The row ids of the base that a selector means, and whether it is a single index."""
        assert self._state is not None
        at = positions(rows, len(self._state.rows))
        if len(distinct(at)) != len(at):
            raise InvalidInputError("a row is named twice in one update or delete")
        single = not isinstance(rows, slice) and not hasattr(rows, "__len__")
        return self._state.rows.take(at), single

    def _begin(self) -> None:
        self._check_idle()
        self._busy = True

    def _check_idle(self) -> None:
        self._check()
        if self._busy:
            raise InvalidInputError(
                "another call of this transaction is under way; await it first, or gather rows "
                "and append them together"
            )

    def _check(self) -> None:
        self._dataset._guard.check()
        if not self._open:
            raise ClosedError("the transaction is not open; use it inside its async with block")
        if self._broken is not None:
            raise InvalidInputError(
                f"the transaction cannot be committed: {self._broken}; start another"
            )
