"""The pipeline: read, check, append; commit every so many rows while the next are read."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from aiolake._aio import Tasks
from aiolake.chunks.write import Target, encode_columns
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.fork import Appender, append_here, worker_of
from aiolake.errors import InvalidInputError
from aiolake.intake.blocks import Batch, Block, Blocks
from aiolake.intake.progress import Progress, progress_key
from aiolake.intake.skips import Skips
from aiolake.intake.source import Item
from aiolake.intake.values import IngestProgress, OnProgress, Policy, Skipped
from aiolake.shown import count

__all__ = ["Ingestion", "Job"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do.

    Attributes:
        what: The source, for people.
        identity: What its progress is kept under.
        total: Its items, where known.
        before: What earlier runs did.
        policy: Limits, and what to do with bad items.
        message: Said in the history.
        author: Likewise.
        on_progress: Is told after every block.
    """

    what: str
    identity: str | None
    total: int | None
    before: Progress | None
    policy: Policy
    message: str = ""
    author: str = ""
    on_progress: OnProgress | None = None


class _Window(msgspec.Struct):
    """What will be one commit: rows that are being uploaded, and where the source will be."""

    appender: Appender
    n_rows: int = 0
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    n_items: int = 0
    digest: str = ""


class Ingestion:
    """One run into an open dataset.

    Attributes:
        n_items: Items done, those of earlier runs included, and committed.
        n_rows: Rows committed.
        nbytes: Bytes read.
        snapshots: The commits.
    """

    def __init__(self, dataset: Dataset, job: Job, skips: Skips, tasks: Tasks) -> None:
        self._dataset = dataset
        self._job = job
        self._skips = skips
        self._tasks = tasks
        self._clock = dataset._core.session._clock
        self._began = self._clock.monotonic()
        self._worker = worker_of(dataset)
        self._window: _Window | None = None
        self._committing: asyncio.Task[None] | None = None
        self._n_read = 0
        before = job.before
        self._n_before = 0 if before is None else before.n_items
        self._rows_before = 0 if before is None else before.n_rows
        self._skipped_before = 0 if before is None else before.n_skipped
        self.n_items = self._n_before
        self.n_rows = 0
        self.nbytes = 0
        self.snapshots: list[int] = []

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock.monotonic() - self._began

    async def run(self, blocks: Blocks) -> None:
        """Ingest everything.

        Raises:
            InvalidInputError: A bad item, or too many of them.

        Cancellation: commits that were made stay; what was being uploaded is not referenced.
        """
        try:
            while (step := await blocks.next()) is not None:
                await self._take(blocks, *step)
            if self._window is not None:
                await self._hand_over(self._window)
            await self._settled()
        except Exception as failure:
            await self._settled_after(failure)
            raise
        finally:
            if self._window is not None:
                await self._window.appender.aclose()

    async def _take(self, blocks: Blocks, batch: Batch, block: Block) -> None:
        """Append a batch to the open window, and commit one that is full."""
        window = await self._open_window()
        await self._add(window, block)
        while block.rest:
            block = await blocks.more(block.rest)
            await self._add(window, block)
        window.n_items = batch.items[-1].number + 1
        window.digest = batch.digest
        await self._tell(window)
        if window.n_rows >= self._job.policy.commit_every:
            await self._hand_over(window)

    async def _open_window(self) -> _Window:
        if self._window is None:
            appender = append_here(self._worker, self._dataset._core)
            self._window = _Window(await appender.__aenter__())
        return self._window

    async def _add(self, window: _Window, block: Block) -> None:
        self.nbytes += block.nbytes
        self._n_read += len(block.rows)
        rows, skipped = block.rows, block.skipped
        if rows:
            try:
                await window.appender._add(self._columns_of(rows), len(rows))
            except InvalidInputError:
                rows, refused = await self._add_the_good(window, block)
                skipped = sorted([*skipped, *refused], key=lambda each: each.item)
        window.n_rows += len(rows)
        await self._note(window, skipped)

    async def _add_the_good(
        self, window: _Window, block: Block
    ) -> tuple[list[dict[str, Any]], list[Skipped]]:
        """Some rows of a block are refused: look at each, and append the others."""
        pool = self._dataset._core.session._pool
        good, skipped = await pool.run(sifted, self._worker.columns, block.items, block.rows)
        if good:
            await window.appender._add(self._columns_of(good), len(good))
        return good, skipped

    def _columns_of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        return {
            target.name: [row.get(target.name) for row in rows]
            if target.optional
            else [row[target.name] for row in rows]
            for target in self._worker.columns
        }

    async def _note(self, window: _Window, skipped: Sequence[Skipped]) -> None:
        window.skipped += skipped
        reason = self._skips.refusal(skipped, self._job.policy)
        if reason is None:
            return
        await self._settled()
        where = "" if self._job.identity is None else "; run it again to go on there"
        raise InvalidInputError(
            f"{reason}. Committed: {count(self.n_rows, 'row')} of {self._job.what}{where}",
            n_rows=self.n_rows,
            n_items=self.n_items,
        )

    async def _hand_over(self, window: _Window) -> None:
        """Commit a window in the background, once the one before it is committed."""
        await self._settled()
        self._window = None
        self._committing = self._tasks.start(self._commit(window), name="aiolake ingest commit")

    async def _settled(self) -> None:
        if self._committing is not None:
            await self._committing
            self._committing = None

    async def _settled_after(self, failure: Exception) -> None:
        """A failure elsewhere leaves the commit that is being made its end."""
        try:
            await self._settled()
        except Exception as other:
            if other is not failure:
                failure.add_note(f"the commit of the rows before failed too: {other!r}")

    async def _commit(self, window: _Window) -> None:
        try:
            receipt = await window.appender.finish()
        finally:
            await window.appender.aclose()
        await self._skips.write(window.skipped)
        async with self._dataset.transaction(self._message(window), author=self._job.author) as tx:
            await tx.merge(receipt)
            self._record(tx.set_metadata, window)
        self.n_rows += window.n_rows
        self.n_items = window.n_items
        if tx.snapshot is not None:
            self.snapshots.append(tx.snapshot)

    def _message(self, window: _Window) -> str:
        default = f"ingest sources {self.n_items:,} to {window.n_items:,} of {self._job.what}"
        return self._job.message or default[:1024]

    def _record(self, set_metadata: Any, window: _Window) -> None:
        identity = self._job.identity
        if identity is None:
            return
        self._skipped_before += len(window.skipped)
        progress = Progress(
            source=self._job.what,
            n_items=window.n_items,
            digest=window.digest,
            n_rows=self._rows_before + self.n_rows + window.n_rows,
            n_skipped=self._skipped_before,
            total=self._job.total,
        )
        set_metadata({progress_key(identity): msgspec.to_builtins(progress)})

    async def _tell(self, window: _Window) -> None:
        if self._job.on_progress is None:
            return
        told = self._job.on_progress(
            IngestProgress(
                n_items=window.n_items,
                total=self._job.total,
                n_rows=self._n_read,
                n_skipped=self._skips.n,
                nbytes=self.nbytes,
                seconds=self.seconds,
                snapshot=self.snapshots[-1] if self.snapshots else None,
            )
        )
        if inspect.isawaitable(told):
            await told


def sifted(
    targets: Sequence[Target], items: Sequence[Item], rows: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Skipped]]:
    """The rows whose values are of their columns' types, and why the others are not."""
    good: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for item, row in zip(items, rows, strict=True):
        try:
            given = {target.name: [row.get(target.name)] for target in targets}
            encode_columns(targets, given, 0)
        except InvalidInputError as error:
            skipped.append(Skipped(item.number, item.name, _reason(error)))
        else:
            good.append(row)
    return good, skipped


def _reason(error: InvalidInputError) -> str:
    """What is wrong, without the number the row has here."""
    cause = error.__cause__
    if isinstance(cause, InvalidInputError):
        return f"column {error.context.get('column')!r}: {cause.message}"
    return error.message
