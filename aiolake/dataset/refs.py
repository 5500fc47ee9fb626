"""A dataset's branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiolake import keys
from aiolake.dataset.keys import KeyCacheOf
from aiolake.errors import NotFoundError, ReadOnlyError
from aiolake.format.entry import Refs
from aiolake.versions.blobs import load_refs
from aiolake.versions.commit import Context
from aiolake.versions.head import Head, snapshot_of, snapshot_of_branch
from aiolake.versions.intents import Intent, SetBranch, SetTag

if TYPE_CHECKING:
    from aiolake.dataset.dataset import Dataset

__all__ = ["Branches", "Tags"]


class _Names:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    async def _refs(self) -> tuple[Head, Refs]:
        self._dataset._guard.check()
        core = self._dataset._core
        head, _ = await core.log.forward(self._dataset._state.head)
        entry = self._dataset._require_same(head)
        return head, await core.log.run(load_refs(entry))

    async def _commit(self, intent: Intent, head: Head) -> Head:
        core = self._dataset._core
        committed = await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))
        return committed.head


class Branches(_Names):
    """Moving names of snapshots: ``ds.branches``."""

    async def list(self) -> dict[str, int]:
        """Each branch's newest snapshot."""
        _, refs = await self._refs()
        return {name: n for name, n in sorted(refs.branches.items()) if n is not None}

    async def create(self, name: str, snapshot: int | None = None) -> None:
        """Create a branch at a snapshot; by default at the handle's own.

        Raises:
            AlreadyExistsError: There is one of that name.
            SnapshotExpiredError: The snapshot may not be opened any more.
        """
        keys.check_ref_name(name, "branch")
        head, refs = await self._refs()
        n = self._dataset.snapshot if snapshot is None else keys.check_snapshot(snapshot)
        if name in refs.tags:
            raise _taken(name, "tag")
        await self._commit(SetBranch(name=name, snapshot=n, expected=None), head)

    async def move(self, name: str, snapshot: int) -> None:
        """Let a branch name another snapshot; what it named stays until it is expired.

        A handle on the branch that moves it goes with it.
        """
        n = keys.check_snapshot(snapshot)
        head, refs = await self._refs()
        intent = SetBranch(name=name, snapshot=n, expected=_at(refs, name))
        head = await self._commit(intent, head)
        if name == self._dataset.branch:
            await self._dataset._follow(head)

    async def merge(self, name: str, *, message: str = "", author: str = "") -> int | None:
        """Merge another branch's newest snapshot into the handle's branch.

        The rows that it appended since the two parted are appended, with their metadata and keys;
        its updates, deletes, new columns and changes of metadata are made here too. Payloads are
        shared, not copied. Where this branch did nothing since, it takes over the other's content.

        Args:
            name: The other branch.
            message: Said in the history.
            author: Likewise.

        Returns:
            The new snapshot's number, or ``None`` when there is nothing to merge.

        Raises:
            ConflictError: The branches did what cannot be told apart: they changed one row, gave
                one key or name, or one of them dropped or renamed columns or was restored. It
                says what and in which snapshot, and what to do.
            ReadOnlyError: The handle is fixed at a snapshot.
            NotFoundError: There is no branch of that name.

        Cost: about one GET for each commit since they parted, and for each list of pieces that
        they do not share; no payload.
        """
        # Loaded when first needed: opening a dataset is to stay quick.
        from aiolake.versions.lineage import lineage
        from aiolake.versions.merge import Merge

        dataset = self._dataset
        dataset._guard.check()
        if dataset.branch is None:
            raise ReadOnlyError("this handle is fixed at a snapshot; open a branch to merge into")
        keys.check_message(message)
        keys.check_message(author)
        head, refs = await self._refs()
        n = _at(refs, name)
        assert head.entry is not None
        log = dataset._core.log
        ours = await log.run(snapshot_of_branch(head.entry, dataset.branch))
        theirs = await log.run(snapshot_of(head.entry, n))
        if not (await log.run(lineage(ours, theirs))).theirs:
            return None
        intent = Merge(
            on_branch=dataset.branch,
            snapshot=n,
            source=name,
            message=message,
            author=author,
            cache=KeyCacheOf(dataset._core),
        )
        context = Context(dataset.url, keys.new_id())
        committed = await log.commit(intent, head, (), context)
        await dataset._follow(committed.head)
        return committed.entry.n

    async def delete(self, name: str) -> None:
        """Delete a branch; its snapshots stay until they are expired."""
        head, refs = await self._refs()
        await self._commit(SetBranch(name=name, snapshot=None, expected=_at(refs, name)), head)


class Tags(_Names):
    """Fixed names of snapshots: ``ds.tags``."""

    async def list(self) -> dict[str, int]:
        """Each tag's snapshot."""
        _, refs = await self._refs()
        return {name: n for name, n in sorted(refs.tags.items()) if n is not None}

    async def create(self, name: str, snapshot: int | None = None) -> None:
        """Create a tag at a snapshot; by default at the handle's own."""
        keys.check_ref_name(name, "tag")
        head, refs = await self._refs()
        n = self._dataset.snapshot if snapshot is None else keys.check_snapshot(snapshot)
        if name in refs.branches:
            raise _taken(name, "branch")
        await self._commit(SetTag(name=name, snapshot=n, expected=None), head)

    async def delete(self, name: str) -> None:
        """Delete a tag."""
        head, refs = await self._refs()
        n = refs.tags.get(name)
        if n is None:
            raise NotFoundError(f"there is no tag {name!r}", tag=name)
        await self._commit(SetTag(name=name, snapshot=None, expected=n), head)


def _at(refs: Refs, name: str) -> int:
    n = refs.branches.get(name)
    if n is None:
        raise NotFoundError(f"there is no branch {name!r}", branch=name)
    return n


def _taken(name: str, what: str) -> Exception:
    from aiolake.errors import AlreadyExistsError

    return AlreadyExistsError(f"{name!r} is the name of a {what} already")
