"""Upkeep: expiring snapshots, collecting garbage, verifying every byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import numpy as np

from aiolake import keys
from aiolake._aio import map_concurrently
from aiolake.chunks.plan import Fetch, Units, coalesce
from aiolake.dataset.dataset import Dataset, require_handle
from aiolake.dataset.state import Core
from aiolake.errors import AiolakeError, InvalidInputError, NotFoundError
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Blob, Entry, ListRef, Piece, decode_entry
from aiolake.format.keys import KeyRun, decode_run, run_key
from aiolake.format.lists import blob_key, decode_list, list_key
from aiolake.format.manifest import REFERRED, Block, block_ranges, check_block, decode_block
from aiolake.format.statistics import decode_zones
from aiolake.stores.base import CostModel
from aiolake.versions import rules
from aiolake.versions.blobs import load_refs
from aiolake.versions.collect import entry_at_time, manifest_key, remove_unreferenced, runs_of
from aiolake.versions.commit import Context
from aiolake.versions.head import Head, held_numbers, require_dataset
from aiolake.versions.intents import Collect, Expire

__all__ = ["Collected", "Problem", "Verified", "expire", "gc", "verify"]

DEFAULT_GRACE = timedelta(days=1)
_PARALLEL = 16


async def expire(
    dataset: Dataset, *, older_than: timedelta | None = None, below: int | None = None
) -> int:
    """Let go of old snapshots: they may be opened no more, and ``gc`` may remove their objects.

    Snapshots that a branch or tag names are kept.

    Args:
        dataset: Any handle of it.
        older_than: Snapshots that were committed longer ago than this.
        below: Or snapshots with a smaller number.

    Returns:
        The number below which snapshots are expired now.
    """
    require_handle(dataset, "expire")
    if (older_than is None) == (below is None):
        raise InvalidInputError("expire() takes older_than or below, one of them")
    if older_than is not None:
        _check_period("older_than", older_than)
    below = None if below is None else keys.check_snapshot(below)
    core = dataset._core
    head, _ = await core.log.forward(dataset._state.head)
    entry = dataset._require_same(head)
    if below is None:
        assert older_than is not None
        cutoff = core.session._clock.now() - older_than
        below = await core.log.run(entry_at_time(entry, cutoff))
    intent = Expire(below=below)
    committed = await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
    return committed.entry.state.expire_below


def _check_period(name: str, period: object) -> None:
    if not isinstance(period, timedelta):
        raise InvalidInputError(f"{name} is a datetime.timedelta, got {period!r}")
    if period < timedelta(0):
        raise InvalidInputError(f"{name} must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What ``gc`` removed, or would remove.

    Attributes:
        keys: The objects.
        below: Transactions that began below this entry can commit no more.
        dry_run: Nothing was removed, and no entry was written.
        n_temporaries: Unfinished files of killed writers removed (local stores).
    """

    keys: tuple[str, ...]
    below: int
    dry_run: bool
    n_temporaries: int = 0


async def gc(
    dataset: Dataset, *, grace: timedelta = DEFAULT_GRACE, dry_run: bool = False
) -> Collected:
    """Remove objects that no snapshot needs which may still be opened.

    First an entry raises a fence: transactions that began before the grace period are refused
    from then on. So nothing that is removed can ever be needed, whatever the clocks say.

    Args:
        dataset: Any handle of it.
        grace: Transactions younger than this may go on. ``timedelta(0)`` ends all of them.
        dry_run: Only say what would be removed.

    Cost: one GET for each snapshot, list and manifest that may still be opened, and a listing.
    """
    require_handle(dataset, "gc")
    _check_period("grace", grace)
    core = dataset._core
    head, _ = await core.log.forward(dataset._state.head)
    entry = dataset._require_same(head)
    below: int | None = None
    if grace:
        cutoff = core.session._clock.now() - grace
        below = max(entry.state.first, await core.log.run(entry_at_time(entry, cutoff)) - 1)
    if dry_run:
        fenced = _fenced(entry, head.n + 1 if below is None else below)
        unwanted = await core.log.run(remove_unreferenced(fenced, dry_run=True))
        return Collected(keys=unwanted, below=fenced.state.collect_below, dry_run=True)
    intent = Collect(below=below)
    committed = await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
    newest, removed = await _remove(core, committed.head)
    clean = getattr(core.store.inner, "clean_temporaries", None)
    n_temporaries = 0 if clean is None else await clean(grace)
    return Collected(
        keys=removed,
        below=newest.state.collect_below,
        dry_run=False,
        n_temporaries=n_temporaries,
    )


