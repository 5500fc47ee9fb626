"""Actors that change a branch: writers, workers that merge, and optimize."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from aiolake import keys
from aiolake.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
)
from aiolake.format.entry import Entry, ManifestRef, Piece
from aiolake.format.manifest import pack_blocks
from aiolake.ranges import Runs
from aiolake.types import Constant
from aiolake.versions import commit as committing
from aiolake.versions import head as heads
from aiolake.versions.blobs import load_description, load_lists, load_rows
from aiolake.versions.delta import Delta, NewColumn
from aiolake.versions.head import Head
from aiolake.versions.intents import (
    Commit,
    Intent,
    Noop,
)
from aiolake.versions.keys import Hashes, KeyChanges
from aiolake.versions.merge import Merge
from aiolake.versions.steps import PutObjects, Steps
from tests.versions.opening import (
    TYPE,
    URL,
    Handle,
    found_head,
    must_be_gone,
    opened,
    read_all,
)
from tests.versions.oracle import Content, Op, Violation
from tests.versions.simulator import World


@dataclass(slots=True)
class Upload:
    """Objects of one transaction (or one worker of it) under one base."""

    world: World
    base: int
    objects: list[tuple[str, bytes]] = field(default_factory=list)

    def piece(self, column: int, rows: list[int], values: list[bytes]) -> Piece:
        """A piece whose samples lie in a chunk, its manifest inline or an object."""
        n = len(rows)
        id = self.world.new_id()
        self.objects.append((keys.object_key(keys.CHUNKS, self.base, id), b"".join(values)))
        block = struct.pack(
            f"<BIHBBQ26s{n}H{n}Q{n}Q{n}I", 0, n, 1, 0, 0, self.base, id.encode(),
            *[0] * n, *range(0, 4 * n, 4), *[4] * n, *[0] * n,
        )  # fmt: skip
        flat = tuple(number for row in rows for number in (row, 1))
        if self.world.rng.random() < 0.8:
            return Piece(column, flat, inline=block)
        manifest = ManifestRef(self.base, self.world.new_id(), pack_blocks([block]))
        self.objects.append((keys.object_key(keys.MANIFESTS, self.base, manifest.id), block))
        return Piece(column, flat, manifest=manifest)

    def send(self) -> Steps[None]:
        """Put the objects there."""
        if self.objects:
            yield PutObjects(tuple(self.objects))


def cell(world: World) -> bytes:
    """A value that no other cell has."""
    return struct.pack("<I", world.number())


def key_cell(world: World) -> bytes:
    """A key, which other rows may have."""
    return struct.pack("<I", world.rng.randrange(60))


def hashed(cells: list[Any]) -> Hashes:
    """Hashes of keys, spread over all numbers."""
    low = np.asarray([struct.unpack("<I", cell)[0] for cell in cells], np.uint64)
    return Hashes(low * np.uint64(0x9E3779B97F4A7C15), low)


def key_of(world: World, columns: Iterable[int]) -> int | None:
    """The key column, where there is one."""
    key = world.oracle.key
    return key if key is not None and key in columns else None


def keys_of(world: World, rows: list[dict[int, bytes | None]]) -> KeyChanges:
    """The keys of rows that are appended."""
    key = key_of(world, rows[0] if rows else ())
    return KeyChanges() if key is None else KeyChanges(appended=hashed([r[key] for r in rows]))


def made_op(world: World, kind: str, **more: Any) -> Op:
    """An op with a label of its own, known to the oracle."""
    label = f"{kind}-{world.number()}"
    op = Op(label, more.pop("write_id", None) or label, kind, **more)
    world.oracle.ops[label] = op
    return op


def publish(
    world: World, op: Op, intent: Intent, head: Head, seen: tuple[Entry, ...]
) -> Steps[committing.Committed | None]:
    """Commit, and hold whoever answered to what was answered."""
    world.note(op.label, op)
    context = committing.Context(URL, op.write_id, world.new_id)
    try:
        before = (yield from committing.find_done(head, op.write_id)) if op.shared_id else None
        if before is not None:
            done = committing.Committed(before, Head(before.n, before))
        else:
            done = yield from committing.commit(intent, head, seen, context)
    except OutcomeUnknownError as error:
        yield from asked_after(world, op, error.slot)
        return None
    except (
        AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, PermissionDeniedError
    ) as error:  # fmt: skip
        world.note(op.label, repr(error))
        if "key" in error.context:
            raise Violation("a commit finds what it needs", f"{op.label}: {error}") from error
        world.claim(op, None)
        return None
    world.claim(op, done.entry.n)
    return done


def asked_after(world: World, op: Op, slot: int) -> Steps[None]:
    """Find out what became of a commit, perhaps by filling its slot."""
    while world.rng.random() < 0.8:
        head = yield from found_head(world)
        found = yield from committing.find_commit(head, op.write_id, slot)
        if found.outcome is not committing.Outcome.PENDING:
            world.claim(op, found.n)
            return
        if head.entry is not None and world.rng.random() < 0.7:
            noop = made_op(world, "noop")
            yield from publish(world, noop, Noop(), head, ())


def pieces_for(
    world: World, upload: Upload, columns: list[int], n: int, first: int
) -> tuple[list[dict[int, bytes | None]], list[Piece]]:
    """Rows to append, in this order, and their pieces."""
    key = key_of(world, columns)
    values = [
        {column: key_cell(world) if column == key else cell(world) for column in columns}
        for _ in range(n)
    ]
    rows = list(range(first, first + n))
    pieces = [upload.piece(c, rows, [value[c] for value in values]) for c in columns]
    return [dict(value) for value in values], pieces


@dataclass(slots=True)
class Change:
    """A transaction being made."""

    world: World
    op: Op
    upload: Upload
    columns: dict[int, str]
    rows: list[int]
    delta: dict[str, Any] = field(default_factory=dict)
    new_keys: tuple[list[int], int, list[bytes]] | None = None

    def set_keys(self, snapshot: int) -> None:
        """What it does to keys, made on a snapshot."""
        changes = keys_of(self.world, self.op.appended)
        if self.new_keys is not None:
            rows, column, values = self.new_keys
            old = self.world.oracle.contents[snapshot].cells
            changes = msgspec.structs.replace(
                changes,
                updated=hashed(values),
                updated_rows=np.asarray(rows, np.int64),
                left=hashed([old[row, column] for row in rows]),
            )
        self.delta["keys"] = changes

    def append(self) -> None:
        """One or two rows."""
        self.op.appended, self.delta["pieces"] = _appended(self)
        self.delta["appended"] = len(self.op.appended)

    def update(self) -> None:
        """One column of one or two rows."""
        if not self.rows or not self.columns:
            return
        rows = self.world.rng.sample(self.rows, min(len(self.rows), 2))
        column = self.world.rng.choice(list(self.columns))
        is_key = column == key_of(self.world, self.columns)
        values = [key_cell(self.world) if is_key else cell(self.world) for _ in rows]
        if is_key:
            self.new_keys = rows, column, values
        self.op.updates = [(row, column, v) for row, v in zip(rows, values, strict=True)]
        self.delta["updates"] = (self.upload.piece(column, rows, values),)

    def delete(self) -> None:
        """One row that is not updated too."""
        free = [row for row in self.rows if row not in {row for row, _, _ in self.op.updates}]
        if free:
            self.op.deleted = (self.world.rng.choice(free),)
            self.delta["deleted"] = Runs.from_ids(self.op.deleted)

    def add_column(self) -> None:
        """A column with a default."""
        name, value = self.world.rng.choice(("x", "y", "z")), cell(self.world)
        if name not in self.columns.values():
            self.op.added = [(name, value)]
            self.delta["added"] = (NewColumn(-1, name, TYPE, Constant(value)),)

    def rename_column(self) -> None:
        """Another name for a column."""
        name = self.world.rng.choice(("x", "y", "z"))
        if self.columns and name not in self.columns.values() and not self.op.added:
            self.op.renamed = {self.world.rng.choice(list(self.columns)): name}
            self.delta["renamed"] = self.op.renamed

    def drop_column(self) -> None:
        """One column less."""
        if len(self.columns) > 1 and not self.op.updates and not self.op.renamed:
            key = key_of(self.world, self.columns)
            free = [column for column in self.columns if column != key]
            self.op.dropped = (self.world.rng.choice(free),)
            self.delta["dropped"] = self.op.dropped

    def metadata(self) -> None:
        """One key of the dataset's."""
        self.op.metadata = {self.world.rng.choice("ab"): self.world.number()}
        self.delta["metadata"] = self.op.metadata


