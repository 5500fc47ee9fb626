"""Opening, creating, finding and deleting datasets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from aiolake import keys, urls
from aiolake._aio import Opening
from aiolake.dataset.attach import with_core
from aiolake.dataset.columns import describe
from aiolake.dataset.dataset import Dataset, DatasetSpec
from aiolake.dataset.links import check_links
from aiolake.dataset.session import Borrowed, Session
from aiolake.dataset.state import Core, load_state
from aiolake.errors import (
    FormatError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from aiolake.format.entry import Entry
from aiolake.options import Options
from aiolake.types import ColumnType
from aiolake.versions import rules
from aiolake.versions.collect import remove_unreferenced
from aiolake.versions.commit import Context
from aiolake.versions.head import (
    require_dataset,
    snapshot_at,
    snapshot_of,
    snapshot_of_branch,
    snapshot_of_tag,
)
from aiolake.versions.intents import DEFAULT_BRANCH, Close, Create

__all__ = [
    "create_dataset",
    "dataset_exists",
    "delete_dataset",
    "open_dataset",
    "refuse_foreign",
]

T = TypeVar("T")


def open_dataset(
    url: str | os.PathLike[str] | DatasetSpec,
    *,
    branch: str | None = None,
    tag: str | None = None,
    snapshot: int | None = None,
    time: datetime | None = None,
    creds: Any = None,
    token: str | None = None,
    links: Sequence[str | os.PathLike[str]] = (),
    link_creds: Mapping[str, Any] | None = None,
    session: Session | None = None,
    options: Options | None = None,
) -> Opening[Dataset]:
    """Open a dataset: ``ds = await open_dataset(url)``, or ``async with open_dataset(url) as ds``.

    Args:
        url: Where it is (see ``aiolake.urls.parse``), or the spec of a handle.
        branch: Follow this branch; ``main`` by default.
        tag: Or stay at this tag's snapshot.
        snapshot: Or at this snapshot.
        time: Or at the one ``main`` had at this time (aware, or taken as UTC).
        creds: How to get the store's credential: a dict as each cloud's page lists, ``"ENV"``,
            ``"anonymous"`` and other words, or a function; each cloud's default chain without it.
            ``mem:`` and ``file:`` take none.
        token: The hub's token.
        links: Prefixes outside the dataset that references of ``Link`` columns may be followed to,
            as ``["s3://bucket/images/"]``; each ends at a boundary of the path. They are read
            without a credential.
        link_creds: Credentials by name: a reference whose ``creds_key`` is such a name is followed
            with it, wherever it leads.
        session: Share this session's connections and limits.
        options: Limits and sizes; without a session they apply to this dataset alone.

    Raises:
        NotFoundError: No dataset, branch, tag or snapshot there.
        SnapshotExpiredError: The snapshot was expired.
        InvalidInputError: A bad address, or two of branch, tag, snapshot and time.
        FormatError: Something else lies there, or it is of a newer format.

    Cost: one LIST and one GET for the newest snapshot of a branch.
    """
    if isinstance(url, DatasetSpec):
        branch, snapshot = (url.branch, snapshot) if url.branch else (None, url.snapshot)
        options = options or url.options
        links = links or url.links
        creds = url.creds if creds is None else creds
        link_creds = url.link_creds if link_creds is None else link_creds
        url = url.url
    named = [v for v in (branch, tag, snapshot, time) if v is not None]
    if len(named) > 1:
        raise InvalidInputError("give one of branch, tag, snapshot and time")
    _refuse_later_features(token)
    prefixes = check_links(links)
    address = urls.parse(url)
    if snapshot is not None:
        snapshot = keys.check_snapshot(snapshot)
    if time is not None and not isinstance(time, datetime):
        raise InvalidInputError(
            f"time is a datetime.datetime, got {time!r}; a text becomes one with "
            "datetime.fromisoformat()"
        )
    target = _Target(branch, tag, snapshot, time)

    async def opened(core: Core, held: Borrowed) -> Dataset:
        head = await core.log.head()
        if head.entry is None:
            await refuse_foreign(core)
        try:
            newest = require_dataset(head, core.url)
        except NotFoundError as error:
            raise _with_reference(error, core.url) from None
        try:
            entry = await _resolve(core, newest, target)
            state = await load_state(core, head, entry)
        except NotFoundError as error:
            raise await core.explained(error, newest.n) from error
        follows = (branch or DEFAULT_BRANCH) if target.follows_branch else None
        return Dataset(core, held, state, follows, options)

    return Opening(
        lambda: with_core(address, creds, session, options, opened, prefixes, link_creds)
    )


def create_dataset(
    url: str | os.PathLike[str],
    schema: Mapping[str, ColumnType | type],
    *,
    message: str = "",
    author: str = "",
    metadata: Mapping[str, Any] | None = None,
    column_metadata: Mapping[str, Mapping[str, Any]] | None = None,
    key: str | None = None,
    on_duplicate: Literal["refuse", "replace"] = "refuse",
    row_metadata: bool = False,
    creds: Any = None,
    token: str | None = None,
    session: Session | None = None,
    options: Options | None = None,
) -> Opening[Dataset]:
    """Create a dataset without rows and open it.

    Args:
        url: Where; nothing may be there.
        schema: Column types by name, in order.
        message: Said in the history.
        author: Likewise.
        metadata: The dataset's own metadata, JSON values.
        column_metadata: Likewise of columns, by name; ``ds.schema["x"].metadata`` shows it.
        key: A column (``Text``, ``Bytes`` or one integer) whose values name rows: no row is
            without, and ``ds.get`` finds rows by it.
        on_duplicate: What becomes of a row whose key another row has: a commit with it is
            refused, or it replaces that row.
        row_metadata: Rows may have ``"_metadata"``, a JSON value that is read only when named.
        creds: See ``open_dataset``.
        token: See ``open_dataset``.
        session: See ``open_dataset``.
        options: See ``open_dataset``.

    Raises:
        AlreadyExistsError: There is a dataset.
        InvalidInputError: A bad address, column name or type.

    Cost: two LISTs, two creates in a process's first commit to a store, else one.
    """
    address = urls.parse(url)
    _refuse_later_features(token)
    intent = Create(
        dataset=keys.new_id(),
        description=describe(
            schema,
            metadata=metadata,
            column_metadata=column_metadata,
            key=key,
            on_duplicate=on_duplicate,
            row_metadata=row_metadata,
        ),
        message=keys.check_message(message),
        author=keys.check_message(author),
    )

    async def created(core: Core, held: Borrowed) -> Dataset:
        core.store.check_key(keys.LONGEST)
        head = await core.log.head()
        if head.entry is None:
            await refuse_foreign(core)
        context = Context(core.url, keys.new_id())
        committed = await core.log.commit(intent, head, (), context)
        state = await load_state(core, committed.head, committed.entry)
        return Dataset(core, held, state, DEFAULT_BRANCH, options)

    return Opening(lambda: with_core(address, creds, session, options, created))


async def dataset_exists(
    url: str | os.PathLike[str],
    *,
    creds: Any = None,
    token: str | None = None,
    session: Session | None = None,
) -> bool:
    """Whether there is a dataset at an address.

    Cost: one LIST, and one GET if there is a log.
    """
    address = urls.parse(url)
    _refuse_later_features(token)

    async def found(core: Core, held: Borrowed) -> bool:
        try:
            head = await core.log.head()
            return head.entry is not None and not rules.is_closed(head.entry)
        finally:
            await held.aclose_after(core.store)

    return await with_core(address, creds, session, None, found)


async def delete_dataset(
    url: str | os.PathLike[str],
    *,
    purge: bool = False,
    creds: Any = None,
    token: str | None = None,
    session: Session | None = None,
) -> None:
    """Delete a dataset: its samples at once and for good; its log stays, so that nobody who
    still writes can harm a dataset created there later.

    Args:
        url: Where it is.
        purge: Remove the log too: only where no writer can still reach the root.
        creds: See ``open_dataset``.
        token: See ``open_dataset``.
        session: See ``open_dataset``.

    Raises:
        NotFoundError: There is none.
    """
    address = urls.parse(url)
    _refuse_later_features(token)

    async def deleted(core: Core, held: Borrowed) -> None:
        try:
            head = await core.log.head()
            require_dataset(head, core.url)
            closed = await core.log.commit(Close(), head, (), Context(core.url, keys.new_id()))
            await core.log.run(remove_unreferenced(closed.entry))
            if purge:
                await _purge(core)
        finally:
            await held.aclose_after(core.store)

    await with_core(address, creds, session, None, deleted)


async def _purge(core: Core) -> None:
    """Remove everything under the root that is ours, the log's newest entries last."""
    for prefix in (f"{keys.CHUNKS}/", f"{keys.MANIFESTS}/", f"{keys.LISTS}/", keys.LOG):
        found: list[str] = []
        token = None
        while True:
            page = await core.store.list(prefix, token=token)
            found += [item.key for item in page.objects if keys.is_ours(item.key)]
            token = page.token
            if token is None:
                break
        await core.store.delete(list(reversed(found)))