async def _remove(core: Core, head: Head) -> tuple[Entry, tuple[str, ...]]:
    """Remove what the newest head does not need; again where another gc was faster."""
    while True:
        head, _ = await core.log.forward(head)
        entry = require_dataset(head, core.url)
        try:
            return entry, await core.log.run(remove_unreferenced(entry))
        except NotFoundError:
            # What this head kept was expired and collected meanwhile: a newer one says so.
            newer, _ = await core.log.forward(head)
            if newer.n == head.n:
                raise
            head = newer


def _fenced(entry: Entry, below: int) -> Entry:
    """An entry as it would be with its fence raised."""
    return msgspec.structs.replace(entry, state=rules.raised(entry.state, collect_below=below))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with an object.

    Attributes:
        key: The object.
        message: What is wrong, and what to do.
        start: First byte concerned, where known.
        stop: One past the last.
    """

    key: str
    message: str
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What ``verify`` saw.

    Attributes:
        n_entries: Log entries read.
        n_snapshots: Of these, snapshots that may be opened.
        n_objects: Lists, manifests and chunks read.
        nbytes: Payload bytes checked.
        problems: What is wrong; empty for a sound dataset.
        n_references: Samples that lie outside the dataset: those are not read.
    """

    n_entries: int
    n_snapshots: int
    n_objects: int
    nbytes: int
    problems: tuple[Problem, ...]
    n_references: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


async def verify(dataset: Dataset) -> Verified:
    """Read every byte that any snapshot needs which may be opened, and check every checksum.

    Nothing is raised for damage: it is listed.

    Cost: reads the whole log and every object that is referenced.
    """
    require_handle(dataset, "verify")
    head, _ = await dataset._core.log.forward(dataset._state.head)
    return await _Verifier(dataset._core).run(dataset._require_same(head))


