"""Verifying a dataset: every byte, and on request every sample."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from aiolake import keys, urls
from aiolake._aio import map_concurrently
from aiolake.chunks.plan import Fetch, Units, coalesce
from aiolake.chunks.zones import read_zones
from aiolake.dataset.attach import with_core
from aiolake.dataset.dataset import Dataset, require_handle
from aiolake.dataset.inspection import inspect
from aiolake.dataset.newest import Newest, newest_of
from aiolake.dataset.problems import Problem, Problems
from aiolake.dataset.session import Borrowed, Session
from aiolake.dataset.state import Core
from aiolake.errors import AiolakeError, InvalidInputError
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Blob, Entry, ListRef, ManifestRef, Piece, decode_entry
from aiolake.format.keys import KeyRun, decode_run, run_key
from aiolake.format.lists import blob_key, check_list, decode_list, list_key
from aiolake.format.manifest import REFERRED, Block, block_ranges, check_block, decode_block
from aiolake.format.statistics import decode_zones
from aiolake.stores.base import CostModel
from aiolake.versions.blobs import load_refs
from aiolake.versions.collect import runs_of
from aiolake.versions.head import held_numbers

__all__ = ["Depth", "Verified", "verify"]

Depth: TypeAlias = Literal["bytes", "samples"]
_PARALLEL = 16


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
        n_samples: Samples decoded, at the depth ``"samples"``.
    """

    n_entries: int
    n_snapshots: int
    n_objects: int
    nbytes: int
    problems: tuple[Problem, ...]
    n_references: int = 0
    n_samples: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


async def verify(
    dataset: Dataset | str | os.PathLike[str],
    *,
    depth: Depth = "bytes",
    creds: Any = None,
    session: Session | None = None,
) -> Verified:
    """Read every byte that any snapshot needs which may be opened, and check every checksum.

    Nothing is raised for damage: it is listed.

    Args:
        dataset: Any handle of it; or its address, which works too where the newest entry of the
            log is damaged, so that the dataset cannot be opened.
        depth: ``"bytes"``; or ``"samples"``: also decode every sample, and hold shape numbers,
            labels, statistics and the index of keys against what decodes, and pieces against rows.
            Of keys the snapshots are checked that a branch or a tag names.
        creds: See ``open_dataset``; for an address.
        session: Likewise.

    Raises:
        MissingExtraError: Samples are of a type that is decoded by an extra.

    Cost: reads the whole log and every object that is referenced; ``"samples"`` reads payloads
    twice, and keeps some 16 MiB of them for each decoding thread, and a byte for each row.
    """
    if depth not in ("bytes", "samples"):
        raise InvalidInputError(f"depth is 'bytes' or 'samples', got {depth!r}")
    if not isinstance(dataset, str | os.PathLike):
        require_handle(dataset, "verify")
        newest = await newest_of(dataset._core, dataset._state.head)
        if newest.entry is not None and newest.whole:
            dataset._require_same(newest.head)
        return await _Verifier(dataset._core).run(newest, depth)

    async def verified(core: Core, held: Borrowed) -> Verified:
        try:
            return await _Verifier(core).run(await newest_of(core), depth)
        finally:
            await held.aclose_after(core.store)

    return await with_core(urls.parse(dataset), creds, session, None, verified)


