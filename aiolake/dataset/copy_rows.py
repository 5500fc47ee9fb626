"""One snapshot as a new dataset: rows stream over as they are stored, and are packed anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np

from aiolake import keys, urls
from aiolake._aio import map_concurrently
from aiolake.chunks.read import ColumnReader
from aiolake.dataset.attach import with_core
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.fork import Appender, append_here, worker_of
from aiolake.dataset.open import open_dataset, refuse_foreign
from aiolake.dataset.session import Borrowed
from aiolake.dataset.state import Core, State
from aiolake.errors import AlreadyExistsError, NotFoundError
from aiolake.format.entry import Description
from aiolake.types import Schema
from aiolake.versions.commit import Context
from aiolake.versions.intents import DEFAULT_BRANCH, Create

__all__ = ["Tell", "copy_rows"]

Tell = Callable[[int, int, int], Awaitable[None]]

COPYING = "aiolake-copying"
"""The metadata key until all rows are there; the branch they are committed to begins so."""
COMMIT_BYTES = 256 << 20
_STEP_ROWS = 4096
_STEP_BYTES = 8 << 20


async def copy_rows(
    source: Dataset, target: str, tell: Tell, how: Mapping[str, Any]
) -> tuple[Dataset, int, int]:
    """Copy the snapshot of a handle; the copy, opened, with the rows and bytes that were copied.

    Raises:
        AlreadyExistsError: There is another dataset.
    """
    state, core = source._state, source._core
    mark = {"dataset": state.entry.dataset, "snapshot": state.entry.n}
    branch = f"{COPYING}-{state.entry.dataset}-{state.entry.n}"
    n_rows = nbytes = 0
    if await _begin(state, target, mark, branch, how):
        try:
            async with open_dataset(target, branch=branch, **how) as copy:
                copying = _Copying(source, copy, branch, tell)
                await copying.run()
        except NotFoundError as error:
            raise await core.explained(error, state.entry.n) from error
        n_rows, nbytes = copying.n_rows, copying.nbytes
    return await open_dataset(target, **how), n_rows, nbytes


async def _begin(
    state: State, target: str, mark: Mapping[str, Any], branch: str, how: Mapping[str, Any]
) -> bool:
    """See to it that the target is this copy, begun: with the branch that rows are committed to.

    Returns:
        Whether it is to go on: not where it was done when its process was killed.
    """
    try:
        begun = await open_dataset(target, **how)
    except NotFoundError:
        await _create(state, target, mark, how)
        begun = await open_dataset(target, **how)
    async with begun:
        # Between the last two steps only the branch's name says which copy this is.
        if branch in await begun.branches.list():
            return True
        found = begun.metadata.get(COPYING)
        if found is None and _is_done(begun, branch):
            return False
        if found != mark:
            what = "another dataset" if found is None else "the beginning of another copy"
            raise AlreadyExistsError(
                f"there is {what} at {begun.url}; choose another address, or delete it first "
                "with aiolake.delete_dataset()",
                url=begun.url,
            )
        await begun.branches.create(branch)
    return True


def _is_done(copy: Dataset, branch: str) -> bool:
    """Whether the newest of all entries is a copy's last one, which deleted its branch."""
    head = copy._state.head.entry
    assert head is not None
    last = head.operation
    return last.kind == "branch" and last.effects.branches == (branch,)


async def _create(
    state: State, target: str, mark: Mapping[str, Any], how: Mapping[str, Any]
) -> None:
    intent = Create(
        dataset=keys.new_id(), description=_renumbered(state.description, mark), message="copy"
    )

    async def created(core: Core, held: Borrowed) -> None:
        try:
            core.store.check_key(keys.LONGEST)
            head = await core.log.head()
            if head.entry is None:
                await refuse_foreign(core)
            await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
        finally:
            await held.aclose_after(core.store)

    creds, session, options = how["creds"], how["session"], how["options"]
    await with_core(urls.parse(target), creds, session, options, created)


def _renumbered(description: Description, mark: Mapping[str, Any]) -> Description:
    """The same columns, ids from 0, and a mark that it is not all there yet."""
    ids = {column.id: i for i, column in enumerate(description.schema.columns)}
    columns = tuple(
        msgspec.structs.replace(column, id=ids[column.id]) for column in description.schema.columns
    )
    return msgspec.structs.replace(
        description,
        schema=Schema(columns),
        metadata={**description.metadata, COPYING: dict(mark)},
        key=None if description.key is None else ids[description.key],
        row_metadata=None if description.row_metadata is None else ids[description.row_metadata],
    )


class _Copying:
    """The rows that are not there yet, in commits of about 256 MiB."""

    def __init__(self, source: Dataset, copy: Dataset, branch: str, tell: Tell) -> None:
        self._branch = branch
        self._state = source._state
        self._pool = source._core.session._pool
        self._url = f"{source.url} at {source.snapshot}"
        self._copy = copy
        self._tell = tell
        self._readers = {
            column.name: self._state.reader.column(column.name)
            for column in self._state.description.schema.columns
        }
        self._step = 64
        self.n_rows = 0
        self.nbytes = 0

    async def run(self) -> None:
        """Copy what is missing; the last commit takes the mark away, then ``main`` moves."""
        copy, total = self._copy, len(self._state.rows)
        await self._tell(len(copy), total, 0)
        while COPYING in copy.metadata:
            appender = append_here(worker_of(copy), copy._core)
            await appender.__aenter__()
            try:
                await self._fill(appender, len(copy), total)
                receipt = await appender.finish()
            finally:
                await appender.aclose()
            async with copy.transaction(f"rows of {self._url}"[:1024]) as tx:
                await tx.merge(receipt)
                if len(copy) + receipt.n_rows == total:
                    tx.remove_metadata(COPYING)
        await copy.branches.move(DEFAULT_BRANCH, copy.snapshot)
        await copy.branches.delete(self._branch)

    async def _fill(self, appender: Appender, at: int, total: int) -> None:
        began = self.nbytes
        ids_of = dict(zip(self._readers, (t.id for t in appender._worker.columns), strict=True))
        while at < total and self.nbytes - began < COMMIT_BYTES:
            stop = min(total, at + self._step)
            before = self.nbytes
            encoded = await map_concurrently(
                partial(self._column, start=at, stop=stop), self._readers.values()
            )
            await appender._add_encoded(
                {ids_of[name]: values for name, values in zip(self._readers, encoded, strict=True)},
                stop - at,
            )
            per_row = max(1, (self.nbytes - before) // (stop - at))
            self.n_rows += stop - at
            at, self._step = stop, max(1, min(_STEP_ROWS, _STEP_BYTES // per_row))
            await self._tell(at, total, self.nbytes)

    async def _column(self, reader: ColumnReader, start: int, stop: int) -> Any:
        """Rows of one column as they are stored; every checksum is checked."""
        ids = self._state.rows.take(np.arange(start, stop, dtype=np.int64))
        located = await reader.index.locate(ids)
        self.nbytes += located.units.nbytes if reader.index.holds_bytes else 0
        return await reader.stored(located)
