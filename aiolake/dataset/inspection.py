"""Looking into every sample of a dataset, and at what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from aiolake import keys
from aiolake._aio import map_concurrently
from aiolake.chunks.extent import Extents, contradiction
from aiolake.chunks.inspect import Fault, check_constant, inspected
from aiolake.chunks.links import references_of
from aiolake.chunks.locate import PieceIndex
from aiolake.chunks.located import Located
from aiolake.chunks.read import ColumnReader
from aiolake.chunks.zones import held, read_zones
from aiolake.codecs import ByteCodec, FixedCodec, codec_of
from aiolake.dataset.keycheck import check_keys
from aiolake.dataset.problems import Problems
from aiolake.dataset.state import Core, snapshot_reader
from aiolake.errors import AiolakeError
from aiolake.format.entry import Description, Entry, Piece, RowRuns, Snapshot
from aiolake.format.lists import list_key
from aiolake.ranges import Ids, Runs
from aiolake.types import Column, Json, Link, Schema
from aiolake.versions.blobs import load_description, load_rows

__all__ = ["inspect"]

_PARALLEL = 4
_STEP_ROWS = 4096
_STEP_BYTES = 16 << 20
_ADVICE = "restore the object from a copy, or update or delete the row"


async def inspect(
    core: Core,
    snapshots: Sequence[Entry],
    named: Collection[int],
    lists: Mapping[str, tuple[Piece, ...]],
    pieces: Mapping[Piece, str],
    problems: Problems,
) -> int:
    """Hold what snapshots say against what they hold.

    Args:
        core: The dataset.
        snapshots: Those that may be opened, the oldest first.
        named: The numbers of those whose index of keys is checked.
        lists: The pieces of each list that could be read.
        pieces: The pieces whose bytes are sound, and the objects that hold them.
        problems: Takes what is wrong.

    Returns:
        How many samples were decoded.
    """
    columns: dict[int, Column] = {}
    for entry in snapshots:
        await _Snapshot(core, entry, lists, problems).check(columns, with_keys=entry.n in named)

    async def one(piece: Piece) -> int:
        column = columns.get(piece.column)
        # Pieces of a column that was dropped may stay in lists, where they mean nothing.
        if column is None:
            return 0
        return await _Piece(core, column, piece, pieces[piece], problems).check()

    return sum(await map_concurrently(one, pieces, limit=_PARALLEL))


class _Snapshot:
    """Rows, columns and keys of one snapshot."""

    def __init__(
        self,
        core: Core,
        entry: Entry,
        lists: Mapping[str, tuple[Piece, ...]],
        problems: Problems,
    ) -> None:
        assert entry.snapshot is not None
        self._core, self._entry, self._problems = core, entry, problems
        self._snapshot = entry.snapshot
        self._lists = lists
        self._key = keys.entry_key(entry.n)

    async def check(self, columns: dict[int, Column], *, with_keys: bool) -> None:
        """Everything but the samples; the columns are added to ``columns``."""
        run = self._core.log.run
        try:
            description = await run(load_description(self._snapshot))
            rows = await run(load_rows(self._snapshot.rows))
        except AiolakeError as error:
            self._problems.note(self._key, error)
            return
        columns.update({column.id: column for column in description.schema.columns})
        self._check_description(description)
        if not self._check_rows(rows) or not await self._check_cover(description.schema, rows):
            return
        if with_keys:
            try:
                await check_keys(self._core, self._entry, description, rows, self._problems)
            except AiolakeError as error:
                self._problems.note(self._key, error)

    def _add(self, message: str) -> None:
        self._problems.add(self._key, f"snapshot {self._entry.n}: {message}")

    def _check_description(self, description: Description) -> None:
        columns = {column.id: column for column in description.schema.columns}
        if (description.key is None) != (self._snapshot.keys is None):
            self._add("a key column and an index of keys come together, and one is missing")
        hidden = description.row_metadata
        if hidden is not None and not isinstance(getattr(columns.get(hidden), "type", None), Json):
            self._add("there is no column of JSON for the rows' metadata")

    def _check_rows(self, rows: Runs) -> bool:
        """Whether no row is there twice."""
        n = self._snapshot.rows.n
        if len(rows) != n:
            self._add(f"it says that it has {n} rows, and its runs have {len(rows)}")
        order = np.argsort(rows.starts, kind="stable")
        twice = rows.starts[order][1:] < rows.stops[order][:-1]
        if twice.any():
            row = int(rows.starts[order][1:][twice][0])
            self._add(f"row id {row} is there twice; open an older snapshot")
        return not twice.any()

    async def _check_cover(self, schema: Schema, rows: Runs) -> bool:
        """Whether each row has a value in each column."""
        if any(list_key(ref) not in self._lists for ref in self._snapshot.lists):
            return False  # which is a problem already
        sound = True
        for column in schema.columns:
            listed = (p for ref in self._snapshot.lists for p in self._lists[list_key(ref)])
            found = [p for p in (*listed, *self._snapshot.pieces) if p.column == column.id]
            bare = await self._core.session._pool.run(_uncovered, found, rows)
            if bare:
                sound = False
                self._add(
                    f"no piece of column {column.name!r} covers row id {bare.at(0)} and "
                    f"{len(bare) - 1} others; open an older snapshot"
                )
        return sound


def _uncovered(pieces: Sequence[Piece], rows: Runs) -> Runs:
    """The rows that no piece covers."""
    index = PieceIndex(pieces)
    stretches = index.stretches(np.zeros(len(pieces), np.int64))
    bare = (stretches.piece < 0) & (held(stretches, rows) > 0)
    return rows.intersection(Runs.from_bounds(stretches.start[bare], stretches.stop[bare]))


class _Piece:
    """The samples of one piece."""

    def __init__(
        self, core: Core, column: Column, piece: Piece, holder: str, problems: Problems
    ) -> None:
        self._core, self._column, self._piece = core, column, piece
        self._holder, self._problems = holder, problems
        self._rows = Runs.from_flat(piece.rows)
        self._codec = codec_of(column.type)
        zones = None if piece.stats is None else piece.stats.zones
        self._sound = True
        self._extents = Extents(self._codec, 0 if zones is None else zones.rows)

    async def check(self) -> int:
        """Decode its samples; how many they are."""
        try:
            constant = self._piece.constant
            if constant is not None:
                pool = self._core.session._pool
                await pool.run(check_constant, self._column.type, self._codec, constant)
                return 1
            order = np.argsort(self._rows.starts)
            if (self._rows.starts[order][1:] < self._rows.stops[order][:-1]).any():
                self._add("a piece covers a row twice")
                return 0
            await self._read_all()
            if self._sound:
                await self._check_statistics()
        except AiolakeError as error:
            self._problems.note(self._holder, error)
        return len(self._rows)

    def _add(self, message: str) -> None:
        self._problems.add(self._holder, f"column {self._column.name!r}: {message}")

    async def _read_all(self) -> None:
        reader = self._reader()
        step = _STEP_ROWS
        if isinstance(self._codec, FixedCodec):
            step = max(1, min(16 * step, _STEP_BYTES // max(1, self._codec.row_nbytes)))
        elif not isinstance(self._codec, ByteCodec):
            step = _STEP_ROWS // 4
        for at in range(0, len(self._rows), step):
            stop = min(len(self._rows), at + step)
            await self._read(reader, self._rows.take(np.arange(at, stop, dtype=np.int64)))

    def _reader(self) -> ColumnReader:
        """Reads this piece alone."""
        schema = Schema((self._column,))
        alone = Snapshot("", None, RowRuns(), Description(schema), pieces=(self._piece,))
        return snapshot_reader(self._core, alone, schema).column(self._column.name)

    async def _read(self, reader: ColumnReader, ids: Ids) -> None:
        """Some rows; fewer at a time where they are large."""
        located = await reader.index.locate(ids)
        if isinstance(self._column.type, Link):
            self._extents.add_nulls(len(ids), int((located.unit < 0).sum()))
            references_of(located)
            return
        if located.units.nbytes > _STEP_BYTES and len(ids) > 1:
            await self._read(reader, ids[: len(ids) // 2])
            await self._read(reader, ids[len(ids) // 2 :])
            return
        payloads = await reader.payloads(located, keep=False)
        faults = await self._core.session._pool.run(
            inspected, self._column.type, self._codec, located, payloads, self._extents
        )
        for fault in faults:
            self._report(located, ids, fault)

    def _report(self, located: Located, ids: Ids, fault: Fault) -> None:
        row, message = fault
        self._sound = False
        units = located.units
        first, last = int(located.unit[row]), int(located.unit[row]) + 1
        if first < 0 and row in located.parted:
            first, last = located.parted[row].first, located.parted[row].last
        text = f"column {self._column.name!r}, row id {ids[row]}: {message}; {_ADVICE}"
        if first < 0 or not units.length[first]:
            self._problems.add(self._holder, text)
            return
        stop = int(units.start[last - 1] + units.length[last - 1])
        key = units.keys[int(units.key[first])]
        self._problems.add(key, text, int(units.start[first]), stop)

    async def _check_statistics(self) -> None:
        stated, order = self._piece.stats, self._extents.order
        if stated is None:
            return
        pairs = [("its statistics say", stated, self._extents.whole)]
        if stated.zones is not None:
            zones = await read_zones(self._piece, self._core.fetcher)
            pairs += [
                (f"the statistics of zone {i} say", zone, found)
                for i, (zone, found) in enumerate(zip(zones, self._extents.zones, strict=True))
            ]
        for what, one, found in pairs:
            wrong = contradiction(one, found, order)
            if wrong is not None:
                self._add(f"{what} {wrong}; aiolake.optimize writes them anew")
