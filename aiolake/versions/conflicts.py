"""The conflict table: which commits can be rebased over which. Pure.

A row is what this commit does, a column what another one did meanwhile. A cell says when they
conflict:

====  ==========================================================================================
``.``  never
``X``  always
``R``  if they touch one row
``C``  if they touch one column
``N``  if they give one name to columns
``M``  if they touch one column or give one name
``K``  if they set one metadata key
``L``  if theirs leaves out a column that our rows have values of
``B``  if theirs creates, moves or deletes the branch ours commits to
``T``  if theirs is a commit to a branch that ours creates, moves or deletes
``S``  if both create, move or delete one branch
``G``  if both create or delete one tag
====  ==========================================================================================

Cells between two contents (append to merge) hold for commits to one branch only: different
branches never conflict.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from aiolake.format.entry import Effects, Entry, Operation
from aiolake.ranges import EMPTY, Runs
from aiolake.types import Schema

__all__ = ["TABLE", "Footprint", "Kind", "conflict", "kinds_of"]


class Kind(enum.StrEnum):
    """One thing a commit may do."""

    APPEND = "append"
    UPDATE = "update"
    DELETE = "delete"
    ADD_COLUMN = "add column"
    RENAME_COLUMN = "rename column"
    DROP_COLUMN = "drop column"
    METADATA = "metadata"
    OPTIMIZE = "optimize"
    RESTORE = "restore"
    MERGE = "merge"
    BRANCH = "branch"
    TAG = "tag"
    EXPIRE = "expire"
    GC = "gc"
    CLOSED = "closed"


_KINDS = tuple(Kind)
_CONTENT = frozenset(_KINDS[: _KINDS.index(Kind.BRANCH)])

_TABLE = """
                app upd del add ren dro met opt res mer bra tag exp gc  clo
