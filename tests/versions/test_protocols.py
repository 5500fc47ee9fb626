"""The log's protocols, one after another on a dict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from aiolake import keys
from aiolake.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptDataError,
    InvalidInputError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    SnapshotExpiredError,
    StoreError,
)
from aiolake.format.entry import MAX_ENTRY_BYTES, Entry, Piece, encode_entry
from aiolake.ranges import Runs
from aiolake.stores.base import CreateOutcome, Listing, ListPage
from aiolake.types import Constant, Tensor
from aiolake.versions.blobs import load_description, load_lists, load_refs, load_rows, load_runs
from aiolake.versions.collect import entry_at_time, remove_unreferenced
from aiolake.versions.commit import (
    Context,
    Found,
    Outcome,
    commit,
    find_commit,
    footprint_of,
    take_slot,
)
from aiolake.versions.delta import REMOVED, Delta, NewColumn
from aiolake.versions.head import (
    EMPTY_LOG,
    Head,
    advance,
    find_head,
    read_forward,
    snapshot_at,
    snapshot_of,
    snapshot_of_branch,
    snapshot_of_tag,
)
from aiolake.versions.history import ancestors, diff
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
from aiolake.versions.steps import ListObjects, Pause, Refused, TakeSlot
from tests.versions.model import URL, Model, piece, schema


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


# One commit of each kind


def test_a_creation_is_entry_one_with_a_main_branch() -> None:
    model = Model()
    entry = model.made(3)
    assert (entry.n, entry.state.first, entry.state.next_column_id) == (1, 1, 3)
    assert entry.refs.branches == {"main": 1}
    assert names(model, entry) == ["c0", "c1", "c2"]
    assert model.head() == Head(1, entry)
    with pytest.raises(AlreadyExistsError, match="already"):
        model.commit(Create(dataset="other", schema=schema(1)))


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
        model.run(snapshot_of_branch(_entry(model), "dev"))
    with pytest.raises(ConflictError, match="was deleted"):
        append(model, branch="dev")
    with pytest.raises(InvalidInputError, match="cannot be deleted"):
        model.commit(SetBranch(name="main", snapshot=None, expected=main.n))


def _entry(model: Model) -> Entry:
    entry = model.head().entry
    assert entry is not None
    return entry


def test_tags_are_made_once_and_deleted() -> None:
    model = Model()
    model.made()
    first = append(model)
    append(model)
    model.commit(SetTag(name="v1", snapshot=first.n, expected=None))
    assert model.run(snapshot_of_tag(_entry(model), "v1")) == first
    with pytest.raises(AlreadyExistsError):
        model.commit(SetTag(name="v1", snapshot=3, expected=None))
    with pytest.raises(NotFoundError, match="no snapshot 9"):
        model.commit(SetTag(name="v2", snapshot=9, expected=None))
    with pytest.raises(NotFoundError, match="is no snapshot"):
        model.commit(SetTag(name="v2", snapshot=4, expected=None))
    model.commit(SetTag(name="v1", snapshot=None, expected=first.n))
    with pytest.raises(NotFoundError, match="no tag"):
        model.run(snapshot_of_tag(_entry(model), "v1"))
    with pytest.raises(NotFoundError, match="no tag"):
        model.commit(SetTag(name="v1", snapshot=None, expected=first.n))


def test_expired_snapshots_open_only_while_a_name_holds_them() -> None:
    model = Model()
    model.made()
    entries = [append(model) for _ in range(4)]
    model.commit(SetTag(name="keep", snapshot=entries[0].n, expected=None))
    model.commit(Expire(below=entries[3].n))
    head = _entry(model)
    assert model.run(snapshot_of(head, entries[0].n)) == entries[0]
    assert model.run(snapshot_of(head, entries[3].n)) == entries[3]
    with pytest.raises(SnapshotExpiredError, match="was expired"):
        model.run(snapshot_of(head, entries[1].n))
    with pytest.raises(SnapshotExpiredError):
        model.commit(Restore(on_branch="main", snapshot=entries[1].n))
    model.commit(Expire(below=1))
    assert _entry(model).state.expire_below == entries[3].n


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
    again = model.commit(Create(dataset="second", schema=schema(2))).entry
    assert (again.n, again.state.first) == (4, 4)
    assert [column.id for column in _columns(model, again)] == [2, 3]
    assert rows(model, append(model, 1, (2, 3))) == [1]
    with pytest.raises(NotFoundError, match="no snapshot 2"):
        model.run(snapshot_of(_entry(model), 2))


def _columns(model: Model, entry: Entry) -> tuple[Any, ...]:
    assert entry.snapshot is not None
    return model.run(load_description(entry.snapshot)).schema.columns


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
    model.commit(Create(dataset="second", schema=schema(1)))
    with pytest.raises(NotFoundError, match="no dataset"):
        Model().commit(Noop())


def test_times_never_go_back() -> None:
    model = Model()
    model.made()
    first = append(model)
    model.clock -= timedelta(days=3)
    assert append(model).time == first.time


# Long values


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
    head = _entry(model)
    assert head.refs.listed is not None
    assert model.run(snapshot_of_tag(head, "release/7")) == first
    model.commit(SetTag(name="release/7", snapshot=None, expected=first.n))
    append(model)
    head = _entry(model)
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


def test_ten_thousand_appends_fold_and_stay_small() -> None:
    model = Model()
    model.made(5)
    head = model.head()
    sizes = []
    model.counts.clear()
    for _ in range(10_000):
        id = model.new_id()
        made = tuple(piece(column, (0, 1), head.n, id) for column in range(5))
        intent = Commit(on_branch="main", delta=Delta(appended=1, pieces=made), base=head.n)
        head = model.commit(intent, head).head
        sizes.append(len(model.objects[keys.entry_key(head.n)]))
    lists = [key for key in model.objects if key.startswith(keys.LISTS)]
    listed = sum(len(model.objects[key]) for key in lists)
    print(f"log {sum(sizes) / 1e6:.1f} MB, {len(lists)} lists of {listed / 1e6:.1f} MB")
    assert max(sizes) <= MAX_ENTRY_BYTES
    assert len(lists) <= 0.05 * 20_000
    assert sum(sizes) + listed < 130e6
    assert head.entry is not None
    found = pieces_of(model, head.entry)
    assert [p.rows[0] for p in found if p.column == 4] == list(range(10_000))
    assert rows(model, head.entry) == list(range(10_000))


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


# The head


@pytest.mark.parametrize("listing", Listing)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 9, 17])
def test_the_head_is_found_however_the_store_lists(listing: Listing, n: int) -> None:
    model = _log_of(n, listing)
    for known in {0, n // 2, n}:
        assert model.run(find_head(listing, known)).n == n


def _log_of(n: int, listing: Listing) -> Model:
    model = Model(listing)
    if n:
        head = model.commit(Create(dataset="d", schema=schema(1)), EMPTY_LOG).head
        for _ in range(n - 1):
            head = model.commit(Noop(), head).head
    return model


@pytest.mark.parametrize("hint", [0, 1, 5, 11, 12, 400, keys.MAX_ENTRY, keys.MAX_ENTRY + 7])
@pytest.mark.parametrize("listing", [Listing.UNORDERED, Listing.NONE])
def test_a_stale_or_lying_hint_leads_nowhere(hint: int, listing: Listing) -> None:
    model = _log_of(11, listing)
    model.hint = hint
    assert model.head().n == 11


def test_an_unordered_listing_may_be_late() -> None:
    model = _log_of(11, Listing.UNORDERED)
    hidden = {keys.entry_key(n) for n in (7, 10, 11)}
    real = model.list

    def late(request: ListObjects) -> ListPage:
        page = real(request)
        assert page is not None
        return ListPage(tuple(m for m in page.objects if m.key not in hidden), page.token)

    model.handlers[ListObjects] = late
    assert model.head().n == 11


@pytest.mark.parametrize("empty_pages", [False, True])
@pytest.mark.parametrize("listing", [Listing.ORDERED, Listing.UNORDERED])
def test_foreign_keys_and_empty_pages_are_passed_over(listing: Listing, empty_pages: bool) -> None:
    model = _log_of(5, listing)
    model.empty_pages = empty_pages
    model.page_limit = 2
    foreign = ("log/0", "log/000/1", "log/999999999/99", "log/999999999/99a", "log/hint", "log/~")
    model.objects |= dict.fromkeys(foreign, b"?")
    assert model.head().n == 5


def test_an_ordered_open_is_one_list_and_one_get() -> None:
    model = _log_of(9, Listing.ORDERED)
    model.counts.clear()
    model.head()
    assert model.counts == {"ListObjects": 1, "ReadEntries": 1}


def test_a_missing_newest_entry_is_named() -> None:
    model = Model()
    model.objects[keys.entry_key(3)] = b"never mind"
    with pytest.raises(CorruptDataError, match="cut short"):
        model.head()
    with pytest.raises(CorruptDataError, match="is missing"):
        model.run(find_head(Listing.NONE, known=9))


@pytest.mark.parametrize("behind", [0, 1, 2, 7, 300])
def test_reading_forward_gives_every_entry_in_order(behind: int) -> None:
    model = _log_of(302, Listing.ORDERED)
    n = 302 - behind
    entry = model.entry(n)
    head, seen = model.run(read_forward(Head(n, entry)))
    assert head.n == 302
    assert [found.n for found in seen] == list(range(n + 1, 303))


def test_an_entry_of_another_dataset_has_no_effect() -> None:
    model = Model()
    model.made()
    head = model.head()
    assert head.entry is not None
    foreign = msgspec.structs.replace(head.entry, dataset="other", n=2, write_id="w")
    model.objects[keys.entry_key(2)] = encode_entry(foreign)
    entry = model.commit(Commit(on_branch="main", delta=Delta(appended=1), base=1), head).entry
    assert entry.n == 3
    assert entry.dataset == head.entry.dataset
    after, seen = model.run(read_forward(head))
    assert (after.n, [found.n for found in seen]) == (3, [3])
    end = msgspec.structs.replace(
        entry, n=4, operation=msgspec.structs.replace(entry.operation, kind="closed")
    )
    closed = advance(after, end)
    late = msgspec.structs.replace(entry, n=5)
    assert advance(closed, late) == Head(5, end)


# Time


def test_time_travel_finds_the_branch_as_it_was() -> None:
    model = Model()
    first = model.made()
    a = append(model)
    model.commit(SetBranch(name="dev", snapshot=a.n, expected=None))
    b = append(model, branch="dev")
    c = append(model)
    head = _entry(model)
    for branch, entry, expected in [
        ("main", first, first),
        ("main", a, a),
        ("main", b, a),
        ("main", c, c),
        ("dev", b, b),
        ("dev", c, b),
    ]:
        for after in (timedelta(), timedelta(milliseconds=1)):
            assert model.run(snapshot_at(head, _time(entry) + after, branch)) == expected
    assert model.run(snapshot_at(head, _time(c) + timedelta(days=9), "main")) == c
    with pytest.raises(NotFoundError, match="did not exist yet"):
        model.run(snapshot_at(head, _time(first) - timedelta(milliseconds=1), "main"))
    with pytest.raises(NotFoundError, match="no branch 'dev'"):
        model.run(snapshot_at(head, _time(a), "dev"))
    numbers = [model.run(entry_at_time(head, _time(e))) for e in (first, a, b, c)]
    assert numbers == [2, 3, 5, 6]
    assert model.run(entry_at_time(head, _time(first) - timedelta(days=1))) == 1


def _time(entry: Entry) -> datetime:
    return datetime.strptime(entry.time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def test_history_follows_a_branch_and_a_diff_tells_two_snapshots_apart() -> None:
    model = Model()
    model.made()
    entries = [append(model) for _ in range(40)]
    for _ in range(40):
        model.commit(Noop())
    last = model.change(deleted=Runs.of((3, 1)), metadata={"k": 1}, renamed={1: "one"})
    chain = model.run(ancestors(last, 100))
    assert [entry.n for entry in chain] == [last.n, *(e.n for e in reversed(entries)), 1]
    assert len(model.run(ancestors(last, 5))) == 5
    found = model.run(diff(entries[-2], last))
    assert found.added.ids().tolist() == [39]
    assert found.removed.ids().tolist() == [3]
    assert found.metadata == ("k",)
    assert [(a.name, b.name) for a, b in found.schema.changed] == [("c1", "one")]


# Answers that are lost, and commits that are asked after


def test_the_same_bytes_are_created_until_the_slot_is_taken() -> None:
    model = Model()
    model.made()
    model.answers = [CreateOutcome.UNKNOWN, Refused(StoreError("full")), CreateOutcome.UNKNOWN]
    entry = model.change(appended=1)
    assert entry.n == 2
    assert model.head().n == 2


def test_a_first_refusal_is_definite() -> None:
    model = Model()
    model.made()
    model.answers = [Refused(PermissionDeniedError("no"))]
    with pytest.raises(PermissionDeniedError):
        model.change(appended=1)


def test_a_deadline_leaves_a_commit_that_can_be_asked_after_and_settled() -> None:
    model = Model()
    model.made()
    head = model.head()
    model.answers = [CreateOutcome.UNKNOWN] * 5
    with pytest.raises(OutcomeUnknownError, match="find_commit") as caught:
        model.commit(Commit(on_branch="main", delta=Delta(), base=1), head, write_id="mine")
    assert (caught.value.write_id, caught.value.slot) == ("mine", 2)
    assert model.run(find_commit(model.head(), "mine", 2)) == Found(Outcome.PENDING)
    assert model.run(find_commit(model.head(), "mine", None)) == Found(Outcome.PENDING)
    model.commit(Noop())
    assert model.run(find_commit(model.head(), "mine", 2)) == Found(Outcome.NOT_COMMITTED)
    entry = model.commit(Commit(on_branch="main", delta=Delta(), base=2), write_id="mine").entry
    assert model.run(find_commit(model.head(), "mine", 2)) == Found(Outcome.COMMITTED, entry.n)


def test_a_commit_long_ago_is_found_at_its_slot() -> None:
    model = _log_of(1500, Listing.ORDERED)
    mine = model.entry(7)
    assert mine is not None
    assert model.run(find_commit(model.head(), mine.write_id, 7)) == Found(Outcome.COMMITTED, 7)
    recent = model.entry(700)
    assert recent is not None
    found = model.run(find_commit(model.head(), recent.write_id, None))
    assert found == Found(Outcome.COMMITTED, 700)


def test_a_holder_that_cannot_be_read_after_a_lost_answer_is_no_failure() -> None:
    model = Model()
    entry = model.made()
    steps = take_slot(entry)
    next(steps)
    steps.send(CreateOutcome.UNKNOWN)
    steps.send(True)
    steps.send(CreateOutcome.EXISTS)
    assert isinstance(steps.throw(StoreError("no answer")), Pause)
    steps.send(True)
    steps.send(CreateOutcome.EXISTS)
    with pytest.raises(StopIteration) as ended:
        steps.send((entry,))
    assert ended.value.value == entry


def test_a_write_id_of_the_callers_is_committed_once() -> None:
    model = Model()
    model.made()
    intent = Commit(on_branch="main", delta=Delta(appended=1), base=1)
    first = model.commit(intent, write_id="job-1").entry
    append(model)
    assert model.commit(intent, write_id="job-1").entry == first
    assert model.head().n == 3
    model.commit(Close())
    model.commit(Create(dataset="second", schema=schema(1)))
    later = Commit(on_branch="main", delta=Delta(appended=1), base=5)
    assert model.commit(later, write_id="job-1").entry.n == 6


def test_a_twin_that_commits_meanwhile_is_taken_for_ones_own() -> None:
    model = Model()
    model.made()
    head = model.head()
    intent = Commit(on_branch="main", delta=Delta(appended=1), base=1)
    steps = commit(intent, head, (), Context(URL, "twin", True, model.new_id))
    request = next(steps)
    while not isinstance(request, TakeSlot):
        request = steps.send(model.answer(request))
    model.commit(Noop(), head)
    twin = model.commit(intent, head, write_id="twin")
    holder = model.answer(request)
    assert holder.n == 2
    steps.send(holder)
    with pytest.raises(StopIteration) as ended:
        steps.send((twin.entry, None))
    assert ended.value.value.entry == twin.entry
    assert model.head().n == 3


def test_a_list_collected_under_a_commit_is_no_failure() -> None:
    model = Model()
    model.made(5)
    while not _snapshot(model).lists:
        append(model, 1, tuple(range(5)))
    old = model.head()
    while _snapshot(model).lists[0] == _lists(old)[0]:
        append(model, 1, tuple(range(5)))
    model.commit(Expire(below=10**6))
    model.run(remove_unreferenced(model.commit(Collect(below=old.n)).entry))
    pieces = tuple(piece(column, (0, 60), old.n, model.new_id()) for column in range(5))
    delta = Delta(appended=60, pieces=pieces * 4)
    assert (
        model.commit(Commit(on_branch="main", delta=delta, base=old.n), old).entry.n
        == model.head().n
    )


def _snapshot(model: Model) -> Any:
    return _entry(model).snapshot


def _lists(head: Head) -> Any:
    assert head.entry is not None
    assert head.entry.snapshot is not None
    return head.entry.snapshot.lists
