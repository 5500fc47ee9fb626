"""What the actors of a schedule do: each is a generator that goes through shipped protocols."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
from aiolake.types import Column, Constant, Schema, Tensor
from aiolake.versions import collect as collecting
from aiolake.versions import commit as committing
from aiolake.versions import head as heads
from aiolake.versions.blobs import load_description, load_lists, load_rows, refs_with
from aiolake.versions.delta import Delta, NewColumn
from aiolake.versions.head import EMPTY_LOG, Head
from aiolake.versions.intents import (
    Close,
    Collect,
    Commit,
    Create,
    Expire,
    Intent,
    Noop,
    Restore,
    SetBranch,
    SetTag,
)
from aiolake.versions.steps import PutObjects, ReadObjects, Steps
from tests.versions.oracle import Content, Op, Violation
from tests.versions.simulator import ShortValues, Switches, World

T = TypeVar("T")
URL = "mem://world"
TYPE = Tensor("int32")


class Gone(Exception):
    """There is nothing left for an actor to do: no dataset, or no branch."""


@dataclass(slots=True)
class Handle:
    """A branch as an actor last saw it."""

    branch: str
    head: Head
    snapshot: Entry

    @property
    def dataset(self) -> str:
        """The dataset it belongs to."""
        return self.snapshot.dataset


# Opening and reading


def found_head(world: World) -> Steps[Head]:
    """The head; every commit that ended before this began must be seen."""
    floor = world.n
    head = yield from heads.find_head(world.weather.listing)
    if head.n < floor:
        raise Violation("an open sees what was committed", f"{head.n}, not {floor}")
    return head


def opened(world: World, branch: str) -> Steps[Handle]:
    """Open a branch; what is missed because it was collected meanwhile is looked for again."""
    while True:
        head = yield from found_head(world)
        try:
            entry = heads.require_dataset(head, URL)
            snapshot = yield from heads.snapshot_of_branch(entry, branch)
        except NotFoundError as error:
            if "key" not in error.context:
                raise Gone from error
            must_be_gone(world, error, head.n, head.entry.dataset if head.entry else "")
        else:
            return Handle(branch, head, snapshot)


def must_be_gone(world: World, error: NotFoundError, n: int, dataset: str) -> None:
    """A missing object is right only where the head explains it."""
    if not world.oracle.explains(n, dataset):
        raise Violation("an entry misses an object", f"entry {n}: {error}")


def reader(world: World, branch: str) -> Steps[None]:
    """Open the head, a tag or an older snapshot, and read everything."""
    handle = yield from opened(world, branch)
    entry = handle.head.entry
    assert entry is not None
    snapshot = handle.snapshot
    try:
        which = world.rng.random()
        if which < 0.3:
            tag = world.rng.choice(("v1", "v2"))
            snapshot = yield from heads.snapshot_of_tag(entry, tag)
        elif which < 0.6:
            number = world.rng.randrange(entry.state.first, entry.n + 1)
            snapshot = yield from heads.snapshot_of(entry, number)
        content = yield from read_all(snapshot)
    except NotFoundError as error:
        if "key" in error.context:
            must_be_gone(world, error, snapshot.n, snapshot.dataset)
        return
    if not content.same(world.oracle.contents[snapshot.n]):
        raise Violation("a snapshot is its log replayed", f"as {snapshot.n} is read")


def read_all(entry: Entry) -> Steps[Content]:
    """Everything in a snapshot, each object fetched by a request of its own."""
    snapshot = entry.snapshot
    assert snapshot is not None
    description = yield from load_description(snapshot)
    rows = (yield from load_rows(snapshot.rows)).ids().tolist()
    pieces = (*(yield from load_lists(snapshot.lists)), *snapshot.pieces)
    columns = {c.id: (c.name, c.default.payload) for c in description.schema.columns}
    content = Content(rows, {}, columns, dict(description.metadata))
    present = set(rows)
    for piece in pieces:
        if piece.column in columns:
            cells = yield from read_piece(piece)
            content.cells.update({key: v for key, v in cells.items() if key[0] in present})
    return content


def read_piece(piece: Piece) -> Steps[dict[tuple[int, int], bytes | None]]:
    """The samples of a piece."""
    ids = Runs.from_flat(piece.rows).ids().tolist()
    if piece.constant is not None:
        return {(id, piece.column): piece.constant.payload for id in ids}
    block: Any = piece.inline
    if piece.manifest is not None:
        key = collecting.manifest_key(piece)
        assert key is not None
        (block,) = yield ReadObjects((key,))
    base, id = struct.unpack_from("<Q26s", block, 9)
    (data,) = yield ReadObjects((keys.object_key(keys.CHUNKS, base, id.decode()),))
    offsets = struct.unpack_from(f"<{len(ids)}Q", block, 43 + 2 * len(ids))
    cells = zip(ids, offsets, strict=True)
    return {(row, piece.column): bytes(data[at : at + 4]) for row, at in cells}


# Writing


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
    context = committing.Context(URL, op.write_id, op.shared_id, world.new_id)
    try:
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
    values = [{column: cell(world) for column in columns} for _ in range(n)]
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
        values = [cell(self.world) for _ in rows]
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
            self.op.dropped = (self.world.rng.choice(list(self.columns)),)
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
    if done is None or done.entry is not done.head.entry:
        return None
    return Handle(handle.branch, done.head, done.entry)


def writer(world: World, branch: str, n_changes: int, write_id: str | None = None) -> Steps[None]:
    """Several transactions one after another on one handle."""
    handle = yield from opened(world, branch)
    for _ in range(n_changes):
        usual = world.kinds or USUAL
        kinds = tuple(world.rng.choice(usual) for _ in range(world.rng.choice((1, 1, 2))))
        try:
            after = yield from transaction(world, handle, kinds, write_id)
        except NotFoundError as error:
            must_be_gone(world, error, handle.snapshot.n, handle.dataset)
            after = None
        handle = after or (yield from opened(world, branch))


def given_job(world: World, branch: str) -> Steps[None]:
    """One transaction with a write id of the caller's, which other actors use too."""
    yield from writer(world, "main", 1, "job")


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
    delta = Delta(appended=2, pieces=tuple(pieces))
    base = min(bases) if world.switches.smallest_base else max(bases)
    intent = Commit(on_branch=branch, delta=delta, base=base, message=op.label)
    yield from publish(world, op, intent, head, seen)


