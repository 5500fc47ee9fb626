"""The rules that make the log right, each a small function.

The schedule simulator in the tests turns them off one by one and must see each violation.
Source: docs/spec/v1.md, "The log".
"""

from __future__ import annotations

from datetime import datetime

from aiolake.format.entry import Entry, LogState, Refs

__all__ = [
    "behind_fence",
    "entry_time",
    "is_closed",
    "is_held",
    "is_ours",
    "is_settled",
    "may_delete",
    "next_ids",
    "raised",
    "refuses_duplicates",
    "takes_effect",
]


def takes_effect(previous: Entry | None, entry: Entry) -> bool:
    """Whether an entry changes anything: it belongs to the dataset, or creates it anew.

    An entry of another dataset fills its slot and has no effect, nor has one after the end.
    """
    if previous is None:
        return True
    if is_closed(previous):
        return is_closed(entry) or entry.operation.kind == "create"
    return entry.dataset == previous.dataset


def is_closed(entry: Entry) -> bool:
    """Whether the dataset was deleted by this entry."""
    return entry.operation.kind == "closed"


def is_ours(entry: Entry, write_id: str) -> bool:
    """Whether the entry in a slot is the one we tried to put there, rather than another's."""
    return entry.write_id == write_id


def behind_fence(min_base: int, state: LogState) -> bool:
    """Whether a transaction that began at ``min_base`` may have lost objects to gc."""
    return min_base < state.collect_below


def may_delete(base: int, state: LogState) -> bool:
    """Whether an unreferenced object with this base can never become referenced."""
    return base < state.collect_below


def is_settled(slot: int | None, head: int) -> bool:
    """Whether a put to a slot can land no more, since the slot is taken."""
    return slot is not None and slot <= head


def is_held(snapshot: int, state: LogState, refs: Refs) -> bool:
    """Whether a snapshot may be opened or named: not expired, or a branch or tag holds it."""
    named = (*refs.branches.values(), *refs.tags.values())
    return state.first <= snapshot and (snapshot >= state.expire_below or snapshot in named)


def next_ids(state: LogState, n_rows: int, n_columns: int) -> LogState:
    """The log's state after ids were given: the counters only ever grow."""
    return LogState(
        first=state.first,
        next_row_id=state.next_row_id + n_rows,
        next_column_id=state.next_column_id + n_columns,
        expire_below=state.expire_below,
        collect_below=state.collect_below,
    )


def refuses_duplicates(on_duplicate: str) -> bool:
    """Whether a commit of a key that a row has is refused; else it removes that row."""
    return on_duplicate == "refuse"


def raised(state: LogState, *, expire_below: int = 0, collect_below: int = 0) -> LogState:
    """The log's state with its lines moved up; they never move down."""
    return LogState(
        first=state.first,
        next_row_id=state.next_row_id,
        next_column_id=state.next_column_id,
        expire_below=max(state.expire_below, expire_below),
        collect_below=max(state.collect_below, collect_below),
    )


def entry_time(clock: datetime, previous: Entry | None) -> str:
    """An entry's time: the clock's, but never before the previous entry's."""
    text = clock.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return text if previous is None else max(text, previous.time)