def _appended(change: Change) -> tuple[list[dict[int, bytes | None]], tuple[Piece, ...]]:
    n = change.world.rng.choice((1, 2))
    rows, pieces = pieces_for(change.world, change.upload, list(change.columns), n, 0)
    return rows, tuple(pieces)


CHANGES: dict[str, Callable[[Change], None]] = {
    "append": Change.append,
    "update": Change.update,
    "delete": Change.delete,
    "add column": Change.add_column,
    "rename column": Change.rename_column,
    "drop column": Change.drop_column,
    "metadata": Change.metadata,
}
USUAL = ("append", "append", "append", "update", "update", "delete", *CHANGES)


def based(world: World, handle: Handle) -> Steps[tuple[Head, tuple[Entry, ...]]]:
    """Read forward: what the first upload of a transaction begins with."""
    return (yield from heads.read_forward(handle.head))


def transaction(
    world: World, handle: Handle, kinds: tuple[str, ...], write_id: str | None = None
) -> Steps[Handle | None]:
    """Change a branch: base, upload, commit. The handle after it, if it was committed."""
    before = handle.snapshot
    assert before.snapshot is not None
    description = yield from load_description(before.snapshot)
    rows = (yield from load_rows(before.snapshot.rows)).ids().tolist()
    head, seen = yield from based(world, handle)
    op = made_op(
        world, "commit", opened=handle.head.n, branch=handle.branch,
        shared_id=write_id is not None, write_id=write_id,
    )  # fmt: skip
    columns = {column.id: column.name for column in description.schema.columns}
    change = Change(world, op, Upload(world, head.n), columns, rows)
    for kind, make in CHANGES.items():
        if kind in kinds:
            make(change)
    if not change.delta:
        change.append()
    change.set_keys(before.n)
    return (yield from finished(world, handle, change, head, seen))