class _Verifier:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._problems = Problems()
        self._note = self._problems.note
        self._objects: set[str] = set()
        self._nbytes = 0
        self._n_references = 0
        self._lists: dict[str, tuple[Piece, ...]] = {}

    async def run(self, newest: Newest, depth: Depth) -> Verified:
        head = newest.entry
        first = newest.n if head is None else head.state.first
        numbers = range(first, newest.n + 1)
        entries = await map_concurrently(self._entry, numbers, limit=_PARALLEL)
        snapshots, named = [], frozenset[int]()
        n_samples = 0
        if head is not None:
            named = await self._named(head)
            held = {*named, *range(max(1, head.state.expire_below), newest.n + 1)}
            kept = [
                e for e in entries if e is not None and e.n in held and e.dataset == head.dataset
            ]
            snapshots = [entry for entry in kept if entry.snapshot is not None]
            await self._blobs(kept)
            await self._runs(snapshots)
            pieces = await self._pieces(snapshots)
            sound = await map_concurrently(self._piece, pieces, limit=_PARALLEL)
            if depth == "samples":
                readable = {p: pieces[p] for p, ok in zip(pieces, sound, strict=True) if ok}
                n_samples = await inspect(
                    self._core, snapshots, named, self._lists, readable, self._problems
                )
        return Verified(
            n_entries=len(numbers),
            n_snapshots=len(snapshots),
            n_objects=len(self._objects),
            nbytes=self._nbytes,
            problems=self._problems.all(),
            n_references=self._n_references,
            n_samples=n_samples,
        )

    async def _named(self, head: Entry) -> frozenset[int]:
        """The snapshots that names hold."""
        try:
            return frozenset(held_numbers(await self._core.log.run(load_refs(head))))
        except AiolakeError as error:
            self._note(keys.entry_key(head.n), error)
            return frozenset()

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

    async def _pieces(self, snapshots: Iterable[Entry]) -> dict[Piece, str]:
        """Every piece, with the object that holds it."""
        pieces: dict[Piece, str] = {}
        lists: dict[str, ListRef] = {}
        for entry in snapshots:
            assert entry.snapshot is not None
            for piece in entry.snapshot.pieces:
                pieces.setdefault(piece, keys.entry_key(entry.n))
            lists.update({list_key(ref): ref for ref in entry.snapshot.lists})

        async def load(item: tuple[str, ListRef]) -> None:
            key, ref = item
            self._objects.add(key)
            try:
                data = await self._store.get(key)
                self._lists[key] = decode_list(data, ref)
                check_list(data, ref)
            except AiolakeError as error:
                self._note(key, error)
                return
            pieces.update(dict.fromkeys(self._lists[key], key))

        await map_concurrently(load, lists.items(), limit=_PARALLEL)
        return pieces

    async def _piece(self, piece: Piece) -> bool:
        """Check what a piece names; whether all of it is sound."""
        if piece.manifest is not None:
            return await self._manifest(piece, piece.manifest)
        if piece.inline is None:
            return True
        where = "an inline manifest"
        try:
            block = decode_block(piece.inline, where)
            if piece.stats is not None and piece.stats.zones is not None:
                await read_zones(piece, self._core.fetcher)  # from the piece itself
        except AiolakeError as error:
            self._note(where, error)
            return False
        return await self._block(block)

    async def _manifest(self, piece: Piece, ref: ManifestRef) -> bool:
        key = keys.object_key(keys.MANIFESTS, ref.base, ref.id)
        self._objects.add(key)
        blocks = block_ranges(ref)
        sound = True
        for start, stop, crc in zip(blocks.starts, blocks.stops, blocks.crcs, strict=True):
            try:
                data = await self._store.get_range(key, start, stop)
                check_block(data, crc, key, start)
                block = decode_block(data, key)
            except AiolakeError as error:
                self._note(key, error)
                sound = False
            else:
                sound &= await self._block(block)
        return await self._zones(piece, key, blocks.stops[-1] if blocks.stops else 0) and sound

    async def _zones(self, piece: Piece, key: str, start: int) -> bool:
        """The statistics behind a manifest's blocks."""
        ref = None if piece.stats is None else piece.stats.zones
        if ref is None:
            return True
        try:
            data = await self._store.get_range(key, start, start + ref.length)
            check_block(data, ref.crc, key, start)
            decode_zones(data, -(-piece.n_rows // ref.rows), key)
        except AiolakeError as error:
            self._note(key, error)
            return False
        return True

    async def _block(self, block: Block) -> bool:
        if block.source is not None:
            self._n_references += int((block.source >= 0).sum())
        units = _units(block)
        self._objects.update(units.keys)
        cost = CostModel(self._store.cost.gap_bytes, 8 << 20)
        found = [await self._fetch(fetch, units) for fetch in coalesce(units, cost)]
        return all(found)

    async def _fetch(self, fetch: Fetch, units: Units) -> bool:
        try:
            data = memoryview(await self._store.get_range(fetch.key, fetch.start, fetch.stop))
        except AiolakeError as error:
            self._note(fetch.key, error)
            return False
        found = [self._check_unit(fetch, units, u, data) for u in fetch.units]
        return all(found)

    def _check_unit(self, fetch: Fetch, units: Units, u: int, data: memoryview) -> bool:
        start, length = int(units.start[u]), int(units.length[u])
        at = start - fetch.start
        payload = data[at : at + length]
        self._nbytes += length
        if len(payload) == length and crc32c(payload) == int(units.crc[u]):
            return True
        self._problems.add(
            fetch.key,
            f"bytes {start}..{start + length} of {fetch.key!r} do not match their checksum or are "
            "missing; restore the object from a copy",
            start,
            start + length,
        )
        return False


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
