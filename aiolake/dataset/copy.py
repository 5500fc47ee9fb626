"""Copying a dataset to another address: one snapshot packed anew, or the whole history as it is."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from aiolake import urls
from aiolake.dataset.attach import with_core
from aiolake.dataset.copy_history import copy_history
from aiolake.dataset.copy_rows import copy_rows
from aiolake.dataset.dataset import Dataset, DatasetSpec, require_handle
from aiolake.dataset.open import open_dataset
from aiolake.dataset.session import Borrowed, Session
from aiolake.dataset.state import Core
from aiolake.errors import InvalidInputError, NotFoundError, PermissionDeniedError
from aiolake.options import Options

__all__ = ["Copied", "CopyProgress", "copy_dataset"]

_LOCAL = ("file", "mem")


class CopyProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a copy has come.

    Attributes:
        done: Rows (or, of a history, objects) that are copied.
        total: Of so many.
        nbytes: Bytes copied by this call.
    """

    done: int
    total: int
    nbytes: int


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What ``copy_dataset`` made.

    Attributes:
        url: The copy.
        snapshot: The newest snapshot of its branch ``main``.
        n_rows: The rows of that.
        n_copied: Rows, or objects and entries, copied by this call; the rest was there.
        nbytes: Their bytes.
    """

    url: str
    snapshot: int
    n_rows: int
    n_copied: int
    nbytes: int


OnCopied: TypeAlias = Callable[[CopyProgress], Awaitable[None] | None]


async def copy_dataset(
    source: str | os.PathLike[str] | DatasetSpec | Dataset,
    target: str | os.PathLike[str],
    *,
    branch: str | None = None,
    tag: str | None = None,
    snapshot: int | None = None,
    history: bool = False,
    on_progress: OnCopied | None = None,
    creds: Any = None,
    target_creds: Any = None,
    session: Session | None = None,
    options: Options | None = None,
) -> Copied:
    """Copy a dataset to another address, in any store.

    One snapshot becomes a new dataset with its columns, rows, keys and metadata, packed anew:
    bytes of deleted and replaced rows are left behind. With ``history=True`` every branch, tag
    and snapshot that may be opened comes along, under the same numbers, objects as they are.
    Either way the copy is a dataset of its own. A copy that was killed goes on when it is started
    again: objects of a history are sent once, of rows about the last 256 MiB twice. Of a snapshot
    nothing is visible in ``main`` before all of it is there; of a history, older snapshots may be,
    whole.

    Args:
        source: An address, a spec, or an open dataset (then its snapshot, if nothing else is
            named).
        target: Where; nothing may be there but this very copy, begun or done, that nobody has
            written to. That of a history is brought up to date.
        branch: Copy the newest snapshot of this branch; ``main`` by default.
        tag: Or this tag's.
        snapshot: Or this one.
        history: Or everything.
        on_progress: Called, or awaited, with a ``CopyProgress``: first with what is there.
        creds: Of the source, see ``open_dataset``.
        target_creds: Of the target, likewise.
        session: See ``open_dataset``.
        options: See ``open_dataset``.

    Raises:
        AlreadyExistsError: There is another dataset at the target.
        InvalidInputError: One address lies within the other; ``history`` with one snapshot.
        CorruptDataError: Bytes of the source do not match their checksum; what was copied is
            not visible.

    Cost: every byte that is needed is read once and written once; of a history, the copy is read
    once more to be verified.

    Cancellation: as a kill: start it again.
    """
    if history and (branch, tag, snapshot) != (None, None, None):
        raise InvalidInputError("history=True copies everything; leave branch, tag, snapshot out")
    address = urls.parse(target)
    how: dict[str, Any] = {"session": session, "options": options}
    if isinstance(source, Dataset):
        require_handle(source, "copy_dataset")
        if (branch, tag, snapshot) == (None, None, None):
            return await _copied(source, address, history, on_progress, target_creds, how)
        creds = source._core.creds if creds is None else creds
        source = source.url
    named = {"branch": branch, "tag": tag, "snapshot": snapshot}
    async with open_dataset(source, **named, creds=creds, **how) as opened:  # type: ignore[arg-type]
        return await _copied(opened, address, history, on_progress, target_creds, how)


async def _copied(
    source: Dataset,
    target: urls.Address,
    history: bool,
    on_progress: OnCopied | None,
    creds: Any,
    how: dict[str, Any],
) -> Copied:
    await _check_apart(source, target, creds, how)
    tell = _teller(on_progress)
    copy = copy_history if history else copy_rows
    dataset, n_copied, nbytes = await copy(source, str(target), tell, {"creds": creds, **how})
    async with dataset:
        return Copied(
            url=dataset.url,
            snapshot=dataset.snapshot,
            n_rows=len(dataset),
            n_copied=n_copied,
            nbytes=nbytes,
        )


def _teller(on_progress: OnCopied | None) -> Callable[[int, int, int], Awaitable[None]]:
    async def tell(done: int, total: int, nbytes: int) -> None:
        if on_progress is not None:
            told = on_progress(CopyProgress(done=done, total=total, nbytes=nbytes))
            if inspect.isawaitable(told):
                await told

    return tell


async def _check_apart(
    source: Dataset, target: urls.Address, creds: Any, how: Mapping[str, Any]
) -> None:
    """Refuse a copy onto, into or around its source.

    Addresses alone do not say it: two servers may have buckets of one name.
    """
    here = urls.parse(source.url)
    a, b = (_real(each).rstrip("/") + "/" for each in (here, target))
    if here.scheme != target.scheme or not (a.startswith(b) or b.startswith(a)):
        return
    if here.scheme not in _LOCAL and not await _is_there(source, creds, how):
        return
    if a == b:
        raise InvalidInputError(f"{target} is the dataset that is to be copied; choose another")
    raise InvalidInputError(
        f"one of {here} and {target} lies within the other; choose an address beside it"
    )


async def _is_there(source: Dataset, creds: Any, how: Mapping[str, Any]) -> bool:
    """Whether the target's server has the source, by whatever name each of the two is reached."""

    async def found(there: Core, held: Borrowed) -> bool:
        try:
            entry = (await there.log.head()).entry
        except (NotFoundError, PermissionDeniedError):  # a bucket, or rights, of the target alone
            entry = None
        finally:
            await held.aclose_after(there.store)
        if there.store.server == source._core.store.server:
            return True
        return entry is not None and entry.dataset == source._state.entry.dataset

    return await with_core(urls.parse(source.url), creds, how["session"], how["options"], found)


def _real(address: urls.Address) -> str:
    return os.path.realpath(address.path) if address.scheme == "file" else address.path
