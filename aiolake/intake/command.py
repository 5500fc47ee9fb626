"""``aiolake.ingest``: from a source to a dataset."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from itertools import islice
from typing import Any, Literal, TypeAlias

from aiolake._aio import Tasks, WorkPool
from aiolake.dataset.dataset import Dataset, require_handle
from aiolake.dataset.open import create_dataset, open_dataset
from aiolake.dataset.session import Session
from aiolake.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
)
from aiolake.intake.blocks import AsyncBatches, Batches, Blocks, ScannedBatches
from aiolake.intake.folder import FolderSource
from aiolake.intake.infer import types_of_rows
from aiolake.intake.progress import ListDigest, Progress, check_same_list, progress_of
from aiolake.intake.rows import RowSource
from aiolake.intake.run import Ingestion, Job
from aiolake.intake.skips import Skips
from aiolake.intake.source import Item, Reader, Source
from aiolake.intake.table import TABLES, TableSource
from aiolake.intake.values import IngestReport, OnProgress, Policy, check_policy
from aiolake.options import Options
from aiolake.types import ColumnType, Image, parse_schema, summary

__all__ = ["ingest"]

Rows: TypeAlias = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]
Columns: TypeAlias = dict[str, ColumnType]

_PEEKED_ROWS = 100


async def ingest(
    target: str | os.PathLike[str] | Dataset,
    source: str | os.PathLike[str] | Rows,
    *,
    schema: Mapping[str, ColumnType | type] | None = None,
    name: str | None = None,
    resume: bool = True,
    commit_every: int = 10_000,
    on_error: Literal["raise", "skip"] = "raise",
    max_errors: int | None = None,
    errors_to: str | os.PathLike[str] | None = None,
    check: Literal["header", "decode"] = "header",
    n_readers: int = 4,
    max_bytes: int = 64 << 20,
    max_file_bytes: int = 1 << 30,
    message: str = "",
    author: str = "",
    on_progress: OnProgress | None = None,
    branch: str | None = None,
    creds: Any = None,
    session: Session | None = None,
    options: Options | None = None,
) -> IngestReport:
    """Append a folder of pictures, a table, or rows to a dataset; create it if it is not there.

    Rows are committed every so many, each commit with the place in the source. A run that was
    killed goes on where it stopped when it is started again: no row is lost or doubled.

    Args:
        target: The dataset's address, or an open dataset on a branch.
        source: A folder, whose subfolders are the classes (files directly in it have none); a
            ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson`` table of values and of paths relative to
            it; or any iterable or async iterable of rows.
        schema: Columns of a new dataset. Of a folder: one column of files, and optionally a
            ClassLabel for their classes and a Text for their paths. Of a table: the columns whose
            type is not to be inferred. Image, Bytes, Video and Audio columns of a table are paths.
        name: What the progress is kept under; by default the source's path. Rows of a program
            are resumed only under a name, and must then be the same in each run.
        resume: Go on after earlier runs; ``False`` ingests everything, again.
        commit_every: Rows of a commit, about.
        on_error: ``"raise"`` ends the run at the first bad source; ``"skip"`` leaves them out.
        max_errors: With ``"skip"``, the most.
        errors_to: A JSONL file that lists every source skipped, and why.
        check: ``"header"`` reads what a picture says of itself, and whether it is cut off;
            ``"decode"`` decodes it whole.
        n_readers: Threads that read files.
        max_bytes: Bytes read ahead.
        max_file_bytes: A larger file counts as bad.
        message: Said in the history of each commit; by default which sources it holds.
        author: Likewise.
        on_progress: Called, or awaited, after every block with an ``IngestProgress``.
        branch: See ``open_dataset``.
        creds: See ``open_dataset``.
        session: See ``open_dataset``.
        options: See ``open_dataset``.

    Raises:
        NotFoundError: There is no such source.
        InvalidInputError: The source does not fit the dataset (nothing was written); a bad
            source with ``on_error="raise"``; the sources before the place to go on have changed.
        ConflictError: Another run ingests the same source.

    Cost: each source is read once; a commit is its data, 2 gets and 1 create.

    Cancellation: commits that were made stay, and a next run goes on there.
    """
    policy = check_policy(
        Policy(
            commit_every=commit_every,
            on_error=on_error,
            max_errors=max_errors,
            decode=_is_decode(check),
            max_bytes=max_bytes,
            max_file_bytes=max_file_bytes,
            n_readers=n_readers,
        )
    )
    if name is not None and not (isinstance(name, str) and name):
        raise InvalidInputError(f"name is the text that progress is kept under, got {name!r}")
    given = {} if schema is None else dict(parse_schema(schema))
    found = _source(source, given, name)
    async with AsyncExitStack() as closing:
        scanner = WorkPool(1)
        closing.push_async_callback(scanner.aclose)
        if not isinstance(found, RowSource):
            await scanner.run(found.scan)
        opened = _Opened(target, branch, creds, session, options, message, author)
        run = _Run(found, policy, name, resume, scanner, opened, closing)
        skips = Skips(None if errors_to is None else os.fspath(errors_to), scanner)
        return await run.run(given, skips, message, author, on_progress)


def _is_decode(check: str) -> bool:
    if check not in ("header", "decode"):
        raise InvalidInputError(f"check is 'header' or 'decode', got {check!r}")
    return check == "decode"


def _source(source: Any, given: Columns, name: str | None) -> Source | RowSource:
    """The source that a user's value means."""
    if isinstance(source, str | os.PathLike):
        path = os.path.expanduser(os.fsdecode(source))
        if "://" in path and not os.path.exists(path):
            raise InvalidInputError(
                f"{path!r} is an address, and sources are local folders and tables; copy a "
                "dataset with aiolake.copy_dataset, or give an iterable of rows"
            )
        if os.path.splitext(path)[1].lower() in TABLES and not os.path.isdir(path):
            return TableSource(path)
        if os.path.isfile(path):
            raise InvalidInputError(
                f"{path!r} is a file of an unknown kind; ingest takes a folder, or a table that "
                f"ends in {', '.join(sorted(TABLES))}"
            )
        only = not given or any(isinstance(type, Image) for type in given.values())
        return FolderSource(path, pictures_only=only)
    if isinstance(source, Mapping | bytes) or hasattr(source, "to_dict"):
        raise InvalidInputError(
            f"ingest takes a path or an iterable of rows, got {type(source).__name__}; append a "
            "single row, or columns, with tx.append"
        )
    if not isinstance(source, Iterable | AsyncIterable):
        raise InvalidInputError(f"ingest takes a path or an iterable of rows, got {source!r:.80}")
    return RowSource(source, name)


