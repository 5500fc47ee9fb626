"""Every cell of the conflict table, against a small model of what the operations mean.

Two operations made on one state agree when both orders work and come to the same end. The table
says more only where ``DEVIATIONS`` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest

from aiolake.format.entry import Blob, Effects
from aiolake.ranges import Runs
from aiolake.types import Column, Schema, Tensor
from aiolake.versions.conflicts import TABLE, Footprint, Kind, conflict, explain, footprint
from tests.versions.model import Model


class Failed(Exception):
    """An operation does not work on a state."""


@dataclass(frozen=True)
class Content:
    """A branch: cells by row and column, names by column, metadata, and its stored form."""

    rows: dict[str, dict[int, str]]
    names: dict[int, str]
    metadata: dict[str, str]
    stored: str = "as it was"


OLD = Content({"r0": {0: "old"}}, {0: "x"}, {}, "older")
FIRST = Content({}, {0: "x"}, {}, "oldest")
EMPTIED = Content({}, {0: "x", 1: "y"}, {}, "emptied")
NOW = Content(
    {row: {0: "now", 1: "now"} for row in ("r0", "r1", "r2")}, {0: "x", 1: "y"}, {}, "as it was"
)


@dataclass(frozen=True)
class State:
    """A dataset."""

    main: Content | None = NOW
    other: Content | None = NOW
    tags: frozenset[str] = frozenset({"old"})
    moved: frozenset[str] = frozenset()
    closed: bool = False
    lines: frozenset[str] = frozenset()


Act = Callable[[State], State]


def on_main(act: Callable[[Content], Content]) -> Act:
    def applied(state: State) -> State:
        if state.main is None or "main" in state.moved:
            raise Failed
        return replace(state, main=act(state.main))

    return applied


def append(row: str, *, whole: bool = False) -> Act:
    """Rows; a ``whole`` merge brings the columns it was made with."""

    def act(content: Content) -> Content:
        if whole and content.names != NOW.names:
            raise Failed
        cells = {column: row if column in NOW.names else "default" for column in content.names}
        return replace(content, rows={**content.rows, row: cells})

    return on_main(act)


def update(row: str, column: int, value: str) -> Act:
    def act(content: Content) -> Content:
        if row not in content.rows or column not in content.names:
            raise Failed
        return replace(content, rows={**content.rows, row: {**content.rows[row], column: value}})

    return on_main(act)


def delete(row: str) -> Act:
    def act(content: Content) -> Content:
        if row not in content.rows:
            raise Failed
        return replace(content, rows={k: v for k, v in content.rows.items() if k != row})

    return on_main(act)


def name(column: int, given: str) -> Act:
    """Add (a column that is not there) or rename."""

    def act(content: Content) -> Content:
        if given in content.names.values() or (column < 2 and column not in content.names):
            raise Failed
        rows = {row: {column: "default", **cells} for row, cells in content.rows.items()}
        return replace(content, rows=rows, names={**content.names, column: given})

    return on_main(act)


def drop(column: int) -> Act:
    def act(content: Content) -> Content:
        if column not in content.names:
            raise Failed
        rows = {
            r: {c: v for c, v in cells.items() if c != column} for r, cells in content.rows.items()
        }
        names = {c: n for c, n in content.names.items() if c != column}
        return replace(content, rows=rows, names=names, stored="fewer")

    return on_main(act)


def describe(key: str, value: str, column: int | None = None) -> Act:
    def act(content: Content) -> Content:
        if column is not None and column not in content.names:
            raise Failed
        return replace(content, metadata={**content.metadata, key: value})

    return on_main(act)


def optimize(stored: str) -> Act:
    def act(content: Content) -> Content:
        if content.stored != "as it was":
            raise Failed
        return replace(content, stored=stored)

    return on_main(act)


def move(branch: str) -> Act:
    """Move a branch from where it was seen to the older snapshot."""

    def act(state: State) -> State:
        seen = state.main if branch == "main" else state.other
        if seen != NOW:
            raise Failed
        moved = state.moved | {branch}
        return replace(state, moved=moved, **{branch: OLD})  # type: ignore[arg-type]

    return act


def tag(given: str) -> Act:
    def act(state: State) -> State:
        if given in state.tags:
            raise Failed
        return replace(state, tags=state.tags | {given})

    return act


def line(which: str) -> Act:
    return lambda state: replace(state, lines=state.lines | {which})


def close(state: State) -> State:
    return replace(state, closed=True)


@dataclass(frozen=True)
class Case:
    """One operation: what it means, and what it says of itself."""

    kind: Kind
    label: str
    act: Act
    effects: Effects = field(default_factory=Effects)
    names: tuple[tuple[int, str], ...] = ()
    operation: str = "commit"
    branch: str | None = "main"

    @property
    def footprint(self) -> Footprint:
        """As an entry of the log has it."""
        columns = tuple(Column(id, given, Tensor("int8")) for id, given in self.names)
        effects = self.effects
        assert not isinstance(effects.updated, Blob)
        assert not isinstance(effects.deleted, Blob)
        rows = Runs.from_flat(effects.updated).concat(Runs.from_flat(effects.deleted))
        made = footprint(effects, self.operation, self.branch, rows, Schema(columns))
        return replace(made, brought=frozenset(NOW.names if self.kind is Kind.APPEND else ()))


def content(kind: Kind, label: str, act: Act, *names: tuple[int, str], **effects: Any) -> Case:
    return Case(kind, label, act, Effects(**effects), names)


def apart(kind: Kind, label: str, act: Act, operation: str, **effects: Any) -> Case:
    return Case(kind, label, act, Effects(**effects), (), operation, None)


def cases(mine: str) -> list[Case]:
    """At least two operations of each kind, as far as they differ; ``mine`` tells values apart."""
    k = Kind
    return [
        content(k.APPEND, "append", append(mine), appended=1),
        *(
            content(
                k.UPDATE, f"update r{row} c{column}", update(f"r{row}", column, mine),
                updated=(row, 1), updated_columns=(column,),
            )
            for row, column in product((0, 1), (0, 1))
        ),
        *(
            content(k.DELETE, f"delete r{row}", delete(f"r{row}"), deleted=(row, 1))
            for row in (0, 1)
        ),
        *(
            content(
                k.ADD_COLUMN, f"add {given}", name(id, given), (id, given), added=(id,)
            )
            for given, id in (("a", 10 + len(mine)), ("b", 20 + len(mine)))
        ),
        *(
            content(
                k.RENAME_COLUMN, f"rename {id} {given}", name(id, given), (id, given),
                renamed=(id,),
            )
            for id, given in product((0, 1), ("a", "b"))
        ),
        *(content(k.DROP_COLUMN, f"drop {id}", drop(id), dropped=(id,)) for id in (0, 1)),
        *(
            content(k.METADATA, f"set {key}", describe(f"/{key}", mine), metadata=(f"/{key}",))
            for key in "ab"
        ),
        *(
            content(
                k.METADATA, f"set {id}/unit", describe(f"{id}/unit", mine, id),
                metadata=(f"{id}/unit",),
            )
            for id in (0, 1)
        ),
        content(k.OPTIMIZE, "optimize", optimize(mine), optimized=3),
        content(k.RESTORE, "restore 1", on_main(lambda now: OLD), (0, "x"), restored=1),
        content(k.RESTORE, "restore 2", on_main(lambda now: FIRST), (0, "x"), restored=2),
        content(
            k.RESTORE, "restore 3", on_main(lambda now: EMPTIED), (0, "x"), (1, "y"), restored=3
        ),
        content(k.MERGE, "merge", append(mine, whole=True), appended=1, merged=1),
        apart(k.BRANCH, "move main", move("main"), "branch", branches=("main",)),
        apart(k.BRANCH, "move other", move("other"), "branch", branches=("other",)),
        apart(k.TAG, "tag v1", tag("v1"), "tag", tags=("v1",)),
        apart(k.TAG, "tag v2", tag("v2"), "tag", tags=("v2",)),
        apart(k.EXPIRE, "expire", line("expire"), "expire"),
        apart(k.GC, "gc", line("gc"), "gc"),
        apart(k.CLOSED, "close", close, "closed"),
    ]  # fmt: skip


MINE, THEIRS = cases("mine"), cases("their")


def after(first: Case, second: Case) -> State | None:
    """The state after both; ``None`` where the second does not work on the first's."""
    try:
        state = first.act(State())
        if state.closed:
            return None
        return second.act(state)
    except Failed:
        return None


