"""Each rule of the log, switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pytest

from aiolake.errors import PermissionDeniedError
from aiolake.format import keys as layout
from aiolake.format.entry import Entry, LogState, encode_entry
from aiolake.ranges import EMPTY
from aiolake.stores.base import CreateOutcome
from aiolake.versions import blobs, collect, conflicts, delta, head, lineage, merge, rules
from aiolake.versions import commit as committing
from aiolake.versions import keys as indexing
from aiolake.versions.head import Head
from aiolake.versions.steps import ReadHint, Refused, Steps, create_entry, read_entries, read_entry
from tests.versions.simulator import Switches

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule that is off.

    Attributes:
        rule: What the log does no more.
        breaks: The promises that the simulator may see broken; none where the rule is for
            something else, which ``why`` names.
        patch: Takes it away from the shipped code.
        switches: Takes it away from the actors.
        why: Where nothing breaks: what the rule is for.
        theme: The schedules that see it soonest.
    """

    rule: str
    breaks: tuple[str, ...]
    patch: Patch | None = None
    switches: Switches = field(default_factory=Switches)
    why: str = ""
    theme: str = "everything"


def _set(target: object, name: str, value: Any) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(target, name, value)


def _give_up_when_unknown(entry: Entry) -> Steps[Entry]:
    """As ``take_slot``, but an unknown answer counts as a refusal."""
    answer = yield from create_entry(entry.n, encode_entry(entry))
    if answer is CreateOutcome.CREATED:
        return entry
    if answer is CreateOutcome.UNKNOWN:
        raise PermissionDeniedError("no answer")
    if isinstance(answer, Refused):
        raise answer.error
    holder = yield from read_entry(entry.n)
    assert holder is not None
    return holder


def _every_refusal_is_definite(entry: Entry) -> Steps[Entry]:
    """As ``take_slot``, but a refusal ends it whatever came before."""
    steps = _take_slot(entry)
    answer: Any = None
    while True:
        try:
            request = steps.send(answer)
        except StopIteration as stop:
            holder: Entry = stop.value
            return holder
        answer = yield request
        if isinstance(answer, Refused):
            raise answer.error


def _unknown_counts_as_created(entry: Entry) -> Steps[Entry]:
    """As ``take_slot``, but an unknown answer counts as success."""
    answer = yield from create_entry(entry.n, encode_entry(entry))
    if isinstance(answer, Refused):
        raise answer.error
    if answer is not CreateOutcome.EXISTS:
        return entry
    holder = yield from read_entry(entry.n)
    assert holder is not None
    return holder


def _read_first(entry: Entry) -> Steps[Entry]:
    """As ``take_slot``, but an unknown answer is looked into by a read, not by a create."""
    while True:
        answer = yield from create_entry(entry.n, encode_entry(entry))
        if answer is CreateOutcome.CREATED:
            return entry
        if isinstance(answer, Refused):
            raise answer.error
        holder = yield from read_entry(entry.n)
        if holder is not None:
            return holder
        raise PermissionDeniedError("nothing was written")


_take_slot = committing.take_slot
_read_forward = head.read_forward


def _forgets_what_it_passed(known: Head) -> Steps[tuple[Head, tuple[Entry, ...]]]:
    found, _ = yield from _read_forward(known)
    return found, ()


_commit = committing.commit


def _goes_on_from_the_newest(*args: Any) -> Steps[committing.Committed]:
    """As ``commit``, but its author is given the newest head with the commit."""
    done = yield from _commit(*args)
    newest, _ = yield from _read_forward(done.head)
    return committing.Committed(done.entry, newest)


def _same_ids(state: LogState, n_rows: int, n_columns: int) -> LogState:
    return state


def _ids_of_a_new_dataset(state: LogState, n_rows: int, n_columns: int) -> LogState:
    """The counters begin anew whenever columns are given without rows."""
    grown = _next_ids(state, n_rows, n_columns)
    return grown if n_rows or n_columns != 2 else msgspec.structs.replace(grown, next_row_id=0)


_next_ids = rules.next_ids


def _clock_alone(clock: datetime, previous: Entry | None) -> str:
    return clock.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lines_fall(state: LogState, *, expire_below: int = 0, collect_below: int = 0) -> LogState:
    return msgspec.structs.replace(
        state,
        expire_below=expire_below or state.expire_below,
        collect_below=collect_below or state.collect_below,
    )


def _newest_only(entry: Entry) -> Steps[tuple[Entry, ...]]:
    """Of what may be opened, only the heads of branches."""
    refs = yield from blobs.load_refs(entry)
    numbers = tuple({n for n in refs.branches.values() if n is not None})
    return tuple(e for e in (yield from read_entries(numbers)) if e is not None)


def _named_only(entry: Entry) -> Steps[tuple[Entry, ...]]:
    """Of what may be opened, only what branches and tags name."""
    refs = yield from blobs.load_refs(entry)
    found = yield from read_entries(head.held_numbers(refs))
    return tuple(e for e in found if e is not None)