class _Opened:
    """The target: opened, or created once the source's columns are known."""

    def __init__(
        self,
        target: Any,
        branch: str | None,
        creds: Any,
        session: Session | None,
        options: Options | None,
        message: str,
        author: str,
    ) -> None:
        self._target = target
        self._branch = branch
        self._how: dict[str, Any] = {"creds": creds, "session": session, "options": options}
        self._said: dict[str, Any] = {"message": message, "author": author}
        self.created = False

    async def find(self, closing: AsyncExitStack) -> Dataset | None:
        """The dataset, if it is there."""
        if not isinstance(self._target, str | os.PathLike):
            require_handle(self._target, "ingest")
            dataset: Dataset = self._target
            if dataset.branch is None:
                raise ReadOnlyError(
                    f"this handle is fixed at snapshot {dataset.snapshot}; open a branch to ingest"
                )
            return dataset
        try:
            opening = open_dataset(self._target, branch=self._branch, **self._how)
            return await closing.enter_async_context(opening)
        except NotFoundError:
            if self._branch is not None:
                raise
            return None

    async def create(self, columns: Columns, closing: AsyncExitStack) -> Dataset:
        """Make it; open it where another was faster."""
        try:
            opening = create_dataset(self._target, columns, **self._said, **self._how)
            dataset = await closing.enter_async_context(opening)
        except AlreadyExistsError:
            return await closing.enter_async_context(open_dataset(self._target, **self._how))
        self.created = True
        return dataset