def disagree(mine: Case, theirs: Case) -> bool:
    """Whether the order matters, or one undoes what the other needs."""
    one, other = after(theirs, mine), after(mine, theirs)
    return one is None or other is None or one != other


@dataclass(frozen=True)
class Deviation:
    """Pairs for which the table says other than the model, and why."""

    why: str
    conflicts: bool
    applies: Callable[[Case, Case], bool]


DEVIATIONS = (
    Deviation(
        "whoever deletes the dataset means it, whatever came before",
        False,
        lambda mine, theirs: mine.kind is Kind.CLOSED is not theirs.kind,
    ),
    Deviation(
        "new rows are kept whatever rows the branch was restored to",
        False,
        lambda mine, theirs: (
            mine.kind is Kind.APPEND and theirs.kind is Kind.RESTORE and theirs.label == "restore 3"
        ),
    ),
    Deviation(
        "optimize changes no content: nobody's work is lost when its pieces go",
        False,
        lambda mine, theirs: (
            mine.kind in (Kind.DROP_COLUMN, Kind.RESTORE) and theirs.kind is Kind.OPTIMIZE
        ),
    ),
    Deviation(
        "one row is one thing: two updates of it conflict whichever columns they have",
        True,
        lambda mine, theirs: (
            mine.kind is Kind.UPDATE is theirs.kind
            and mine.effects.updated == theirs.effects.updated
        ),
    ),
    Deviation(
        "one restore was made without a look at the other, though both are to one snapshot",
        True,
        lambda mine, theirs: mine.kind is Kind.RESTORE is theirs.kind,
    ),
)