class _Verifier:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._problems: list[Problem] = []
        self._objects: set[str] = set()
        self._nbytes = 0
        self._n_references = 0

    async def run(self, head: Entry) -> Verified:
        numbers = range(head.state.first, head.n + 1)
        entries = await map_concurrently(self._entry, numbers, limit=_PARALLEL)
        refs = await self._core.log.run(load_refs(head))
        held = {*held_numbers(refs), *range(max(1, head.state.expire_below), head.n + 1)}
        kept = [e for e in entries if e is not None and e.n in held and e.dataset == head.dataset]
        snapshots = [entry for entry in kept if entry.snapshot is not None]
        await self._blobs(kept)
        await self._runs(snapshots)
        pieces = await self._pieces(snapshots)
        await map_concurrently(self._piece, pieces, limit=_PARALLEL)
        return Verified(
            n_entries=len(numbers),
            n_snapshots=len(snapshots),
            n_objects=len(self._objects),
            nbytes=self._nbytes,
            problems=tuple(self._problems),
            n_references=self._n_references,
        )

    def _note(self, key: str, error: AiolakeError) -> None:
        context = error.context
        self._problems.append(
            Problem(
                key=context.get("key", key),
                message=error.message,
                start=context.get("start"),
                stop=context.get("stop"),
            )
        )

    async def _entry(self, n: int) -> Entry | None:
        key = keys.entry_key(n)
        try:
            return decode_entry(await self._store.get(key), key)
        except AiolakeError as error:
            self._note(key, error)
            return None

    async def _blobs(self, entries: Iterable[Entry]) -> None:
        blobs: dict[str, Blob] = {}
        for entry in entries:
            effects, snapshot = entry.operation.effects, entry.snapshot
            found: list[object] = [
                entry.refs.listed, effects.updated, effects.deleted, effects.receipts
            ]  # fmt: skip
            if snapshot is not None:
                found += [snapshot.listed_description, snapshot.rows.listed]
            blobs.update({blob_key(b): b for b in found if isinstance(b, Blob)})

        async def check(item: tuple[str, Blob]) -> None:
            key, blob = item
            self._objects.add(key)
            try:
                check_block(await self._store.get(key), blob.crc, key, 0)
            except AiolakeError as error:
                self._note(key, error)

        await map_concurrently(check, blobs.items(), limit=_PARALLEL)

    async def _runs(self, snapshots: Iterable[Entry]) -> None:
        """The index of keys."""
        runs = {run_key(run): run for entry in snapshots for run in runs_of(entry)}

        async def check(item: tuple[str, KeyRun]) -> None:
            key, run = item
            self._objects.add(key)
            try:
                decode_run(await self._store.get(key), run)
            except AiolakeError as error:
                self._note(key, error)

        await map_concurrently(check, runs.items(), limit=_PARALLEL)

    async def _pieces(self, snapshots: Iterable[Entry]) -> list[Piece]:
        pieces: dict[Piece, None] = {}
        lists: dict[str, ListRef] = {}
        for entry in snapshots:
            assert entry.snapshot is not None
            pieces.update(dict.fromkeys(entry.snapshot.pieces))
            lists.update({list_key(ref): ref for ref in entry.snapshot.lists})

        async def load(item: tuple[str, ListRef]) -> None:
            key, ref = item
            self._objects.add(key)
            try:
                pieces.update(dict.fromkeys(decode_list(await self._store.get(key), ref)))
            except AiolakeError as error:
                self._note(key, error)

        await map_concurrently(load, lists.items(), limit=_PARALLEL)
        return list(pieces)

    async def _piece(self, piece: Piece) -> None:
        if piece.inline is not None:
            await self._block(decode_block(piece.inline, "an inline manifest"))
        key = manifest_key(piece)
        if key is None:
            return
        assert piece.manifest is not None
        self._objects.add(key)
        blocks = block_ranges(piece.manifest)
        for start, stop, crc in zip(blocks.starts, blocks.stops, blocks.crcs, strict=True):
            try:
                data = await self._store.get_range(key, start, stop)
                check_block(data, crc, key, start)
                block = decode_block(data, key)
            except AiolakeError as error:
                self._note(key, error)
            else:
                await self._block(block)
        await self._zones(piece, key, blocks.stops[-1])

    async def _zones(self, piece: Piece, key: str, start: int) -> None:
        """The statistics behind a manifest's blocks."""
        ref = None if piece.stats is None else piece.stats.zones
        if ref is None:
            return
        try:
            data = await self._store.get_range(key, start, start + ref.length)
            check_block(data, ref.crc, key, start)
            decode_zones(data, -(-piece.n_rows // ref.rows), key)
        except AiolakeError as error:
            self._note(key, error)

    async def _block(self, block: Block) -> None:
        if block.source is not None:
            self._n_references += int((block.source >= 0).sum())
        units = _units(block)
        self._objects.update(units.keys)
        cost = CostModel(self._store.cost.gap_bytes, 8 << 20)
        for fetch in coalesce(units, cost):
            await self._fetch(fetch, units)

    async def _fetch(self, fetch: Fetch, units: Units) -> None:
        try:
            data = memoryview(await self._store.get_range(fetch.key, fetch.start, fetch.stop))
        except AiolakeError as error:
            self._note(fetch.key, error)
            return
        for u in fetch.units:
            start, length = int(units.start[u]), int(units.length[u])
            at = start - fetch.start
            payload = data[at : at + length]
            self._nbytes += length
            if len(payload) != length or crc32c(payload) != int(units.crc[u]):
                self._problems.append(
                    Problem(
                        key=fetch.key,
                        message=f"bytes {start}..{start + length} of {fetch.key!r} do not match "
                        "their checksum or are missing; restore the object from a copy",
                        start=start,
                        stop=start + length,
                    )
                )


def _units(block: Block) -> Units:
    """Every payload range a block names, of entries and of parts."""
    whole = np.asarray(block.chunk) < REFERRED
    columns = [(block.chunk[whole], block.offset[whole], block.length[whole], block.crc[whole])]
    if block.parts is not None:
        parts = block.parts
        columns.append((parts.chunk, parts.offset, parts.length, parts.crc))
    key, start, length, crc = (
        np.concatenate([column[i] for column in columns]).astype(np.int64) for i in range(4)
    )
    return Units(block.chunk_keys(), key, start, length, crc)
