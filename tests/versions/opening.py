"""How the actors of a schedule open and read a dataset, through shipped protocols."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, TypeVar

from aiolake import keys
from aiolake.errors import (
    NotFoundError,
)
from aiolake.format.entry import Entry, Piece
from aiolake.ranges import Runs
from aiolake.types import Tensor
from aiolake.versions import collect as collecting
from aiolake.versions import head as heads
from aiolake.versions.blobs import load_description, load_lists, load_rows
from aiolake.versions.head import Head
from aiolake.versions.steps import ReadObjects, Steps
from tests.versions.oracle import Content, Violation
from tests.versions.simulator import World

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
