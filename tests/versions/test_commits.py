"""One commit of each kind, on a dict."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aiolake import keys
from aiolake.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SnapshotExpiredError,
)
from aiolake.format.entry import Description, Entry, Piece
from aiolake.ranges import Runs
from aiolake.types import Constant, Tensor
from aiolake.versions.blobs import load_description
from aiolake.versions.collect import remove_unreferenced
from aiolake.versions.delta import REMOVED, Delta, NewColumn
from aiolake.versions.head import (
    Head,
    snapshot_of,
    snapshot_of_branch,
    snapshot_of_tag,
)
from aiolake.versions.intents import (
    Close,
    Collect,
    Commit,
    Create,
    Expire,
    Noop,
    Restore,
    SetBranch,
    SetTag,
)
from tests.versions.datasets import append, names, newest, pieces_of, rows
from tests.versions.model import Model, piece, schema


def _columns(model: Model, entry: Entry) -> tuple[Any, ...]:
    assert entry.snapshot is not None
    return model.run(load_description(entry.snapshot)).schema.columns


def test_a_creation_is_entry_one_with_a_main_branch() -> None:
    model = Model()
    entry = model.made(3)
    assert (entry.n, entry.state.first, entry.state.next_column_id) == (1, 1, 3)
    assert entry.refs.branches == {"main": 1}
    assert names(model, entry) == ["c0", "c1", "c2"]
    assert model.head() == Head(1, entry)
    with pytest.raises(AlreadyExistsError, match="already"):
        model.commit(Create(dataset="other", description=Description(schema(1))))


def test_appends_give_each_row_an_id_of_its_own() -> None:
    model = Model()
    model.made()
    append(model, 2)
    entry = append(model, 3)
    assert rows(model, entry) == [0, 1, 2, 3, 4]
    assert entry.state.next_row_id == 5
    assert [p.rows for p in pieces_of(model, entry) if p.column == 0] == [(0, 2), (2, 3)]
    assert entry.operation.effects.appended == 3
    assert entry.snapshot is not None
    assert entry.snapshot.parent == 2


def test_an_update_lies_over_the_rows_it_names() -> None:
    model = Model()
    model.made()
    append(model, 4)
    overlay = piece(1, (1, 1, 3, 1), 2, model.new_id())
    entry = model.change(updates=(overlay,))
    assert pieces_of(model, entry)[-1] == overlay
    assert entry.operation.effects.updated == (1, 1, 3, 1)
    assert entry.operation.effects.updated_columns == (1,)
    assert rows(model, entry) == [0, 1, 2, 3]


def test_a_delete_only_cuts_the_row_runs() -> None:
    model = Model()
    model.made()
    before = append(model, 5)
    entry = model.change(deleted=Runs.of((1, 2)))
    assert rows(model, entry) == [0, 3, 4]
    assert pieces_of(model, entry) == pieces_of(model, before)
    assert rows(model, append(model)) == [0, 3, 4, 5]


def test_an_added_column_has_its_default_in_old_rows_and_in_rows_that_do_not_know_it() -> None:
    model = Model()
    model.made(1)
    append(model, 2, (0,))
    value = Constant(b"\x07\x00\x00\x00")
    entry = model.change(added=(NewColumn(-1, "new", Tensor("int32"), value),))
    assert names(model, entry) == ["c0", "new"]
    assert pieces_of(model, entry)[-1] == Piece(1, (0, 2), constant=value)
    entry = append(model, 1, (0,))
    assert pieces_of(model, entry)[-1] == Piece(1, (2, 1), constant=value)


def test_columns_are_renamed_dropped_and_never_get_an_old_id() -> None:
    model = Model()
    model.made(3)
    append(model, 1, (0, 1, 2))
    entry = model.change(renamed={0: "first"}, dropped=(1,))
    assert names(model, entry) == ["first", "c2"]
    assert {p.column for p in pieces_of(model, entry)} == {0, 2}
    entry = model.change(added=(NewColumn(-1, "c1", Tensor("int32")),))
    assert entry.operation.effects.added == (3,)
    with pytest.raises(ConflictError, match="collide"):
        model.change(renamed={0: "c2"})
    with pytest.raises(ConflictError, match="dropped by another"):
        model.change(dropped=(1,))


def test_metadata_is_set_and_taken_away() -> None:
    model = Model()
    model.made()
    entry = model.change(metadata={"a": 1, "b": [2]}, column_metadata={(1, "unit"): "m"})
    assert entry.snapshot is not None
    assert entry.operation.effects.metadata == ("/a", "/b", "1/unit")
    description = model.run(load_description(entry.snapshot))
    assert description.metadata == {"a": 1, "b": [2]}
    assert description.schema["c1"].metadata == {"unit": "m"}
    entry = model.change(metadata={"a": REMOVED})
    assert entry.snapshot is not None
    assert model.run(load_description(entry.snapshot)).metadata == {"b": [2]}


def test_optimize_replaces_what_it_read_under_newer_updates() -> None:
    model = Model()
    model.made(1)
    base = append(model, 2, (0,))
    head = model.head()
    update = piece(0, (0, 1), 2, model.new_id())
    model.change(updates=(update,))
    better = piece(0, (0, 2), head.n, model.new_id())
    delta = Delta(replaced=tuple(pieces_of(model, base)), replacements=(better,))
    entry = model.commit(Commit(on_branch="main", delta=delta, base=head.n), head).entry
    assert pieces_of(model, entry) == [better, update]
    with pytest.raises(ConflictError, match="optimize"):
        model.commit(Commit(on_branch="main", delta=delta, base=head.n), head)
    with pytest.raises(ConflictError, match="are gone"):
        model.commit(Commit(on_branch="main", delta=delta, base=head.n))


def test_restore_brings_back_rows_columns_and_metadata() -> None:
    model = Model()
    model.made()
    old = append(model, 2)
    model.change(deleted=Runs.of((0, 1)), renamed={0: "x"}, metadata={"k": 1})
    entry = model.commit(Restore(on_branch="main", snapshot=old.n)).entry
    assert rows(model, entry) == [0, 1]
    assert names(model, entry) == ["c0", "c1"]
    assert entry.snapshot is not None
    assert entry.snapshot.parent == 3
    assert entry.state.next_row_id == 2
    assert rows(model, append(model)) == [0, 1, 2]


def test_branches_move_alone() -> None:
    model = Model()
    model.made()
    first = append(model)
    model.commit(SetBranch(name="dev", snapshot=first.n, expected=None))
    dev = append(model, branch="dev")
    main = append(model)
    head = model.head().entry
    assert head is not None
    assert rows(model, dev) == [0, 1]
    assert rows(model, main) == [0, 2]
    assert model.run(snapshot_of_branch(head, "dev")) == dev
    assert model.run(snapshot_of_branch(head, "main")) == main
    with pytest.raises(ConflictError, match="not at"):
        model.commit(SetBranch(name="dev", snapshot=None, expected=first.n))
    with pytest.raises(AlreadyExistsError):
        model.commit(SetBranch(name="dev", snapshot=1, expected=None))
    model.commit(SetBranch(name="dev", snapshot=None, expected=dev.n))
    with pytest.raises(NotFoundError, match="no branch 'dev'"):
        model.run(snapshot_of_branch(newest(model), "dev"))
    with pytest.raises(ConflictError, match="was deleted"):
        append(model, branch="dev")
    with pytest.raises(InvalidInputError, match="cannot be deleted"):
        model.commit(SetBranch(name="main", snapshot=None, expected=main.n))


def test_tags_are_made_once_and_deleted() -> None:
    model = Model()
    model.made()
    first = append(model)
    append(model)
    model.commit(SetTag(name="v1", snapshot=first.n, expected=None))
    assert model.run(snapshot_of_tag(newest(model), "v1")) == first
    with pytest.raises(AlreadyExistsError):
        model.commit(SetTag(name="v1", snapshot=3, expected=None))
    with pytest.raises(NotFoundError, match="no snapshot 9"):
        model.commit(SetTag(name="v2", snapshot=9, expected=None))
    with pytest.raises(NotFoundError, match="is no snapshot"):
        model.commit(SetTag(name="v2", snapshot=4, expected=None))
    model.commit(SetTag(name="v1", snapshot=None, expected=first.n))
    with pytest.raises(NotFoundError, match="no tag"):
        model.run(snapshot_of_tag(newest(model), "v1"))
    with pytest.raises(NotFoundError, match="no tag"):
        model.commit(SetTag(name="v1", snapshot=None, expected=first.n))


def test_expired_snapshots_open_only_while_a_name_holds_them() -> None:
    model = Model()
    model.made()
    entries = [append(model) for _ in range(4)]
    model.commit(SetTag(name="keep", snapshot=entries[0].n, expected=None))
    model.commit(Expire(below=entries[3].n))
    head = newest(model)
    assert model.run(snapshot_of(head, entries[0].n)) == entries[0]
    assert model.run(snapshot_of(head, entries[3].n)) == entries[3]
    with pytest.raises(SnapshotExpiredError, match="was expired"):
        model.run(snapshot_of(head, entries[1].n))
    with pytest.raises(SnapshotExpiredError):
        model.commit(Restore(on_branch="main", snapshot=entries[1].n))
    model.commit(Expire(below=1))
    assert newest(model).state.expire_below == entries[3].n


def test_gc_removes_what_no_open_snapshot_needs_and_nothing_else() -> None:
    model = Model()
    model.made(1)
    first = append(model, 1, (0,))
    chunk = next(iter(model.refs()))
    stray = keys.object_key("chunks", 1, model.new_id())
    young = keys.object_key("chunks", 99, model.new_id())
    model.objects |= {stray: b"", young: b"", "chunks/foreign": b""}
    gc = model.commit(Collect(below=None))
    assert gc.entry.state.collect_below == gc.entry.n
    assert model.run(remove_unreferenced(gc.entry, dry_run=True)) == (stray,)
    assert stray in model.objects
    assert model.run(remove_unreferenced(gc.entry)) == (stray,)
    assert {chunk, young, "chunks/foreign"} <= model.refs()
    model.commit(Restore(on_branch="main", snapshot=1))
    model.commit(Expire(below=99))
    gc = model.commit(Collect(below=None))
    assert model.run(remove_unreferenced(gc.entry)) == (chunk,)
    with pytest.raises(SnapshotExpiredError):
        model.run(snapshot_of(gc.entry, first.n))


def test_a_transaction_that_began_behind_the_fence_is_refused() -> None:
    model = Model()
    model.made()
    head = model.head()
    model.commit(Collect(below=None))
    with pytest.raises(ConflictError, match="fence"):
        model.commit(Commit(on_branch="main", delta=Delta(appended=1), base=head.n), head)
    model.commit(Commit(on_branch="main", delta=Delta(appended=1), base=2))


def test_the_end_comes_before_all_else_and_a_dataset_can_be_made_anew() -> None:
    model = Model()
    model.made()
    append(model)
    head = model.head()
    closed = model.commit(Close())
    assert model.run(remove_unreferenced(closed.entry))
    assert not model.refs()
    with pytest.raises(ConflictError, match="closed"):
        model.commit(Commit(on_branch="main", delta=Delta(appended=1), base=2), head)
    with pytest.raises(NotFoundError, match="was deleted"):
        model.change(appended=1)
    again = model.commit(Create(dataset="second", description=Description(schema(2)))).entry
    assert (again.n, again.state.first) == (4, 4)
    assert [column.id for column in _columns(model, again)] == [2, 3]
    assert rows(model, append(model, 1, (2, 3))) == [1]
    with pytest.raises(NotFoundError, match="no snapshot 2"):
        model.run(snapshot_of(newest(model), 2))


def test_a_noop_changes_nothing_and_does_not_bring_back_a_deleted_dataset() -> None:
    model = Model()
    model.made()
    before = append(model)
    noop = model.commit(Noop()).entry
    assert (noop.operation.kind, noop.snapshot) == ("noop", None)
    assert (noop.state, noop.refs) == (before.state, before.refs)
    model.commit(Close())
    model.commit(Noop())
    with pytest.raises(NotFoundError, match="was deleted"):
        model.change(appended=1)
    model.commit(Create(dataset="second", description=Description(schema(1))))
    with pytest.raises(NotFoundError, match="no dataset"):
        Model().commit(Noop())


def test_times_never_go_back() -> None:
    model = Model()
    model.made()
    first = append(model)
    model.clock -= timedelta(days=3)
    assert append(model).time == first.time
