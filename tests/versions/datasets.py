"""Small datasets to try things on."""

from __future__ import annotations

from aiolake import keys
from aiolake.format.entry import Description, Entry, Piece
from aiolake.stores.base import Listing
from aiolake.versions.blobs import load_description, load_lists, load_rows
from aiolake.versions.head import (
    EMPTY_LOG,
)
from aiolake.versions.intents import (
    Create,
    Noop,
)
from tests.versions.model import Model, piece, schema


def append(
    model: Model, n: int = 1, columns: tuple[int, ...] = (0, 1), branch: str = "main"
) -> Entry:
    base, id = model.head().n, model.new_id()
    model.objects[keys.object_key("chunks", base, id)] = b"x" * 4 * n
    pieces = tuple(piece(column, (0, n), base, id) for column in columns)
    return model.change(branch, appended=n, pieces=pieces)


def rows(model: Model, entry: Entry) -> list[int]:
    assert entry.snapshot is not None
    runs = model.run(load_rows(entry.snapshot.rows))
    assert len(runs) == entry.snapshot.rows.n
    return [int(id) for id in runs.ids()]


def names(model: Model, entry: Entry) -> list[str]:
    assert entry.snapshot is not None
    return list(model.run(load_description(entry.snapshot)).schema.names)


def pieces_of(model: Model, entry: Entry) -> list[Piece]:
    assert entry.snapshot is not None
    return [*model.run(load_lists(entry.snapshot.lists)), *entry.snapshot.pieces]


def newest(model: Model) -> Entry:
    entry = model.head().entry
    assert entry is not None
    return entry


def log_of(n: int, listing: Listing) -> Model:
    model = Model(listing)
    if n:
        head = model.commit(Create(dataset="d", description=Description(schema(1))), EMPTY_LOG).head
        for _ in range(n - 1):
            head = model.commit(Noop(), head).head
    return model