def finished(
    world: World, handle: Handle, change: Change, head: Head, seen: tuple[Entry, ...]
) -> Steps[Handle | None]:
    """Upload what a change holds and commit it."""
    upload, switches = change.upload, world.switches
    if switches.upload_first:
        yield from upload.send()
    if world.rng.random() < 0.5 or not switches.base_at_first_upload:
        head, more = yield from heads.read_forward(head)
        seen = (*seen, *more)
    intent = Commit(
        on_branch=handle.branch, delta=Delta(**change.delta), message=change.op.label,
        base=upload.base if switches.base_at_first_upload else head.n,
    )  # fmt: skip
    done = yield from publish(world, change.op, intent, head, seen)
    if not switches.upload_first:
        yield from upload.send()
    if done is None:
        return None
    return Handle(handle.branch, done.head, done.entry)


def writer(world: World, branch: str, n_changes: int) -> Steps[None]:
    """Several transactions one after another on one handle."""
    handle = yield from opened(world, branch)
    for _ in range(n_changes):
        after = yield from changed(world, handle)
        handle = after or (yield from opened(world, branch))


def changed(world: World, handle: Handle, write_id: str | None = None) -> Steps[Handle | None]:
    """One transaction of some kinds of changes."""
    usual = world.kinds or USUAL
    kinds = tuple(world.rng.choice(usual) for _ in range(world.rng.choice((1, 1, 2))))
    try:
        return (yield from transaction(world, handle, kinds, write_id))
    except NotFoundError as error:
        must_be_gone(world, error, handle.snapshot.n, handle.dataset)
        return None


def given_job(world: World, branch: str) -> Steps[None]:
    """A transaction with a write id that other actors use too, then one on the same handle."""
    handle = yield from opened(world, "main")
    after = yield from changed(world, handle, "job")
    if after is not None:
        yield from changed(world, after)


def optimizer(world: World, branch: str) -> Steps[None]:
    """Write all of a snapshot anew."""
    handle = yield from opened(world, branch)
    snapshot = handle.snapshot.snapshot
    assert snapshot is not None
    try:
        content = yield from read_all(handle.snapshot)
        pieces = (*(yield from load_lists(snapshot.lists)), *snapshot.pieces)
    except NotFoundError as error:
        must_be_gone(world, error, handle.snapshot.n, handle.dataset)
        return
    if not pieces or not content.rows:
        return
    head, seen = yield from based(world, handle)
    op = made_op(world, "commit", opened=handle.head.n, branch=branch, optimized=True)
    change = Change(world, op, Upload(world, head.n), {}, [])
    change.delta = {"replaced": pieces, "replacements": _rewritten(change.upload, content)}
    change.delta["compacts_keys"] = world.oracle.key is not None
    yield from finished(world, handle, change, head, seen)


def _rewritten(upload: Upload, content: Content) -> tuple[Piece, ...]:
    made = []
    for column in content.columns:
        values = [content.cells[row, column] for row in content.rows]
        if all(value is not None for value in values):
            made.append(upload.piece(column, content.rows, [v or b"" for v in values]))
        else:
            made += [
                Piece(column, (row, 1), constant=Constant(value))
                for row, value in zip(content.rows, values, strict=True)
            ]
    return tuple(made)


def merger(world: World, branch: str) -> Steps[None]:
    """Two workers upload at different times; one commit publishes both."""
    handle = yield from opened(world, branch)
    assert handle.snapshot.snapshot is not None
    description = yield from load_description(handle.snapshot.snapshot)
    columns = [column.id for column in description.schema.columns]
    op = made_op(world, "commit", opened=handle.head.n, branch=branch)
    head, seen = yield from based(world, handle)
    pieces: list[Piece] = []
    bases = []
    for i in range(2):
        upload = Upload(world, head.n)
        rows, new = pieces_for(world, upload, columns, 1, i)
        op.appended += rows
        pieces += new
        bases.append(head.n)
        yield from upload.send()
        head, more = yield from heads.read_forward(head)
        seen = (*seen, *more)
    delta = Delta(appended=2, pieces=tuple(pieces), keys=keys_of(world, op.appended))
    base = min(bases) if world.switches.smallest_base else max(bases)
    intent = Commit(on_branch=branch, delta=delta, base=base, message=op.label)
    yield from publish(world, op, intent, head, seen)


def uniter(world: World, branch: str) -> Steps[None]:
    """Merge the other branch into one, twice."""
    for into, other in ((branch, "dev" if branch == "main" else "main"),) * 2:
        handle = yield from opened(world, into)
        source = yield from opened(world, other)
        n, head = source.snapshot.n, handle.head
        op = made_op(world, "merge", opened=head.n, branch=into, target=n, source=other)
        intent = Merge(on_branch=into, snapshot=n, source=other, message=op.label)
        yield from publish(world, op, intent, head, ())
        yield from writer(world, other, 1)