class _Target:
    def __init__(
        self, branch: str | None, tag: str | None, snapshot: int | None, time: datetime | None
    ) -> None:
        self.branch = branch
        self.tag = tag
        self.snapshot = snapshot
        self.time = time

    @property
    def follows_branch(self) -> bool:
        return self.tag is None and self.snapshot is None and self.time is None


async def _resolve(core: Core, head: Entry, target: _Target) -> Entry:
    run = core.log.run
    if target.tag is not None:
        return await run(snapshot_of_tag(head, target.tag))
    if target.snapshot is not None:
        return await run(snapshot_of(head, target.snapshot))
    if target.time is not None:
        return await run(snapshot_at(head, _utc(target.time), DEFAULT_BRANCH))
    return await run(snapshot_of_branch(head, target.branch or DEFAULT_BRANCH))


def _with_reference(error: NotFoundError, url: str) -> NotFoundError:
    """``URL@name`` is the command line's way to name a branch or a tag."""
    before, at, name = url.rpartition("@")
    if not at or "/" in name:
        return error
    message = (
        f"{error.message}. If {name!r} is a branch, a tag or a snapshot of {before}, "
        "say so with branch=, tag= or snapshot="
    )
    return NotFoundError(message, **error.context)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


async def refuse_foreign(core: Core) -> None:
    """A root that holds other things than a dataset is refused, by what lies there."""
    if core.store.listing.value == "none":
        return
    try:
        page = await core.store.list("", limit=100)
    except PermissionDeniedError:
        return  # who may not list cannot be told
    others = [item.key for item in page.objects if not keys.is_ours(item.key)]
    foreign = [key for key in others if not key.startswith(keys.CHECKS)]
    if foreign:
        raise FormatError(
            f"{core.url} holds no aiolake dataset but other objects ({', '.join(foreign[:3])}); "
            "choose an empty address",
            url=core.url,
        )


def _refuse_later_features(token: str | None) -> None:
    if token is not None:
        raise InvalidInputError("token= is for al:// addresses, which this release does not open")
