"""What is too long for an entry lies in lists, and is read back."""

from __future__ import annotations

import pytest

from aiolake import keys
from aiolake.errors import (
    InvalidInputError,
    NotFoundError,
)
from aiolake.format.entry import MAX_ENTRY_BYTES, Piece, encode_entry
from aiolake.ranges import Runs
from aiolake.types import Constant
from aiolake.versions.blobs import load_refs, load_runs
from aiolake.versions.collect import remove_unreferenced
from aiolake.versions.commit import (
    footprint_of,
)
from aiolake.versions.delta import Delta
from aiolake.versions.head import (
    snapshot_of_tag,
)
from aiolake.versions.intents import (
    Collect,
    Commit,
    Expire,
    SetTag,
)
from tests.scale import pick
from tests.versions.datasets import append, names, newest, pieces_of, rows
from tests.versions.model import Model, piece


def test_long_schemas_rows_names_and_effects_lie_in_lists_and_are_read_back() -> None:
    model = Model()
    entry = model.made(100)
    assert entry.snapshot is not None
    assert entry.snapshot.listed_description is not None
    assert names(model, entry) == [f"c{i}" for i in range(100)]
    model.change(appended=4000, pieces=())
    odd = Runs.from_ids(range(1, 4000, 2))
    entry = model.change(deleted=odd)
    assert entry.snapshot is not None
    assert entry.snapshot.rows.listed is not None
    assert rows(model, entry) == list(range(0, 4000, 2))
    assert model.run(load_runs(entry.operation.effects.deleted)) == odd
    assert len(encode_entry(entry)) < 16 * 1024
    assert model.run(footprint_of(entry)).rows == odd
    entry = append(model, 1, ())
    assert rows(model, entry) == [*range(0, 4000, 2), 4000]
    assert entry.snapshot is not None
    assert entry.snapshot.description is None
    entry = model.change(renamed={3: "three"})
    assert names(model, entry)[3] == "three"


def test_a_long_table_of_names_is_looked_up_changed_and_emptied() -> None:
    model = Model()
    first = model.made()
    for i in range(300):
        model.commit(SetTag(name=f"release/{i}", snapshot=first.n, expected=None))
    head = newest(model)
    assert head.refs.listed is not None
    assert model.run(snapshot_of_tag(head, "release/7")) == first
    model.commit(SetTag(name="release/7", snapshot=None, expected=first.n))
    append(model)
    head = newest(model)
    tags = model.run(load_refs(head)).tags
    assert set(tags) == {f"release/{i}" for i in range(300)} - {"release/7"}
    assert model.run(load_refs(head)).branches == {"main": head.n}
    with pytest.raises(NotFoundError, match="no tag"):
        model.run(snapshot_of_tag(head, "release/7"))
    model.commit(SetTag(name="release/7", snapshot=head.n, expected=None))
    model.commit(Expire(below=999))
    gc = model.commit(Collect(below=None)).entry
    model.run(remove_unreferenced(gc))
    assert model.run(snapshot_of_tag(gc, "release/8")) == first
    assert model.run(snapshot_of_tag(gc, "release/7")) == head


@pytest.mark.soak
def test_ten_thousand_appends_fold_and_stay_small() -> None:
    n = pick(2_000, 10_000)
    model = Model()
    model.made(5)
    head = model.head()
    sizes = []
    model.counts.clear()
    for _ in range(n):
        id = model.new_id()
        made = tuple(piece(column, (0, 1), head.n, id) for column in range(5))
        intent = Commit(on_branch="main", delta=Delta(appended=1, pieces=made), base=head.n)
        head = model.commit(intent, head).head
        sizes.append(len(model.objects[keys.entry_key(head.n)]))
    lists = [key for key in model.objects if key.startswith(keys.LISTS)]
    listed = sum(len(model.objects[key]) for key in lists)
    print(f"log {sum(sizes) / 1e6:.1f} MB, {len(lists)} lists of {listed / 1e6:.1f} MB")
    assert max(sizes) <= MAX_ENTRY_BYTES
    assert len(lists) <= 0.05 * 2 * n
    assert sum(sizes) + listed < 13e3 * n
    assert head.entry is not None
    found = pieces_of(model, head.entry)
    assert [p.rows[0] for p in found if p.column == 4] == list(range(n))
    assert rows(model, head.entry) == list(range(n))


def test_a_wide_dataset_does_not_outgrow_its_entry() -> None:
    model = Model()
    model.made(64)
    head = model.head()
    for _ in range(200):
        made = tuple(Piece(c, (0, 1), constant=Constant(b"abcd")) for c in range(64))
        intent = Commit(on_branch="main", delta=Delta(appended=1, pieces=made), base=head.n)
        head = model.commit(intent, head).head
    assert head.entry is not None
    assert len(pieces_of(model, head.entry)) == 64 * 200


def test_an_entry_that_cannot_be_made_small_is_refused_before_it_is_written() -> None:
    model = Model()
    model.made()
    with pytest.raises(InvalidInputError, match="split"):
        model.commit(
            Commit(on_branch="main", delta=Delta(appended=1), base=1, message="x" * 70_000)
        )
    assert model.head().n == 1
