"""A dataset's branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiolake import keys
from aiolake.errors import NotFoundError
from aiolake.format.entry import Refs
from aiolake.versions.blobs import load_refs
from aiolake.versions.commit import Context
from aiolake.versions.head import Head
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

    async def _commit(self, intent: Intent, head: Head) -> None:
        core = self._dataset._core
        await core.log.commit(intent, head, (), Context(core.url, keys.new_id()))


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
        """Let a branch name another snapshot; what it named stays until it is expired."""
        n = keys.check_snapshot(snapshot)
        head, refs = await self._refs()
        await self._commit(SetBranch(name=name, snapshot=n, expected=_at(refs, name)), head)

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
