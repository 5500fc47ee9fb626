"""Which objects snapshots need, and which nobody can need any more.

Collection is fenced, not timed: a ``gc`` entry raises ``collect_below`` first; then every
transaction that began below it is refused, so an unreferenced object with a smaller base can
never become referenced. Only such objects are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from aiolake import keys
from aiolake.errors import CorruptDataError
from aiolake.format.entry import Blob, Entry, ListRef, LogState, Piece
from aiolake.format.keys import KeyRun, run_key
from aiolake.format.lists import blob_key, decode_list, list_key
from aiolake.format.manifest import block_ranges, check_block, decode_block
from aiolake.stores.base import Buffer
from aiolake.versions import rules
from aiolake.versions.blobs import load_refs
from aiolake.versions.head import held_numbers
from aiolake.versions.steps import DeleteObjects, Steps, list_objects, read_decoded, read_entries

__all__ = [
    "entry_at_time",
    "kept_snapshots",
    "keys_of",
    "manifest_key",
    "remove_unreferenced",
    "runs_of",
    "unreferenced",
]

_BATCH = 64


def manifest_key(piece: Piece) -> str | None:
    """Where a piece's manifest lies, if it is an object."""
    ref = piece.manifest
    return None if ref is None else keys.object_key(keys.MANIFESTS, ref.base, ref.id)


def kept_snapshots(head: Entry) -> Steps[tuple[Entry, ...]]:
    """Every snapshot that may still be opened, at the head ``head``."""
    refs = yield from load_refs(head)
    state = head.state
    recent = range(max(state.first, state.expire_below), head.n + 1)
    numbers = tuple(sorted({*held_numbers(refs), *recent}))
    found: list[Entry] = []
    for i in range(0, len(numbers), 4 * _BATCH):
        batch = numbers[i : i + 4 * _BATCH]
        for n, entry in zip(batch, (yield from read_entries(batch)), strict=True):
            if entry is None:
                key = keys.entry_key(n)
                raise CorruptDataError(f"log entry {key!r} is missing", key=key)
            if rules.takes_effect(head, entry):
                found.append(entry)
    return tuple(found)


def keys_of(entries: Iterable[Entry]) -> Steps[frozenset[str]]:
    """The keys of every list, manifest and chunk that some entries need.

    Cost: one GET for each distinct list and manifest.
    """
    wanted: set[str] = set()
    pieces: dict[Piece, None] = {}
    lists = {}
    for entry in entries:
        wanted.update(blob_key(blob) for blob in _blobs(entry))
        if entry.snapshot is not None:
            pieces.update(dict.fromkeys(entry.snapshot.pieces))
            lists.update({list_key(ref): ref for ref in entry.snapshot.lists})
            wanted.update(run_key(run) for run in runs_of(entry))
    for batch in _batches(tuple(lists)):
        refs = [lists[key] for key in batch]
        for found in (yield from read_decoded(batch, _list_decoder(refs))):
            pieces.update(dict.fromkeys(found))
    wanted.update(lists)
    wanted.update((yield from _keys_of_pieces(tuple(pieces))))
    return frozenset(wanted)


def _blobs(entry: Entry) -> Iterable[Blob]:
    effects, snapshot = entry.operation.effects, entry.snapshot
    found: list[object] = [
        entry.refs.listed, effects.updated, effects.deleted, effects.receipts
    ]  # fmt: skip
    if snapshot is not None:
        found += [snapshot.listed_description, snapshot.rows.listed]
    return (blob for blob in found if isinstance(blob, Blob))


def runs_of(entry: Entry) -> tuple[KeyRun, ...]:
    """The runs of the index of keys that a snapshot needs."""
    if entry.snapshot is None or entry.snapshot.keys is None:
        return ()
    return entry.snapshot.keys.runs


def _keys_of_pieces(pieces: tuple[Piece, ...]) -> Steps[set[str]]:
    wanted: set[str] = set()
    manifests: dict[str, Piece] = {}
    for piece in pieces:
        key = manifest_key(piece)
        if key is not None:
            manifests[key] = piece
        elif piece.inline is not None:
            wanted.update(decode_block(piece.inline, "an inline manifest").chunk_keys())
    for batch in _batches(tuple(manifests)):
        for found in (yield from read_decoded(batch, _chunks_decoder(batch, manifests))):
            wanted.update(found)
    return wanted | set(manifests)


def _list_decoder(refs: Sequence[ListRef]) -> Callable[[int, Buffer], tuple[Piece, ...]]:
    return lambda i, data: decode_list(data, refs[i])


def _chunks_decoder(
    batch: Sequence[str], manifests: Mapping[str, Piece]
) -> Callable[[int, Buffer], set[str]]:
    return lambda i, data: _chunks_of(manifests[batch[i]], batch[i], memoryview(data))


def _chunks_of(piece: Piece, key: str, data: memoryview) -> set[str]:
    assert piece.manifest is not None
    blocks = block_ranges(piece.manifest)
    found: set[str] = set()
    for start, stop, crc in zip(blocks.starts, blocks.stops, blocks.crcs, strict=True):
        check_block(data[start:stop], crc, key, start)
        found.update(decode_block(data[start:stop], key).chunk_keys())
    return found


def _batches(items: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (items[i : i + _BATCH] for i in range(0, len(items), _BATCH))


def unreferenced(wanted: frozenset[str], state: LogState) -> Steps[tuple[str, ...]]:
    """Keys of objects behind the fence that nobody wants."""
    found: list[str] = []
    for kind in (keys.LISTS, keys.MANIFESTS, keys.CHUNKS):
        token = None
        while True:
            page = yield from list_objects(f"{kind}/", 1000, token)
            if page is None:
                return tuple(found)
            for item in page.objects:
                base = keys.base_of_key(item.key)
                if base is None or item.key in wanted:
                    continue
                if rules.may_delete(base, state):
                    found.append(item.key)
            token = page.token
            if token is None:
                break
    return tuple(found)


def remove_unreferenced(head: Entry, *, dry_run: bool = False) -> Steps[tuple[str, ...]]:
    """Delete what no snapshot that may be opened needs, below the head's fence.

    ``head`` must have been read after the gc entry was created. Returns the keys.
    """
    closed = rules.is_closed(head)
    entries = () if closed else (yield from kept_snapshots(head))
    wanted = yield from keys_of(entries)
    unwanted = yield from unreferenced(wanted, head.state)
    if unwanted and not dry_run:
        yield DeleteObjects(unwanted)
    return unwanted


def entry_at_time(head: Entry, time: datetime) -> Steps[int]:
    """The number of the first entry after a time; one past the head if there is none."""
    text = rules.entry_time(time, None)
    low, high = head.state.first, head.n + 1
    while low < high:
        middle = (low + high) // 2
        (entry,) = yield from read_entries((middle,))
        if entry is not None and entry.time > text:
            high = middle
        else:
            low = middle + 1
    return low
