"""The newest state of a log, also where its newest entries are damaged."""

from __future__ import annotations

import msgspec

from aiolake import keys
from aiolake.dataset.state import Core
from aiolake.errors import FormatError, NotFoundError, UnsupportedVersionError
from aiolake.format.entry import Entry, decode_entry
from aiolake.versions import rules
from aiolake.versions.head import Head, require_dataset

__all__ = ["Newest", "newest_of"]


class Newest(msgspec.Struct, frozen=True):
    """What is known of the end of a log.

    Attributes:
        n: The newest slot taken.
        entry: The newest entry that can be read; ``None`` where none is, or the dataset was closed
            before a damaged entry.
        whole: Nothing newer than ``entry`` is damaged.
    """

    n: int
    entry: Entry | None
    whole: bool = True

    @property
    def head(self) -> Head:
        """As a head."""
        return Head(self.n, self.entry)


async def newest_of(core: Core, known: Head | None = None) -> Newest:
    """The head; where it cannot be read, the newest entry before it that can.

    Raises:
        NotFoundError: There is no dataset.
        UnsupportedVersionError: It is of a newer format.
    """
    try:
        found = await core.log.head() if known is None else (await core.log.forward(known))[0]
        return Newest(found.n, require_dataset(found, core.url))
    except UnsupportedVersionError:
        raise
    except FormatError as error:
        damaged = keys.entry_number(str(error.context.get("key")))
        if damaged is None:
            raise
    return await _around(core, damaged)


async def _around(core: Core, damaged: int) -> Newest:
    n = damaged
    while await _is_there(core, n + 1):
        n += 1
    for number in range(n, 0, -1):
        key = keys.entry_key(number)
        try:
            entry = decode_entry(await core.store.get(key), key)
        except (FormatError, NotFoundError):
            continue
        return Newest(n, None if rules.is_closed(entry) else entry, whole=False)
    return Newest(n, None, whole=False)


async def _is_there(core: Core, n: int) -> bool:
    try:
        await core.store.get(keys.entry_key(n))
    except NotFoundError:
        return False
    return True