# Names, lines and ends


def restorer(world: World, branch: str) -> Steps[None]:
    """Bring back some older snapshot."""
    handle = yield from opened(world, branch)
    entry = handle.head.entry
    assert entry is not None
    number = world.rng.randrange(entry.state.first, entry.n + 1)
    op = made_op(world, "restore", opened=handle.head.n, branch=branch, target=number)
    intent = Restore(on_branch=branch, snapshot=number, message=op.label)
    yield from publish(world, op, intent, handle.head, ())


def brancher(world: World, branch: str) -> Steps[None]:
    """Create, move or delete the branch ``dev``, twice."""
    for _ in range(2):
        yield from dev_moved(world)


def dev_moved(world: World) -> Steps[None]:
    """Create, move or delete the branch ``dev``."""
    handle = yield from opened(world, "main")
    entry = handle.head.entry
    assert entry is not None
    found = yield from seen_names(world, handle.head, branch="dev")
    number: int | None = world.rng.randrange(entry.state.first, entry.n + 1)
    if found is not None and world.rng.random() < 0.4:
        number = None
    op = made_op(world, "branch", opened=handle.head.n, name="dev", target=number, expected=found)
    intent = SetBranch(name="dev", snapshot=number, expected=found)
    yield from publish(world, op, intent, handle.head, ())


def seen_names(world: World, head: Head, *, branch: str = "", tag: str = "") -> Steps[int | None]:
    """What a name stands for at a head."""
    assert head.entry is not None
    try:
        refs = yield from refs_with(head.entry, branch=branch or None, tag=tag or None)
    except NotFoundError as error:
        must_be_gone(world, error, head.n, head.entry.dataset)
        raise Gone from error
    return refs.branches.get(branch) if branch else refs.tags.get(tag)


def tagger(world: World, branch: str) -> Steps[None]:
    """Create or delete a tag."""
    handle = yield from opened(world, branch)
    entry = handle.head.entry
    assert entry is not None
    name = world.rng.choice(("v1", "v2"))
    found = yield from seen_names(world, handle.head, tag=name)
    number = None if found else world.rng.randrange(entry.state.first, entry.n + 1)
    op = made_op(world, "tag", opened=handle.head.n, name=name, target=number, expected=found)
    intent = SetTag(name=name, snapshot=number, expected=found)
    yield from publish(world, op, intent, handle.head, ())


def expirer(world: World, branch: str) -> Steps[None]:
    """Move the line below which snapshots are not opened, then collect."""
    handle = yield from opened(world, branch)
    below = world.rng.randrange(1, handle.head.n + 3)
    op = made_op(world, "expire", opened=handle.head.n, below=below)
    done = yield from publish(world, op, Expire(below=below), handle.head, ())
    if done is not None and world.rng.random() < 0.7:
        yield from collector(world, branch)


def collector(world: World, branch: str) -> Steps[None]:
    """Raise the fence, then remove what nobody needs."""
    head = yield from found_head(world)
    if head.entry is None or world.rng.random() < 0.02:
        return
    below = None if world.rng.random() < 0.7 else world.rng.randrange(1, head.n + 1)
    before = head
    if not world.switches.fence_first:
        yield from swept(world, head, below)
    op = made_op(world, "gc", opened=head.n, below=below)
    done = yield from publish(world, op, Collect(below=below), head, ())
    if done is None:
        return
    if world.switches.mark_after_fence:
        head, _ = yield from heads.read_forward(done.head)
        yield from swept(world, head, None)
    else:
        yield from swept(world, before, done.entry.state.collect_below)


