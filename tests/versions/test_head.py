"""Finding the head, following it, and going back in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from aiolake import keys
from aiolake.errors import (
    CorruptDataError,
    NotFoundError,
)
from aiolake.format.entry import Entry, encode_entry
from aiolake.ranges import Runs
from aiolake.stores.base import Listing, ListPage
from aiolake.versions.collect import entry_at_time
from aiolake.versions.delta import Delta
from aiolake.versions.head import (
    Head,
    advance,
    find_head,
    read_forward,
    snapshot_at,
)
from aiolake.versions.history import ancestors, diff
from aiolake.versions.intents import (
    Commit,
    Noop,
    SetBranch,
)
from aiolake.versions.steps import ListObjects
from tests.versions.datasets import append, log_of, newest
from tests.versions.model import Model


@pytest.mark.parametrize("listing", Listing)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 9, 17])
def test_the_head_is_found_however_the_store_lists(listing: Listing, n: int) -> None:
    model = log_of(n, listing)
    for known in {0, n // 2, n}:
        assert model.run(find_head(listing, known)).n == n


@pytest.mark.parametrize("hint", [0, 1, 5, 11, 12, 400, keys.MAX_ENTRY, keys.MAX_ENTRY + 7])
@pytest.mark.parametrize("listing", [Listing.UNORDERED, Listing.NONE])
def test_a_stale_or_lying_hint_leads_nowhere(hint: int, listing: Listing) -> None:
    model = log_of(11, listing)
    model.hint = hint
    assert model.head().n == 11


def test_an_unordered_listing_may_be_late() -> None:
    model = log_of(11, Listing.UNORDERED)
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
    model = log_of(5, listing)
    model.empty_pages = empty_pages
    model.page_limit = 2
    foreign = ("log/0", "log/000/1", "log/999999999/99", "log/999999999/99a", "log/hint", "log/~")
    model.objects |= dict.fromkeys(foreign, b"?")
    assert model.head().n == 5


def test_an_ordered_open_is_one_list_and_one_get() -> None:
    model = log_of(9, Listing.ORDERED)
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
    model = log_of(302, Listing.ORDERED)
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


def test_time_travel_finds_the_branch_as_it_was() -> None:
    model = Model()
    first = model.made()
    a = append(model)
    model.commit(SetBranch(name="dev", snapshot=a.n, expected=None))
    b = append(model, branch="dev")
    c = append(model)
    head = newest(model)
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