class _Run:
    """Joins a source, a dataset and the pipeline."""

    def __init__(
        self,
        source: Source | RowSource,
        policy: Policy,
        name: str | None,
        resume: bool,
        scanner: WorkPool,
        opened: _Opened,
        closing: AsyncExitStack,
    ) -> None:
        self._source = source
        self._policy = policy
        self._identity = source.identity if name is None else name
        self._resume = resume
        self._scanner = scanner
        self._opened = opened
        self._closing = closing
        self._peeked: list[Item] = []

    async def run(
        self,
        given: Columns,
        skips: Skips,
        message: str,
        author: str,
        on_progress: OnProgress | None,
    ) -> IngestReport:
        rows = await self._rows()
        dataset, reader = await self._target_of(given, rows)
        before = progress_of(dataset.metadata, self._identity) if self._resume else None
        batches = await self._batches(rows, before)
        await skips.begin(0 if before is None else before.n_items)
        source = self._source
        total = None if isinstance(source, RowSource) else source.total
        job = Job(
            what=source.what,
            identity=self._identity,
            total=total,
            before=before,
            policy=self._policy,
            message=message,
            author=author,
            on_progress=on_progress,
        )
        readers = None
        if not isinstance(source, RowSource):
            readers = WorkPool(self._policy.n_readers)
            self._closing.push_async_callback(readers.aclose)
        async with Tasks() as tasks:
            ingestion = Ingestion(dataset, job, skips, tasks)
            await ingestion.run(Blocks(batches, reader, readers, tasks, self._policy))
        return self._report(dataset, ingestion, job, skips)

    async def _rows(self) -> Any:
        """The rows of a program, to be closed at the end; ``None`` for files."""
        if not isinstance(self._source, RowSource):
            return None
        return await self._closing.enter_async_context(aclosing(self._source.items()))

    async def _target_of(self, given: Columns, rows: Any) -> tuple[Dataset, Reader]:
        """The dataset and a reader for its columns; what does not fit is refused first."""
        dataset = await self._opened.find(self._closing)
        if dataset is not None:
            columns = {column.name: column.type for column in dataset.schema.columns}
            _check_given(given, columns, dataset)
            hidden = dataset._state.row_metadata
            return dataset, self._reader(columns, () if hidden is None else (hidden.name,))
        columns = await self._new_columns(given, rows)
        reader = self._reader(columns)
        return await self._opened.create(columns, self._closing), reader

    def _reader(self, columns: Columns, optional: tuple[str, ...] = ()) -> Reader:
        if isinstance(self._source, RowSource):
            return self._source.reader(columns, decode=self._policy.decode, optional=optional)
        return self._source.reader(
            columns, max_file_bytes=self._policy.max_file_bytes, decode=self._policy.decode
        )

    async def _new_columns(self, given: Columns, rows: Any) -> Columns:
        if not isinstance(self._source, RowSource):
            return await self._scanner.run(self._source.schema, given)
        if given:
            return given
        while len(self._peeked) < _PEEKED_ROWS:
            item = await anext(rows, None)
            if item is None:
                break
            self._peeked.append(item)
        mappings = [item.value for item in self._peeked if isinstance(item.value, Mapping)]
        if not mappings:
            raise InvalidInputError("there are no rows to infer columns from; give schema=")
        return dict(parse_schema(types_of_rows(mappings)))

    async def _batches(self, rows: Any, before: Progress | None) -> Batches:
        n_done = 0 if before is None else before.n_items
        if isinstance(self._source, RowSource):
            batches = AsyncBatches(rows, self._peeked)
            await batches.skip(n_done)
            return batches
        items, digest = self._source.items(), ListDigest()
        if before is not None:
            n_there = await self._scanner.run(_skip, items, digest, n_done)
            check_same_list(before, n_there, digest.text(), self._source.what)
        return ScannedBatches(items, digest, self._scanner)

    def _report(
        self, dataset: Dataset, ingestion: Ingestion, job: Job, skips: Skips
    ) -> IngestReport:
        source = self._source
        return IngestReport(
            url=dataset.url,
            source=job.what,
            created=self._opened.created,
            columns={column.name: summary(column.type) for column in dataset.schema.columns},
            n_rows=ingestion.n_rows,
            n_items=ingestion.n_items,
            resumed_at=0 if job.before is None else job.before.n_items,
            n_skipped=skips.n,
            skipped=tuple(skips.first),
            n_foreign=0 if isinstance(source, RowSource) else source.n_foreign,
            notes=tuple(_notes(job, ingestion)),
            nbytes=ingestion.nbytes,
            seconds=ingestion.seconds,
            snapshots=tuple(ingestion.snapshots),
        )


def _skip(items: Any, digest: ListDigest, n: int) -> int:
    """Pass over items that are done; how many there were."""
    n_done = 0
    while n_done < n:
        done = list(islice(items, min(4096, n - n_done)))
        if not done:
            break
        digest.add(done)
        n_done += len(done)
    return n_done


def _check_given(given: Columns, columns: Columns, dataset: Dataset) -> None:
    for name, type in given.items():
        if name not in columns:
            raise InvalidInputError(
                f"schema= names the column {name!r}, and {dataset.url} has none of that name; add "
                "it first with tx.add_column",
                column=name,
            )
        if columns[name] != type:
            raise InvalidInputError(
                f"column {name!r} of {dataset.url} is {summary(columns[name])}, and schema= says "
                f"{summary(type)}; leave it out of schema=",
                column=name,
            )


def _notes(job: Job, ingestion: Ingestion) -> Iterable[str]:
    before = job.before
    if before is None:
        return
    if before.total is not None and job.total is not None and before.total != job.total:
        yield (
            f"the source list has changed since the run before: {before.total:,} sources then, "
            f"{job.total:,} now; those that were done are as they were"
        )
    if ingestion.n_items == before.n_items:
        yield "everything had been ingested before; resume=False ingests it again"
