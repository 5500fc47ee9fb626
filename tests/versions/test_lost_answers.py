"""Answers that are lost, and commits that are asked after."""

from __future__ import annotations

import pytest

from aiolake.errors import (
    OutcomeUnknownError,
    PermissionDeniedError,
    StoreError,
)
from aiolake.format.entry import Description
from aiolake.ranges import Runs
from aiolake.stores.base import CreateOutcome, Listing
from aiolake.versions.collect import remove_unreferenced
from aiolake.versions.commit import (
    Context,
    Found,
    Outcome,
    commit,
    find_commit,
    take_slot,
)
from aiolake.versions.delta import Delta
from aiolake.versions.head import (
    Head,
)
from aiolake.versions.intents import (
    Close,
    Collect,
    Commit,
    Create,
    Expire,
    Noop,
)
from aiolake.versions.steps import Pause, Refused, TakeSlot
from tests.versions.datasets import append, log_of, rows
from tests.versions.model import URL, Model, schema


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
    model = log_of(1500, Listing.ORDERED)
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
    again = model.commit(intent, write_id="job-1")
    assert again.entry == first
    assert again.head == Head(first.n, first)
    assert model.head().n == 3
    model.commit(Close())
    model.commit(Create(dataset="second", description=Description(schema(1))))
    later = Commit(on_branch="main", delta=Delta(appended=1), base=5)
    assert model.commit(later, write_id="job-1").entry.n == 6


def test_a_twin_that_commits_meanwhile_is_taken_for_ones_own() -> None:
    model = Model()
    model.made()
    head = model.head()
    intent = Commit(on_branch="main", delta=Delta(appended=1), base=1)
    steps = commit(intent, head, (), Context(URL, "twin", model.new_id))
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


def test_a_value_collected_under_a_commit_is_no_failure() -> None:
    model = Model()
    model.made()
    model.change(appended=4000)
    model.change(deleted=Runs.from_ids(range(1, 4000, 2)))
    old = model.head()
    model.change(deleted=Runs.of((0, 1)))
    model.commit(Expire(below=10**6))
    gc = model.commit(Collect(below=old.n)).entry
    assert model.run(remove_unreferenced(gc))
    delta = Delta(deleted=Runs.of((2, 1)))
    entry = model.commit(Commit(on_branch="main", delta=delta, base=old.n), old).entry
    assert rows(model, entry) == list(range(4, 4000, 2))
