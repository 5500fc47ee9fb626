"""Rewriting a dataset's pieces into few large ones."""

from __future__ import annotations

import numpy as np

from aiolake import keys
from aiolake._aio import Tasks
from aiolake.chunks.layout import Layout, best_layout
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.write import PieceWriter, Target, Uploader, finish
from aiolake.dataset.dataset import Dataset, require_handle
from aiolake.dataset.keys import KeyCacheOf
from aiolake.dataset.state import State
from aiolake.errors import NotFoundError, ReadOnlyError
from aiolake.format.entry import Piece
from aiolake.format.keys import KeyIndex
from aiolake.ranges import Runs
from aiolake.versions.commit import Context
from aiolake.versions.delta import Delta
from aiolake.versions.intents import Commit

__all__ = ["optimize"]

_STEP_ROWS = 4096
_REFERENCE_BYTES = 256
_STEP_BYTES = 8 << 20


async def optimize(dataset: Dataset, *, message: str = "optimize") -> int | None:
    """Rewrite the branch's columns so that each is one piece of full chunks.

    A default, or other constant, of many rows side by side stays one beside it: it takes no bytes.

    Rows, their order and their values stay. Updates and deletes that others commit meanwhile are
    kept; another ``optimize`` or a ``restore`` is a conflict.

    Returns:
        The new snapshot's number, or ``None`` when every column (and the index of keys) is one
        piece already.

    Raises:
        ConflictError: Pieces it replaces are gone.
        ReadOnlyError: The handle is fixed at a snapshot.
        SnapshotExpiredError: The handle's snapshot was expired and collected; refresh it.

    Cost: reads and writes every payload byte of the columns that are rewritten.
    """
    require_handle(dataset, "optimize")
    if dataset.branch is None:
        raise ReadOnlyError("this handle is fixed at a snapshot; open a branch to optimize")
    keys.check_message(message)
    state, core = dataset._state, dataset._core
    try:
        return await _optimize(dataset, dataset.branch, message)
    except NotFoundError as error:
        raise await core.explained(error, state.entry.n) from error


async def _optimize(dataset: Dataset, branch: str, message: str) -> int | None:
    state, core = dataset._state, dataset._core
    plan = await _plan(state)
    if not plan and not _fragmented(state.snapshot.keys):
        return None
    head, seen = await core.log.forward(state.head)
    options = dataset._options
    async with Tasks() as tasks:

        async def base() -> int:
            return head.n

        uploader = Uploader(
            core.store, tasks, base, max(1, core.session.options.max_inflight_bytes // 4)
        )
        writers = [
            (await _rewritten(each.rest, reader, uploader, dataset), tuple(each.rest.flat()))
            for reader, _, each in plan
        ]
        replacements = await finish(writers, uploader, options)
    constants = (piece for reader, _, each in plan for piece in each.pieces(reader.column.id))
    delta = Delta(
        replaced=tuple(piece for _, pieces, _ in plan for piece in pieces),
        replacements=(*replacements, *constants),
        compacts_keys=_fragmented(state.snapshot.keys),
    )
    intent = Commit(
        on_branch=branch,
        delta=delta,
        base=head.n,
        message=message,
        kind="optimize",
        cache=KeyCacheOf(core),
    )
    committed = await core.log.commit(intent, head, seen, Context(core.url, keys.new_id()))
    await dataset._follow(committed.head)
    return committed.entry.n


def _fragmented(index: KeyIndex | None) -> bool:
    """Whether an index of keys is more than one run (or some inline records)."""
    return index is not None and len(index.runs) + bool(index.inline) > 1


async def _plan(state: State) -> list[tuple[ColumnReader, tuple[Piece, ...], Layout]]:
    """The columns worth rewriting, the pieces that go, and how the rows shall lie."""
    found = []
    for name in state.description.schema.names:
        reader = state.reader.column(name)
        pieces = await reader.index.pieces()
        whole = len(pieces) == 1 and len(state.rows) == pieces[0].n_rows
        if not pieces or whole:
            continue
        index = await reader.index.index_of(0, 1 << 62)
        layout = await reader.pool.run(best_layout, index, state.rows)
        if not layout.is_that_of(pieces):
            found.append((reader, pieces, layout))
    return found


async def _rewritten(
    rows: Runs, reader: ColumnReader, uploader: Uploader, dataset: Dataset
) -> PieceWriter:
    """Rows of one column, packed anew; full chunks are uploaded while it goes."""
    pool = dataset._core.session._pool
    target = Target(reader.column.id, reader.column.name, reader.column.type)
    writer = PieceWriter([target], uploader, pool, dataset._options)
    n_rows, at, step = len(rows), 0, 64
    while at < n_rows:
        stop = min(n_rows, at + step)
        ids = rows.take(np.arange(at, stop, dtype=np.int64))
        located = await reader.index.locate(ids)
        await writer.add_encoded({target.id: await reader.stored(located)}, stop - at)
        per_row = _REFERENCE_BYTES
        if reader.index.holds_bytes:
            per_row = max(1, located.units.nbytes // (stop - at))
        at, step = stop, max(1, min(_STEP_ROWS, _STEP_BYTES // per_row))
    return writer