def expected(mine: Case, theirs: Case) -> bool:
    """Whether the pair must conflict."""
    for deviation in DEVIATIONS:
        if deviation.applies(mine, theirs):
            return deviation.conflicts
    return disagree(mine, theirs)


def found(mine: Case, theirs: Case) -> bool:
    """Whether the shipped table says that the pair conflicts."""
    return conflict(mine.footprint, theirs.footprint) is not None


@pytest.mark.parametrize(("mine", "theirs"), tuple(product(Kind, Kind)))
def test_a_cell_says_whether_two_operations_agree(mine: Kind, theirs: Kind) -> None:
    pairs = [(a, b) for a, b in product(MINE, THEIRS) if a.kind is mine and b.kind is theirs]
    assert pairs
    for a, b in pairs:
        assert found(a, b) == expected(a, b), f"{a.label} over {b.label}"
    seen = {found(a, b) for a, b in pairs}
    assert seen == {".": {False}, "X": {True}}.get(TABLE[mine, theirs], {False, True})


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.why)
def test_a_deviation_is_one(deviation: Deviation) -> None:
    pairs = [(a, b) for a, b in product(MINE, THEIRS) if deviation.applies(a, b)]
    assert any(disagree(a, b) != deviation.conflicts for a, b in pairs)


def test_contents_of_different_branches_never_conflict() -> None:
    for mine, theirs in product(MINE, THEIRS):
        if mine.branch and theirs.branch:
            elsewhere = replace(theirs, branch="other")
            assert not found(mine, elsewhere)


def test_a_move_conflicts_with_commits_to_that_branch_alone() -> None:
    moves = [case for case in MINE if case.kind is Kind.BRANCH]
    for move_of, theirs in product(moves, THEIRS):
        if theirs.branch:
            for branch in ("main", "other"):
                expects = branch in move_of.effects.branches
                assert found(move_of, replace(theirs, branch=branch)) == expects
                assert found(replace(theirs, branch=branch), move_of) == expects


def test_several_things_in_one_commit_conflict_if_any_does() -> None:
    both = Effects(appended=3, updated=(0, 1), updated_columns=(1,), metadata=("/a",))
    mine = replace(MINE[0], effects=both)
    for theirs in THEIRS:
        parts = [case for case in MINE if case.label in ("append", "update r0 c1", "set a")]
        assert found(mine, theirs) == any(found(part, theirs) for part in parts), theirs.label


def test_a_conflict_is_explained_by_kind_entry_and_time() -> None:
    model = Model()
    entry = model.made()
    text = explain((Kind.UPDATE, Kind.DELETE), entry)
    assert "this update conflicts with the delete in entry 1" in text
    assert entry.time in text
