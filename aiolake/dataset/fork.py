"""Workers of a transaction: they append in other tasks or processes, and it commits once."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from aiolake import keys, urls
from aiolake._aio import Guard, Tasks
from aiolake.chunks.keys import KeyBlocks
from aiolake.chunks.write import PieceWriter, Target, Uploader, finish
from aiolake.dataset.attach import with_core
from aiolake.dataset.columns import ColumnChanges
from aiolake.dataset.rows import RowSlices
from aiolake.dataset.session import Borrowed, Session
from aiolake.dataset.state import Core
from aiolake.errors import ClosedError, InvalidInputError, NotFoundError
from aiolake.format.entry import Piece
from aiolake.options import Options
from aiolake.versions.head import require_dataset

if TYPE_CHECKING:
    from aiolake.dataset.dataset import Dataset

__all__ = [
    "Appender",
    "Receipt",
    "Worker",
    "append_here",
    "append_slices",
    "check_columns_of",
    "checked_receipts",
    "worker_of",
]

Held = tuple[Core, Borrowed | None]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has uploaded: a small value to be merged, once, by a transaction.

    Attributes:
        id: Its identity; the commit that merges it keeps it.
        url: The dataset's address.
        dataset: The dataset's id.
        transaction: The write id of the transaction that was forked.
        base: The log's head when the worker began.
        columns: The columns its rows have.
        n_rows: How many rows.
        nbytes: Their payload bytes.
        pieces: Where they are, over row ids from 0.
        keys: Their keys, in a dataset with a key column.
    """

    id: str
    url: str
    dataset: str
    transaction: str
    base: int
    columns: tuple[Target, ...]
    n_rows: int
    nbytes: int
    pieces: tuple[Piece, ...]
    keys: KeyBlocks | None = None

    def __repr__(self) -> str:
        return f"<Receipt {self.id} of {self.url}: {self.n_rows:,} rows>"


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a transaction to be done elsewhere: pickle it, and ``open()`` it there.

    Made by ``tx.fork()``. It holds no credential, and may be opened any number of times: every
    block gives a receipt of its own.

    Attributes:
        url: The dataset's address.
        dataset: The dataset's id.
        transaction: The transaction's write id.
        columns: The columns its rows have.
        options: The dataset's own options, if it had any.
    """

    url: str
    dataset: str
    transaction: str
    columns: tuple[Target, ...]
    options: Options | None = None

    def __repr__(self) -> str:
        return f"<Worker of transaction {self.transaction} on {self.url}>"

    def open(self, *, creds: Any = None, session: Session | None = None) -> Appender:
        """Begin to append, here: ``async with worker.open() as rows: await rows.append(...)``.

        Args:
            creds: See ``open_dataset``; they do not travel with the worker.
            session: See ``open_dataset``.
        """
        address = urls.parse(self.url)

        async def connected(core: Core, held: Borrowed) -> Held:
            return core, held

        return Appender(self, lambda: with_core(address, creds, session, self.options, connected))


class Appender:
    """Uploads rows for a transaction that commits them elsewhere.

    Made by ``worker.open()`` and used as ``async with``. When the block ends without an exception
    everything is uploaded and ``receipt`` is there; otherwise what was uploaded is never
    referenced, and ``gc`` removes it.

    Args:
        worker: What to do.
        connect: Gives the store and log, and the session to give back, if any.
    """

    def __init__(self, worker: Worker, connect: Callable[[], Coroutine[Any, Any, Held]]) -> None:
        self._worker = worker
        self._connect = connect
        self._guard = Guard(f"worker of {worker.url}")
        self._tasks = Tasks()
        self._core: Core | None = None
        self._borrowed: Borrowed | None = None
        self._writer: PieceWriter | None = None
        self._receipt: Receipt | None = None
        self._busy = False
        self._broken: str | None = None
        self._base = 0

    @property
    def receipt(self) -> Receipt:
        """What to give to ``tx.merge``; there once the block has ended well.

        Raises:
            InvalidInputError: It has not.
        """
        if self._receipt is None:
            raise InvalidInputError(
                "there is no receipt: it is made when the worker's block ends without an exception"
            )
        return self._receipt

    @property
    def n_appended(self) -> int:
        """Rows so far."""
        return 0 if self._writer is None else self._writer.n_rows

    def __repr__(self) -> str:
        return f"<Appender of {self._worker.url}: {self.n_appended:,} rows>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open worker is not pickled; pickle the worker, or the receipt")

    async def append(
        self,
        rows: Mapping[str, Any]
        | Iterable[Mapping[str, Any]]
        | AsyncIterable[Mapping[str, Any]]
        | None = None,
        *,
        columns: Mapping[str, Any] | None = None,
    ) -> int:
        """Append rows; see ``Transaction.append``."""
        writer = self._begin()
        before = writer.n_rows
        try:
            await append_slices(writer, rows, columns, self._check)
        except BaseException as error:
            if writer.n_rows != before or not isinstance(error, InvalidInputError):
                self._broken = f"an append failed half way ({error!r})"
            raise
        finally:
            self._busy = False
        return writer.n_rows - before

    async def _add(self, columns: Mapping[str, Any], n_rows: int) -> None:
        """Pack a block of rows as they are; none of them if one is refused."""
        writer = self._begin()
        try:
            await writer.add(columns, n_rows)
        finally:
            self._busy = False

    async def _add_encoded(self, encoded: Mapping[int, Any], n_rows: int) -> None:
        """Pack rows that are encoded already, by column id."""
        writer = self._begin()
        try:
            await writer.add_encoded(encoded, n_rows)
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """Give up, unless it ended well; idempotent.

        Cancellation: goes on once uploads have ended.
        """
        self._writer = None
        await self._tasks.aclose()
        await self._release()

    async def finish(self) -> Receipt:
        """Upload what is left and end; the receipt.

        Cancellation: there is no receipt, as after a failure.
        """
        try:
            await self._finish(self._begin())
        finally:
            await self.aclose()
        return self.receipt

    async def __aenter__(self) -> Self:
        self._guard.check()
        if self._core is not None or self._receipt is not None:
            raise InvalidInputError("this was opened already; call worker.open() again")
        self._core, self._borrowed = await self._connect()
        try:
            self._base = await _base(self._core, self._worker)
            await self._tasks.__aenter__()
        except BaseException:
            await self._release()
            raise
        session = self._core.session
        options = self._worker.options or session.options
        uploader = Uploader(
            self._core.store,
            self._tasks,
            self._base_number,
            max(1, session.options.max_inflight_bytes // 4),
        )
        self._uploader, self._options = uploader, options
        self._writer = PieceWriter(self._worker.columns, uploader, session._pool, options)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await (self.aclose() if exc is not None else self.finish())

    async def _finish(self, writer: PieceWriter) -> None:
        """Upload what is left; then there is a receipt."""
        worker = self._worker
        writers = [(writer, (0, writer.n_rows))] if writer.n_rows else []
        pieces = await finish(writers, self._uploader, self._options)
        self._receipt = Receipt(
            id=keys.new_id(),
            url=worker.url,
            dataset=worker.dataset,
            transaction=worker.transaction,
            base=self._base,
            columns=worker.columns,
            n_rows=writer.n_rows,
            nbytes=writer.nbytes,
            pieces=pieces,
            keys=writer.keys,
        )

    async def _base_number(self) -> int:
        return self._base

    async def _release(self) -> None:
        if self._core is not None and self._borrowed is not None:
            await self._borrowed.aclose_after(self._core.store)
        self._borrowed = None

    def _begin(self) -> PieceWriter:
        self._check()
        if self._busy:
            raise InvalidInputError(
                "another append of this worker is under way; await it first, or open another"
            )
        self._busy = True
        assert self._writer is not None
        return self._writer

    def _check(self) -> None:
        self._guard.check()
        if self._writer is None:
            raise ClosedError("the worker is not open; use it inside its async with block")
        if self._broken is not None:
            raise InvalidInputError(f"the worker gives no receipt: {self._broken}; open another")


def append_here(worker: Worker, core: Core) -> Appender:
    """As ``worker.open()``, over a store that is open already and stays so."""

    async def borrowed() -> Held:
        return core, None

    return Appender(worker, borrowed)


def worker_of(dataset: Dataset) -> Worker:
    """A worker for the columns of a dataset as its handle sees it, of no transaction yet."""
    state = dataset._state
    return Worker(
        url=dataset._core.url,
        dataset=state.entry.dataset,
        transaction=keys.new_id(),
        columns=tuple(ColumnChanges(state.description).now),
        options=dataset._own_options,
    )


async def append_slices(
    writer: PieceWriter, rows: Any, columns: Any, check: Callable[[], None]
) -> None:
    """Pack rows as they come, ``check`` after each bounded part of them."""
    names = [target.name for target in writer.targets]
    optional = [target.name for target in writer.targets if target.optional]
    async with aclosing(RowSlices(names, rows, columns, optional)) as slices:
        async for block, n_rows in slices:
            await writer.add(block, n_rows)
            check()


async def _base(core: Core, worker: Worker) -> int:
    """The head as the worker begins: its objects carry this number."""
    head = await core.log.head()
    if require_dataset(head, core.url).dataset != worker.dataset:
        raise NotFoundError(
            f"the dataset at {core.url} was deleted and another one created there; its "
            "transaction can commit no more",
            url=core.url,
        )
    return head.n


def checked_receipts(receipts: object, dataset: str, known: set[str]) -> list[Receipt]:
    """Receipts that a transaction on a dataset may merge, beside those it has.

    Raises:
        InvalidInputError: No receipts, one of another dataset, or one twice.
    """
    given = [receipts] if isinstance(receipts, Receipt) else receipts
    if not isinstance(given, Iterable):
        raise _no_receipt(given)
    found: dict[str, Receipt] = {}
    for receipt in given:
        if not isinstance(receipt, Receipt):
            raise _no_receipt(receipt)
        if receipt.dataset != dataset:
            raise InvalidInputError(
                f"receipt {receipt.id} is of another dataset, {receipt.url}; merge it there",
                receipt=receipt.id,
            )
        if receipt.id in found or receipt.id in known:
            raise InvalidInputError(f"{receipt!r} is given twice", receipt=receipt.id)
        found[receipt.id] = receipt
    return list(found.values())


def _no_receipt(value: object) -> InvalidInputError:
    return InvalidInputError(
        f"merge() takes the receipts of workers, got {value!r:.80}; a worker's is rows.receipt "
        "after its block"
    )


def check_columns_of(
    receipts: Iterable[Receipt], transaction: str, targets: Iterable[Target]
) -> None:
    """Refuse receipts of other columns than the transaction's.

    Raises:
        InvalidInputError: Names the column.
    """
    ours = {target.id: target for target in targets}
    for receipt in receipts:
        if min(target.id for target in receipt.columns) < 0 and receipt.transaction != transaction:
            raise InvalidInputError(
                f"receipt {receipt.id} has a column that another transaction was adding; only "
                "that transaction can merge it",
                receipt=receipt.id,
            )
        theirs = {target.id: target for target in receipt.columns}
        for id, target in {**theirs, **ours}.items():
            if id not in theirs or id not in ours or theirs[id].type != ours[id].type:
                raise InvalidInputError(
                    f"receipt {receipt.id} was made for other columns than the transaction's: "
                    f"{target.name!r} differs; fork after the columns were changed",
                    receipt=receipt.id,
                    column=target.name,
                )
