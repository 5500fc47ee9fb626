"""Values of an entry that may lie in ``lists/``: loading them, and putting long ones there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from aiolake.format.entry import (
    Blob,
    Description,
    Effects,
    Entry,
    ListRef,
    Piece,
    Refs,
    RowRuns,
    RunsValue,
    Snapshot,
)
from aiolake.format.keys import KeyRun, Records, encode_run, run_key
from aiolake.format.lists import (
    blob_key,
    decode_blob,
    decode_list,
    encode_blob,
    encode_list,
    list_key,
)
from aiolake.ranges import Runs
from aiolake.stores.base import Buffer
from aiolake.versions.steps import Steps, read_decoded

__all__ = [
    "Spill",
    "load_description",
    "load_lists",
    "load_names",
    "load_refs",
    "load_rows",
    "load_runs",
    "refs_with",
    "spill_description",
    "spill_effects",
    "spill_refs",
    "spill_rows",
]

T = TypeVar("T")

DESCRIPTION_BYTES = 4096
REFS_BYTES = 4096
RUNS_BYTES = 4096
EFFECTS_BYTES = 1024


@dataclass(slots=True)
class Spill:
    """Collects the objects that an entry being made needs beside it."""

    base: int
    new_id: Callable[[], str]
    objects: list[tuple[str, bytes]] = field(default_factory=list)

    def blob(self, value: Any) -> Blob:
        """Put a value into an object of its own."""
        blob, data = encode_blob(value, self.base, self.new_id())
        self.objects.append((blob_key(blob), data))
        return blob

    def pieces(self, pieces: tuple[Piece, ...]) -> ListRef:
        """Put pieces into a list."""
        ref, data = encode_list(pieces, self.base, self.new_id())
        self.objects.append((list_key(ref), data))
        return ref

    def run(self, records: Records) -> KeyRun:
        """Put records of keys into a run."""
        run, data = encode_run(records, self.base, self.new_id())
        self.objects.append((run_key(run), data))
        return run


def _nbytes(value: Any) -> int:
    return len(msgspec.json.encode(value))


def _load(blob: Blob, type: Any) -> Steps[Any]:
    def decode(_: int, data: Buffer) -> Any:
        return decode_blob(data, blob, type)

    (value,) = yield from read_decoded((blob_key(blob),), decode)
    return value


def load_description(snapshot: Snapshot) -> Steps[Description]:
    """A snapshot's columns and metadata."""
    if snapshot.listed_description is None:
        assert snapshot.description is not None
        return snapshot.description
    description: Description = yield from _load(snapshot.listed_description, Description)
    return description


def spill_description(description: Description, spill: Spill) -> Blob | None:
    """Where a long description lies; ``None`` for one that is short enough for an entry."""
    return spill.blob(description) if _nbytes(description) > DESCRIPTION_BYTES else None


def load_rows(rows: RowRuns) -> Steps[Runs]:
    """A snapshot's rows in order."""
    tail = Runs.from_flat(rows.tail)
    if rows.listed is None:
        return tail
    flat: tuple[int, ...] = yield from _load(rows.listed, tuple[int, ...])
    return Runs.from_flat(flat).concat(tail)


def spill_rows(rows: RowRuns, spill: Spill) -> Steps[RowRuns]:
    """Rows for an entry: a long tail is moved into ``lists/`` together with what is there."""
    if _nbytes(rows.tail) <= RUNS_BYTES:
        return rows
    runs = yield from load_rows(rows)
    return RowRuns(n=rows.n, listed=spill.blob(tuple(runs.flat())))


def load_refs(entry: Entry) -> Steps[Refs]:
    """The whole table of names, without names taken back."""
    refs = entry.refs
    if refs.listed is None:
        return refs
    listed: Refs = yield from _load(refs.listed, Refs)
    branches = {**listed.branches, **refs.branches}
    tags = {**listed.tags, **refs.tags}
    return Refs(
        {name: n for name, n in branches.items() if n is not None},
        {name: n for name, n in tags.items() if n is not None},
    )


def refs_with(entry: Entry, *, branch: str | None = None, tag: str | None = None) -> Steps[Refs]:
    """The table of names as far as it is needed to look these up."""
    inline = entry.refs
    known = (branch is None or branch in inline.branches) and (tag is None or tag in inline.tags)
    if known:
        return inline
    return (yield from load_refs(entry))


def spill_refs(entry: Entry, spill: Spill) -> Steps[Refs]:
    """A table for an entry; a long one is moved into ``lists/``, with what is there."""
    if _nbytes(entry.refs) <= REFS_BYTES:
        return entry.refs
    return Refs(listed=spill.blob((yield from load_refs(entry))))


def load_runs(value: RunsValue) -> Steps[Runs]:
    """Runs of row ids that an operation touched."""
    if not isinstance(value, Blob):
        return Runs.from_flat(value)
    flat: tuple[int, ...] = yield from _load(value, tuple[int, ...])
    return Runs.from_flat(flat)


def load_names(value: Blob | tuple[str, ...]) -> Steps[tuple[str, ...]]:
    """Ids that an entry names."""
    if not isinstance(value, Blob):
        return value
    names: tuple[str, ...] = yield from _load(value, tuple[str, ...])
    return names


def spill_effects(effects: Effects, spill: Spill) -> Effects:
    """Effects for an entry; long runs and lists of receipts lie in ``lists/``."""

    def short(value: T) -> T | Blob:
        long = not isinstance(value, Blob) and _nbytes(value) > EFFECTS_BYTES
        return spill.blob(value) if long else value

    return msgspec.structs.replace(
        effects,
        updated=short(effects.updated),
        deleted=short(effects.deleted),
        receipts=short(effects.receipts),
    )


def load_lists(lists: tuple[ListRef, ...]) -> Steps[tuple[Piece, ...]]:
    """Every piece of some lists, the oldest list first."""
    keys = tuple(list_key(ref) for ref in lists)
    loaded = yield from read_decoded(keys, lambda i, data: decode_list(data, lists[i]))
    return tuple(piece for pieces in loaded for piece in pieces)