def _recent_only(entry: Entry) -> Steps[tuple[Entry, ...]]:
    """Of what may be opened, only what is above the line."""
    numbers = tuple(range(max(entry.state.first, entry.state.expire_below), entry.n + 1))
    return tuple(e for e in (yield from read_entries(numbers)) if e is not None)


def _believed_hint() -> Steps[int]:
    n: int = yield ReadHint()
    return n


def _not_probed(low: int) -> Steps[int]:
    yield from ()
    return low


def _nothing_found(known: Head, write_id: str) -> Steps[Entry | None]:
    yield from ()
    return None


def _no_blobs(entry: Entry) -> tuple[Any, ...]:
    return ()


def _never_held(*args: Any) -> bool:
    return False


def _cell(rows: str, columns: str) -> Patch:
    """Cells of the table that say never."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for mine in rows.split(","):
            for theirs in columns.split(","):
                cell = (conflicts.Kind(mine), conflicts.Kind(theirs))
                monkeypatch.setitem(conflicts.TABLE, cell, ".")

    return patch


def _all(*patches: Patch) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for one in patches:
            one(monkeypatch)

    return patch


def _without_rows(changes: Any, index: Any, rows: Any, *more: Any) -> Any:
    """As ``plan_keys``, of a snapshot that has no rows."""
    return _plan_keys(changes, index, EMPTY, *more)


_plan_keys = indexing.plan_keys
_merged = layout.merged


def _first_parent(entry: Entry) -> list[int]:
    return lineage_parents(entry)[:1]


lineage_parents = lineage._parents

LOST = "no update is lost"
KEYS = "a key names one row"
REPLAYED = "a snapshot is its log replayed"
TOLD = "commits are truly reported"
MISSES = "an entry misses an object"
DELETES = "gc deletes what is needed"
ONCE = "a commit is there once"
FAILS = "no actor fails"
SEES = "an open sees what was committed"
EXPIRED = "expired snapshots stay so"
END = "nothing follows the end"

_off = Switches
NEVER: Any = lambda *args: False  # noqa: E731
ALWAYS: Any = lambda *args: True  # noqa: E731

MUTANTS = (
    Mutant("a slot's entry is compared: always ours", (TOLD,), _set(rules, "is_ours", ALWAYS)),
    Mutant("a slot's entry is compared: never ours", (ONCE, TOLD), _set(rules, "is_ours", NEVER)),
    Mutant(
        "after an unknown answer the slot is settled: given up as not committed",
        (TOLD,),
        _set(committing, "take_slot", _give_up_when_unknown),
    ),
    Mutant(
        "after an unknown answer the slot is settled: taken for created",
        (TOLD,),
        _set(committing, "take_slot", _unknown_counts_as_created),
    ),
    Mutant(
        "after an unknown answer the same bytes are created: the slot is only read",
        (TOLD,),
        _set(committing, "take_slot", _read_first),
    ),
    Mutant(
        "only a first refusal is definite: each is",
        (TOLD,),
        _set(committing, "take_slot", _every_refusal_is_definite),
    ),
    Mutant(
        "a slot that is not taken is pending: taken for not committed",
        (TOLD,),
        _set(rules, "is_settled", lambda slot, head: slot is not None),
    ),
    Mutant(
        "a given write id is looked for first",
        (ONCE,),
        _set(committing, "find_write", _nothing_found),
        theme="ends",
    ),
    Mutant(
        "entries passed are checked for conflicts: they are forgotten",
        (LOST, ONCE),
        _all(
            _set(committing, "read_forward", _forgets_what_it_passed),
            _set(head, "read_forward", _forgets_what_it_passed),
        ),
        theme="changes",
    ),
    Mutant(
        "who goes on from a commit has seen what came before it: also what came after",
        (LOST,),
        _set(committing, "commit", _goes_on_from_the_newest),
        theme="ends",
    ),
    Mutant(
        "conflicting commits are refused",
        (LOST,),
        _set(conflicts, "conflict", lambda mine, theirs: None),
        theme="changes",
    ),
    Mutant(
        "update and delete of one row conflict",
        (LOST,),
        _cell("update,delete", "update,delete"),
        theme="changes",
    ),
    Mutant(
        "dropping a column conflicts with its updates",
        (LOST,),
        _cell("drop column", "update"),
        theme="changes",
    ),
    Mutant(
        "an update conflicts with its column's drop",
        (LOST,),
        _cell("update", "drop column"),
        theme="changes",
    ),
    Mutant(
        "two settings of one key conflict",
        (LOST,),
        _cell("metadata", "metadata"),
        theme="changes",
    ),
    Mutant(
        "renames of one column conflict",
        (LOST,),
        _cell("rename column", "rename column"),
        theme="changes",
    ),
    Mutant(
        "restore conflicts with what it did not see",
        (LOST,),
        _cell("restore", "append,update,delete,add column,rename column,drop column,metadata"),
        theme="names",
    ),
    Mutant(
        "what did not see a restore conflicts",
        (LOST,),
        _cell("update,delete,add column,rename column,drop column,metadata", "restore"),
        theme="names",
    ),
    Mutant(
        "an append conflicts with a restore that leaves out its columns",
        (LOST,),
        _cell("append", "restore"),
        theme="names",
    ),
    Mutant(
        "a key that a row has is looked for",
        (KEYS, REPLAYED),
        _set(delta, "plan_keys", _without_rows),
        theme="changes",
    ),
    Mutant(
        "a duplicate is refused where that was chosen: it replaces",
        (KEYS,),
        _set(rules, "refuses_duplicates", NEVER),
        theme="changes",
    ),
    Mutant(
        "of the records of a key the newest counts: the oldest",
        (KEYS,),
        _set(indexing, "merged", lambda runs: _merged(runs[::-1])),
        theme="changes",
    ),
    Mutant(
        "a merge is refused where both changed a row",
        (LOST,),
        _set(merge.Merge, "_check", lambda *args: None),
        theme="names",
    ),
    Mutant(
        "a merge comes from both its sides: from the first",
        (LOST, REPLAYED),
        _set(lineage, "_parents", _first_parent),
        theme="names",
    ),
    Mutant(
        "a commit conflicts with its branch's move",
        (LOST,),
        _cell("append,update,delete,add column,metadata", "branch"),
        theme="names",
    ),
    Mutant(
        "a row's and a column's id are given once: the counters stand still",
        ("no row is lost", "a row id is given once", "a column id is given once"),
        _set(rules, "next_ids", _same_ids),
    ),
    Mutant(
        "the counters outlive the dataset: rows are counted anew",
        ("a row id is given once",),
        _set(rules, "next_ids", _ids_of_a_new_dataset),
        theme="ends",
    ),
    Mutant("times never go back", ("times are monotone",), _set(rules, "entry_time", _clock_alone)),
    Mutant(
        "the lines only rise",
        ("the lines only rise",),
        _set(rules, "raised", _lines_fall),
        theme="collection",
    ),
    Mutant(
        "a transaction from behind the fence is refused",
        (MISSES, DELETES),
        _set(rules, "behind_fence", NEVER),
        theme="collection",
    ),
    Mutant(
        "the smallest base of a merge counts: the largest does",
        (MISSES, DELETES),
        switches=_off(smallest_base=False),
        theme="collection",
    ),
    Mutant(
        "the base is the head at the first upload: the head at the commit",
        (MISSES, DELETES),
        switches=_off(base_at_first_upload=False),
        theme="collection",
    ),
    Mutant(
        "objects are written before the entry", (MISSES, DELETES), switches=_off(upload_first=False)
    ),
    Mutant(
        "gc raises the fence before it deletes",
        (MISSES, DELETES),
        switches=_off(fence_first=False),
        theme="collection",
    ),
    Mutant(
        "gc marks at a head that has the fence: at the one before",
        (MISSES, DELETES),
        switches=_off(mark_after_fence=False),
        theme="collection",
    ),
    Mutant(
        "gc deletes below the fence: at it too",
        (MISSES, DELETES),
        _set(rules, "may_delete", lambda base, state: base <= state.collect_below),
        theme="collection",
    ),
    Mutant(
        "gc keeps what tags hold",
        (DELETES,),
        _set(collect, "kept_snapshots", _recent_only),
        theme="collection",
    ),
    Mutant(
        "gc keeps what is not expired: only what is named",
        (DELETES,),
        _set(collect, "kept_snapshots", _named_only),
        theme="collection",
    ),
    Mutant(
        "gc keeps more than the heads of branches",
        (DELETES,),
        _set(collect, "kept_snapshots", _newest_only),
        theme="collection",
    ),
    Mutant(
        "gc keeps values in lists/",
        (DELETES,),
        _set(collect, "_blobs", _no_blobs),
        theme="collection",
    ),
    Mutant(
        "gc keeps the index of keys",
        (DELETES,),
        _set(collect, "runs_of", lambda entry: ()),
        theme="collection",
    ),
    Mutant(
        "an expired snapshot is not named again",
        (EXPIRED,),
        _set(rules, "is_held", ALWAYS),
        theme="names",
    ),
    Mutant(
        "what a name holds stays open",
        (),
        _set(rules, "is_held", _never_held),
        why="a rule of use, not of safety; tested in test_commits.py",
        theme="names",
    ),
    Mutant(
        "the end is the end",
        (END, FAILS),
        _set(rules, "is_closed", NEVER),
        theme="ends",
    ),
    Mutant(
        "an entry of another dataset has no effect",
        (),
        _set(rules, "takes_effect", ALWAYS),
        why="our writers never write one: a slot is only taken by who has read the entry before "
        "it. It guards against other programs; tested in test_head.py",
    ),
    Mutant(
        "a listing that is not ordered is followed by probes",
        (SEES,),
        _set(head, "_probe", _not_probed),
    ),
    Mutant(
        "a hint is believed only if its entry exists",
        (FAILS, SEES),
        _set(head, "_hinted", _believed_hint),
    ),
)
