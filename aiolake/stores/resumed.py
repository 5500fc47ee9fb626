"""Going on with a range whose answer was cut short, from the byte where it ended."""

from __future__ import annotations

from aiolake.stores.base import Buffer, Store, SupportsMatchedReads
from aiolake.stores.transport.values import CutShortError

__all__ = ["ResumedRead", "usable_part"]

_PARTIAL = 206


def usable_part(error: CutShortError) -> tuple[Buffer, str | None]:
    """What of a cut answer belongs to the range that was asked for, and the object's etag. Pure.

    An answer of the whole object (status 200, from a server without ranges) begins elsewhere.
    """
    response = error.response
    if response is None or response.status != _PARTIAL:
        return b"", None
    return error.received, response.headers.get("etag", "").strip('"') or None


class ResumedRead:
    """One range of one object; each ``attempt`` asks for what is still missing.

    Args:
        store: The store that answers.
        key: The object.
        start: First byte.
        stop: One past the last.
    """

    def __init__(self, store: Store, key: str, start: int, stop: int) -> None:
        self._store = store
        self._key = key
        self._start = start
        self._stop = stop
        self._parts: list[Buffer] = []
        self._n_received = 0
        self._etag: str | None = None

    async def attempt(self) -> Buffer:
        """The whole range.

        Raises:
            CutShortError: Again; what came is kept for the next attempt.
        """
        try:
            rest = await self._rest()
        except CutShortError as error:
            part, etag = usable_part(error)
            if not self._parts or etag == self._etag:
                self._keep(part, etag)
            else:
                self._forget()
            raise
        if rest is None:  # the object was replaced meanwhile
            self._forget()
            rest = await self._store.get_range(self._key, self._start, self._stop)
        return b"".join([*self._parts, rest]) if self._parts else rest

    async def _rest(self) -> Buffer | None:
        at, store = self._start + self._n_received, self._store
        if self._parts and self._etag is not None and isinstance(store, SupportsMatchedReads):
            return await store.get_matching(self._key, at, self._stop, self._etag)
        return await store.get_range(self._key, at, self._stop)

    def _keep(self, part: Buffer, etag: str | None) -> None:
        if len(part):
            self._parts.append(part)
            self._n_received += len(part)
            self._etag = etag

    def _forget(self) -> None:
        self._parts, self._n_received, self._etag = [], 0, None
