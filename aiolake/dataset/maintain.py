"""Upkeep: expiring snapshots and collecting garbage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from aiolake import keys
from aiolake.dataset.dataset import Dataset, require_handle
from aiolake.dataset.state import Core
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.format.entry import Entry
from aiolake.versions import rules
from aiolake.versions.collect import entry_at_time, remove_unreferenced
from aiolake.versions.commit import Context
from aiolake.versions.head import Head, require_dataset
from aiolake.versions.intents import Collect, Expire

__all__ = ["Collected", "expire", "gc"]

DEFAULT_GRACE = timedelta(days=1)


async def expire(
    dataset: Dataset, *, older_than: timedelta | None = None, below: int | None = None
) -> int:
    """Let go of old snapshots: they may be opened no more, and ``gc`` may remove their objects.

    Snapshots that a branch or tag names are kept.

    Args:
        dataset: Any handle of it.
        older_than: Snapshots that were committed longer ago than this.
        below: Or snapshots with a smaller number.

    Returns:
        The number below which snapshots are expired now.
    """
    require_handle(dataset, "expire")
    if (older_than is None) == (below is None):
        raise InvalidInputError("expire() takes older_than or below, one of them")
    if older_than is not None:
        _check_period("older_than", older_than)
    below = None if below is None else keys.check_snapshot(below)
    core = dataset._core
    head, _ = await core.log.forward(dataset._state.head)
    entry = dataset._require_same(head)
    if below is None:
        assert older_than is not None
        cutoff = core.session._clock.now() - older_than
        below = await core.log.run(entry_at_time(entry, cutoff))
    intent = Expire(below=below)
    committed = await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
    return committed.entry.state.expire_below


def _check_period(name: str, period: object) -> None:
    if not isinstance(period, timedelta):
        raise InvalidInputError(f"{name} is a datetime.timedelta, got {period!r}")
    if period < timedelta(0):
        raise InvalidInputError(f"{name} must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What ``gc`` removed, or would remove.

    Attributes:
        keys: The objects.
        below: Transactions that began below this entry can commit no more.
        dry_run: Nothing was removed, and no entry was written.
        n_temporaries: Unfinished files of killed writers removed (local stores).
    """

    keys: tuple[str, ...]
    below: int
    dry_run: bool
    n_temporaries: int = 0


async def gc(
    dataset: Dataset, *, grace: timedelta = DEFAULT_GRACE, dry_run: bool = False
) -> Collected:
    """Remove objects that no snapshot needs which may still be opened.

    First an entry raises a fence: transactions that began before the grace period are refused
    from then on. So nothing that is removed can ever be needed, whatever the clocks say.

    Args:
        dataset: Any handle of it.
        grace: Transactions younger than this may go on. ``timedelta(0)`` ends all of them.
        dry_run: Only say what would be removed.

    Cost: one GET for each snapshot, list and manifest that may still be opened, and a listing.
    """
    require_handle(dataset, "gc")
    _check_period("grace", grace)
    core = dataset._core
    head, _ = await core.log.forward(dataset._state.head)
    entry = dataset._require_same(head)
    below: int | None = None
    if grace:
        cutoff = core.session._clock.now() - grace
        below = max(entry.state.first, await core.log.run(entry_at_time(entry, cutoff)) - 1)
    if dry_run:
        fenced = _fenced(entry, head.n + 1 if below is None else below)
        unwanted = await core.log.run(remove_unreferenced(fenced, dry_run=True))
        return Collected(keys=unwanted, below=fenced.state.collect_below, dry_run=True)
    intent = Collect(below=below)
    committed = await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
    newest, removed = await _remove(core, committed.head)
    clean = getattr(core.store.inner, "clean_temporaries", None)
    n_temporaries = 0 if clean is None else await clean(grace)
    return Collected(
        keys=removed,
        below=newest.state.collect_below,
        dry_run=False,
        n_temporaries=n_temporaries,
    )


async def _remove(core: Core, head: Head) -> tuple[Entry, tuple[str, ...]]:
    """Remove what the newest head does not need; again where another gc was faster."""
    while True:
        head, _ = await core.log.forward(head)
        entry = require_dataset(head, core.url)
        try:
            return entry, await core.log.run(remove_unreferenced(entry))
        except NotFoundError:
            # What this head kept was expired and collected meanwhile: a newer one says so.
            newer, _ = await core.log.forward(head)
            if newer.n == head.n:
                raise
            head = newer


def _fenced(entry: Entry, below: int) -> Entry:
    """An entry as it would be with its fence raised."""
    return msgspec.structs.replace(entry, state=rules.raised(entry.state, collect_below=below))