def swept(world: World, head: Head, below: int | None) -> Steps[None]:
    """Remove what the head does not need."""
    assert head.entry is not None
    entry = head.entry
    if below is not None:
        state = type(entry.state)(**{**_fields(entry.state), "collect_below": below})
        entry = type(entry)(**{**_fields(entry), "state": state})
    try:
        yield from collecting.remove_unreferenced(entry)
    except NotFoundError:
        # Another collection was quicker; what it removed was not needed, or the oracle has spoken.
        return


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def closer(world: World, branch: str) -> Steps[None]:
    """Delete the dataset, and its objects; perhaps make another."""
    handle = yield from opened(world, branch)
    op = made_op(world, "closed", opened=handle.head.n)
    done = yield from publish(world, op, Close(), handle.head, ())
    if done is not None:
        yield from swept(world, done.head, None)
    if world.rng.random() < 0.8:
        head = yield from found_head(world)
        yield from created(world, head)


def created(world: World, head: Head) -> Steps[None]:
    """Make a dataset with two columns."""
    op = made_op(world, "create", opened=head.n)
    schema = Schema((Column(0, "x", TYPE), Column(1, "label", TYPE)))
    intent = Create(dataset=f"dataset-{world.number()}", schema=schema, message=op.label)
    yield from publish(world, op, intent, head, ())


def creator(world: World, branch: str) -> Steps[None]:
    """Make a dataset where there may be one."""
    yield from created(world, (yield from found_head(world)))


# Schedules


def one_writer(world: World, branch: str) -> Steps[None]:
    """One to three transactions."""
    yield from writer(world, branch, world.rng.choice((1, 2, 3)))


ACTORS: dict[str, Callable[[World, str], Steps[None]]] = {
    "writer": one_writer,
    "merger": merger,
    "optimizer": optimizer,
    "reader": reader,
    "restorer": restorer,
    "brancher": brancher,
    "tagger": tagger,
    "expirer": expirer,
    "collector": collector,
    "closer": closer,
    "creator": creator,
    "job": given_job,
}
THEMES: dict[str, dict[str, int]] = {
    "everything": {**dict.fromkeys(ACTORS, 1), "writer": 4},
    "changes": {"writer": 8, "optimizer": 1, "reader": 1},
    "collection": {
        "writer": 4, "merger": 3, "optimizer": 1, "reader": 2, "expirer": 2, "collector": 5,
        "tagger": 1,
    },
    "names": {
        "writer": 3, "reader": 1, "restorer": 2, "brancher": 2, "tagger": 2, "expirer": 2,
        "collector": 1,
    },
    "ends": {"writer": 3, "reader": 1, "closer": 2, "creator": 1, "job": 4, "collector": 1},
}  # fmt: skip
"""Who takes part, and how often; the schedule of a seed has the theme ``seed % 5``."""


def until_gone(steps: Steps[None]) -> Steps[None]:
    """An actor that ends when there is nothing left for it."""
    try:
        yield from steps
    except Gone:
        return


def seeds(theme: str, n: int) -> range:
    """The first ``n`` seeds of a theme."""
    first = list(THEMES).index(theme)
    return range(first, first + n * len(THEMES), len(THEMES))


def populate(world: World) -> None:
    """Put four to seven actors into a world whose dataset has a few rows and a branch."""
    weights = list(THEMES.values())[world.seed % len(THEMES)]
    names = world.rng.choices(list(weights), list(weights.values()), k=world.rng.randrange(4, 8))
    if world.rng.random() < 0.6:
        world.kinds = tuple(world.rng.choices(list(CHANGES), k=2))
    for i, name in enumerate(names):
        branch = "dev" if world.rng.random() < (0.6 if "brancher" in names else 0.1) else "main"
        world.add(f"{name}-{i}", until_gone(ACTORS[name](world, branch)))


def begin(world: World) -> Steps[None]:
    """A dataset, an append or three, perhaps a branch: what every schedule starts from."""
    yield from created(world, EMPTY_LOG)
    if world.n:
        yield from writer(world, "main", world.rng.choice((1, 2, 3)))
        if world.rng.random() < 0.6:
            yield from dev_moved(world)


def simulate(seed: int, switches: Switches | None = None, *, traced: bool = False) -> World:
    """Run the schedule of a seed.

    Raises:
        Violation: The log broke a promise.
    """
    world = World(seed, switches or Switches(), traced=traced)
    if world.weather.short:
        with ShortValues():
            return _simulated(world)
    return _simulated(world)


def _simulated(world: World) -> World:
    world.add("begin", until_gone(begin(world)))
    world.run()
    populate(world)
    world.run()
    return world


def explain(seed: int, switches: Switches | None = None) -> str:
    """The violation and the trace of a schedule that is wrong."""
    world = World(seed, switches or Switches(), traced=True)
    try:
        if world.weather.short:
            with ShortValues():
                _simulated(world)
        else:
            _simulated(world)
    except Violation as violation:
        return "\n".join([f"seed {seed}: {violation}", *(world.trace or [])[-60:]])
    return f"seed {seed}: nothing is wrong"
