"""A whole log and its objects, as they are, under the same numbers and keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from aiolake import keys, urls
from aiolake._aio import map_concurrently
from aiolake.dataset.attach import with_core
from aiolake.dataset.copy_rows import Tell
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.open import open_dataset, refuse_foreign
from aiolake.dataset.session import Borrowed
from aiolake.dataset.state import Core
from aiolake.dataset.verify import verify
from aiolake.errors import AlreadyExistsError, CorruptDataError, NotFoundError
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Entry, decode_entry
from aiolake.stores.base import CreateOutcome
from aiolake.stores.scheduled import ScheduledStore
from aiolake.versions.collect import kept_snapshots, keys_of

__all__ = ["copy_history"]

_PARALLEL = 4
_AT_ONCE = 64
_TRAILER = 10
_OBJECTS = (f"{keys.LISTS}/", f"{keys.MANIFESTS}/", f"{keys.CHUNKS}/")
"""What a log may name."""


async def copy_history(
    source: Dataset, target: str, tell: Tell, how: Mapping[str, Any]
) -> tuple[Dataset, int, int]:
    """Copy everything; the copy, opened, with the objects and bytes that were copied.

    Raises:
        AlreadyExistsError: There is something else.
        CorruptDataError: The copy is not sound.
    """
    core = source._core
    head, _ = await core.log.forward(source._state.head)
    entry = source._require_same(head)

    async def copied(there: Core, held: Borrowed) -> tuple[int, int]:
        try:
            there.store.check_key(keys.LONGEST)
            copying = _Copying(core, there, entry, tell)
            await copying.run()
            return copying.n_copied, copying.nbytes
        finally:
            await held.aclose_after(there.store)

    try:
        n_copied, nbytes = await with_core(
            urls.parse(target), how["creds"], how["session"], how["options"], copied
        )
    except NotFoundError as error:
        raise await core.explained(error, entry.n) from error
    done = await open_dataset(target, **how)
    try:
        await _check(done)
    except BaseException:
        await done.aclose()
        raise
    return done, n_copied, nbytes


async def _check(copy: Dataset) -> None:
    verified = await verify(copy)
    if not verified.ok:
        first = verified.problems[0]
        raise CorruptDataError(
            f"the copy at {copy.url} is not sound ({len(verified.problems)} problems, the first: "
            f"{first.message}); verify the source, delete the copy and copy again",
            key=first.key,
        )


def id_of_copy(dataset: str, url: str) -> str:
    """The id of the copy of a dataset at an address: the same when the copy is started again."""
    digest = blake2b(f"{dataset} {url}".encode(), digest_size=17).digest()
    return base64.b32encode(digest).decode().lower()[:26]


class _Copying:
    def __init__(self, here: Core, there: Core, head: Entry, tell: Tell) -> None:
        self._here = here
        self._there = there
        self._head = head
        self._tell = tell
        self._id = id_of_copy(head.dataset, there.url)
        self._total = 0
        self._done = 0
        self.n_copied = 0
        self.nbytes = 0

    async def run(self) -> None:
        """Objects first, then the log: what an entry names is there when it is."""
        await self._check_target()
        kept = await self._here.log.run(kept_snapshots(self._head))
        wanted = await self._here.log.run(keys_of(kept))
        there = await _sizes(self._there.store, _OBJECTS)
        here = await _sizes(self._here.store, _OBJECTS)
        entries = await self._missing_entries([entry.n for entry in kept])
        missing = sorted(key for key in wanted if there.get(key, -1) != here.get(key))
        self._total = len(wanted) + self._head.n
        self._done = self._total - len(missing) - len(entries)
        await self._tell(self._done, self._total, 0)
        await map_concurrently(self._object, missing, limit=_PARALLEL)
        for i in range(0, len(entries), _AT_ONCE):
            await self._some_entries(entries[i : i + _AT_ONCE])

    async def _check_target(self) -> None:
        """See to it that nothing is there but this copy.

        Raises:
            AlreadyExistsError: They are another dataset's, or the copy was written to.
        """
        head = await self._there.log.head()
        if head.entry is None:
            await refuse_foreign(self._there)
            return
        key = keys.entry_key(head.n)
        ours = head.n <= self._head.n and (
            bytes(await self._there.store.get(key)) == await self._entry(head.n)
        )
        if not ours:
            raise AlreadyExistsError(
                f"there is another dataset at {self._there.url}, or a copy that was written to; "
                "choose another address, or remove it with delete_dataset(url, purge=True)",
                url=self._there.url,
            )

    async def _missing_entries(self, kept: Sequence[int]) -> list[int]:
        """The entries that are not there, in the order in which they are to be written."""
        there = {keys.entry_number(key) for key in await _sizes(self._there.store, (keys.LOG,))}
        missing = [n for n in range(1, self._head.n + 1) if n not in there]
        return in_order(missing, kept, self._head.state.expire_below)

    async def _object(self, key: str) -> None:
        data = await self._here.store.get(key)
        await self._there.store.put(key, [data])
        await self._count(len(data))

    async def _some_entries(self, numbers: Sequence[int]) -> None:
        entries = await map_concurrently(self._entry, numbers, limit=_PARALLEL)
        for n, data in zip(numbers, entries, strict=True):
            await self._create(n, data)
            await self._count(len(data))

    async def _create(self, n: int, data: bytes) -> None:
        """Create an entry; one that is there must be the same."""
        key = keys.entry_key(n)
        answer = await self._there.store.create(key, [data])
        if answer is CreateOutcome.CREATED:
            return
        if answer is CreateOutcome.UNKNOWN:
            await self._there.store.create(key, [data])
        if bytes(await self._there.store.get(key)) != data:
            raise AlreadyExistsError(
                f"somebody wrote to {self._there.url} while it was being made; remove it with "
                "delete_dataset(url, purge=True) and copy again",
                url=self._there.url,
            )

    async def _entry(self, n: int) -> bytes:
        """An entry as the copy has it: only the dataset's id is another."""
        key = keys.entry_key(n)
        data = bytes(await self._here.store.get(key))
        entry = decode_entry(data, key)
        if entry.dataset != self._head.dataset:
            return data
        old, new = (f'"dataset":"{id}"'.encode() for id in (entry.dataset, self._id))
        # Within a text the quotes would be escaped: the first match is the member.
        body = data[:-_TRAILER].replace(old, new, 1)
        return b"%s\n%08x\n" % (body, crc32c(body))

    async def _count(self, nbytes: int) -> None:
        self._done += 1
        self.n_copied += 1
        self.nbytes += nbytes
        await self._tell(self._done, self._total, self.nbytes)


def in_order(missing: Sequence[int], kept: Sequence[int], expire_below: int) -> list[int]:
    """In which order entries are written, so that only whole snapshots can be opened meanwhile.

    The oldest first. But the objects of expired snapshots do not come along: where entries of
    that time are missing, and one of them would be the newest for a while, the very newest goes
    first, then those that may be opened under it.

    Args:
        missing: Their numbers, ascending; the last one is the head's, if that is missing.
        kept: Those of snapshots that may be opened.
        expire_below: Of the head.
    """
    if not missing or missing[0] >= expire_below:
        return list(missing)
    held = {missing[-1], *kept}
    return sorted(missing, key=lambda n: (n in held, n), reverse=True)


async def _sizes(store: ScheduledStore, prefixes: Sequence[str]) -> dict[str, int]:
    """The size of every object under some prefixes."""
    found: dict[str, int] = {}
    for prefix in prefixes:
        token = None
        while True:
            page = await store.list(prefix, token=token)
            found.update({item.key: item.size for item in page.objects})
            token = page.token
            if token is None:
                break
    return found