append           .   .   .   .   .   .   .   .   L   .   B   .   .   .   X
update           .   R   R   .   .   C   .   .   X   .   B   .   .   .   X
delete           .   R   R   .   .   .   .   .   X   .   B   .   .   .   X
add column       .   .   .   N   N   .   .   .   X   X   B   .   .   .   X
rename column    .   .   .   N   M   C   .   .   X   X   B   .   .   .   X
drop column      .   C   .   .   C   C   C   .   X   X   B   .   .   .   X
metadata         .   .   .   .   .   C   K   .   X   .   B   .   .   .   X
optimize         .   .   .   .   .   X   .   X   X   .   B   .   .   .   X
restore          X   X   X   X   X   X   X   .   X   X   B   .   .   .   X
merge            .   .   .   X   X   X   .   .   X   .   B   .   .   .   X
branch           T   T   T   T   T   T   T   T   T   T   S   .   .   .   X
tag              .   .   .   .   .   .   .   .   .   .   .   G   .   .   X
expire           .   .   .   .   .   .   .   .   .   .   .   .   .   .   X
gc               .   .   .   .   .   .   .   .   .   .   .   .   .   .   X
closed           .   .   .   .   .   .   .   .   .   .   .   .   .   .   X
"""


def _parsed() -> dict[tuple[Kind, Kind], str]:
    rows = [line[16:].split() for line in _TABLE.strip("\n").split("\n")[1:]]
    return {
        (mine, theirs): rows[i][j]
        for i, mine in enumerate(Kind)
        for j, theirs in enumerate(Kind)
    }  # fmt: skip


TABLE: dict[tuple[Kind, Kind], str] = _parsed()
"""The cell for (mine, theirs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a commit touches, with its runs and names at hand.

    Attributes:
        kinds: What it does.
        branch: The branch it commits to, or ``None``.
        rows: Row ids it updates or deletes.
        columns: Column ids it updates values of, renames, drops or sets metadata of.
        names: Names it gives to columns.
        keys: Metadata keys it sets: ``/<key>``, or ``<column id>/<key>``.
        branches: Branches it creates, moves or deletes.
        tags: Tags it creates or deletes.
        brought: Columns that its new rows have values of.
        left: For a restore, the columns there are after it.
    """

    kinds: frozenset[Kind]
    branch: str | None = None
    rows: Runs = EMPTY
    columns: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    brought: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()


_RULES: dict[str, Callable[[Footprint, Footprint], bool]] = {
    ".": lambda mine, theirs: False,
    "X": lambda mine, theirs: True,
    "R": lambda mine, theirs: mine.rows.intersects(theirs.rows),
    "C": lambda mine, theirs: bool(mine.columns & theirs.columns),
    "N": lambda mine, theirs: bool(mine.names & theirs.names),
    "M": lambda mine, theirs: bool(mine.columns & theirs.columns or mine.names & theirs.names),
    "K": lambda mine, theirs: bool(mine.keys & theirs.keys),
    "L": lambda mine, theirs: not mine.brought <= theirs.left,
    "B": lambda mine, theirs: mine.branch in theirs.branches,
    "T": lambda mine, theirs: theirs.branch in mine.branches,
    "S": lambda mine, theirs: bool(mine.branches & theirs.branches),
    "G": lambda mine, theirs: bool(mine.tags & theirs.tags),
}


def conflict(mine: Footprint, theirs: Footprint) -> tuple[Kind, Kind] | None:
    """The first pair of kinds that keeps ``mine`` from being rebased over ``theirs``."""
    for a, b in product(_ordered(mine.kinds), _ordered(theirs.kinds)):
        apart = mine.branch != theirs.branch and a in _CONTENT and b in _CONTENT
        if not apart and _RULES[TABLE[a, b]](mine, theirs):
            return a, b
    return None


def _ordered(kinds: frozenset[Kind]) -> list[Kind]:
    return [kind for kind in _KINDS if kind in kinds]


def kinds_of(effects: Effects, kind: str) -> frozenset[Kind]:
    """What an operation with these effects does."""
    done = {
        Kind.APPEND: effects.appended and effects.merged is None,
        Kind.UPDATE: effects.updated,
        Kind.DELETE: effects.deleted,
        Kind.ADD_COLUMN: effects.added,
        Kind.RENAME_COLUMN: effects.renamed,
        Kind.DROP_COLUMN: effects.dropped,
        Kind.METADATA: effects.metadata,
        Kind.OPTIMIZE: effects.optimized,
        Kind.RESTORE: effects.restored is not None,
        Kind.MERGE: effects.merged is not None,
        Kind.BRANCH: effects.branches,
        Kind.TAG: effects.tags,
        Kind.EXPIRE: kind == "expire",
        Kind.GC: kind == "gc",
        Kind.CLOSED: kind == "closed",
    }
    return frozenset(key for key, value in done.items() if value)


def footprint(
    effects: Effects, kind: str, branch: str | None, rows: Runs, schema: Schema | None
) -> Footprint:
    """The footprint of an operation.

    Args:
        effects: Its effects.
        kind: Its kind.
        branch: The branch it commits to.
        rows: The rows it updates or deletes, loaded.
        schema: The schema after it, where it adds or renames columns or restores.
    """
    of_columns = (key.partition("/")[0] for key in effects.metadata)
    given = {*effects.added, *effects.renamed}
    columns = () if schema is None else schema.columns
    return Footprint(
        kinds=kinds_of(effects, kind),
        branch=branch,
        rows=rows,
        columns=frozenset(
            (
                *effects.updated_columns,
                *effects.renamed,
                *effects.dropped,
                *(int(id) for id in of_columns if id),
            )
        ),
        names=frozenset(column.name for column in columns if column.id in given),
        keys=frozenset(effects.metadata),
        branches=frozenset(effects.branches),
        tags=frozenset(effects.tags),
        left=frozenset(column.id for column in columns if effects.restored is not None),
    )


def explain(pair: tuple[Kind, Kind], theirs: Entry) -> str:
    """A conflict in words."""
    mine, other = pair
    operation: Operation = theirs.operation
    return (
        f"this {mine} conflicts with the {other} in entry {theirs.n} "
        f"({operation.kind}, {theirs.time}); refresh, look at what changed and retry"
    )
