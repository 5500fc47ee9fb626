"""Objects in this process's memory: for tests, examples and scratch datasets."""

from __future__ import annotations

import os
import threading
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from aiolake.errors import ClosedError, NotFoundError
from aiolake.stores.base import Buffer, CostModel, CreateOutcome, Listing, ListPage, ObjectMeta
from aiolake.stores.checks import check_key, check_limit, check_range

__all__ = ["MemoryObjects", "MemoryStore"]

_COST = CostModel(gap_bytes=4096)

# One lock for all roots, held across fork: a child must not inherit it locked by a thread that
# does not exist there, nor objects half changed.
_lock = threading.Lock()
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


class MemoryObjects:
    """The objects of one root; thread-safe, and shared by every store made from it."""

    def __init__(self) -> None:
        self._data: dict[str, memoryview] = {}
        self._keys: list[str] = []

    def find(self, key: str) -> memoryview | None:
        """The bytes of an object, or ``None``."""
        return self._data.get(key)

    def create(self, key: str, data: memoryview) -> bool:
        """Add an object and say ``True``, or ``False`` where there is one."""
        with _lock:
            if key in self._data:
                return False
            self._data[key] = data
            insort(self._keys, key)
            return True

    def put(self, key: str, data: memoryview) -> None:
        """Add or replace an object."""
        with _lock:
            if key not in self._data:
                insort(self._keys, key)
            self._data[key] = data

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        with _lock:
            if self._data.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]

    def page(self, prefix: str, limit: int, token: str | None) -> ListPage:
        """One page of keys in order; code point order of text is byte order of UTF-8."""
        with _lock:
            keys = self._keys
            first = bisect_left(keys, prefix)
            if token is not None:
                first = max(first, bisect_right(keys, token))
            found = [key for key in keys[first : first + limit + 1] if key.startswith(prefix)]
            objects = tuple(ObjectMeta(key, len(self._data[key])) for key in found[:limit])
        return ListPage(objects, objects[-1].key if len(found) > limit else None)


_roots: dict[str, MemoryObjects] = {}


class MemoryStore:
    """A store in memory.

    Args:
        url: Its address, for messages and cache keys.
        objects: The objects it shows; a new, private set without it.
    """

    def __init__(self, url: str = "mem://private", objects: MemoryObjects | None = None) -> None:
        self._url = url
        self._objects = objects if objects is not None else MemoryObjects()
        self._closed = False

    @classmethod
    def named(cls, name: str) -> MemoryStore:
        """The process-wide root ``mem://name``; every store of one name shows the same objects."""
        with _lock:
            objects = _roots.setdefault(name, MemoryObjects())
        return cls(f"mem://{name}", objects)

    @property
    def url(self) -> str:
        """The root's address."""
        return self._url

    @property
    def listing(self) -> Listing:
        """Ordered and consistent."""
        return Listing.ORDERED

    @property
    def cost(self) -> CostModel:
        """Requests cost next to nothing."""
        return _COST

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        return self._find(key)

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)`` of an object, without a copy."""
        check_range(key, start, stop)
        return self._find(key)[start:stop]

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """As ``get_range``, or ``None`` where there is no such object."""
        if not 0 <= start <= stop:
            check_range(key, start, stop)
        found = self._objects.find(key)
        return None if found is None or self._closed else found[start:stop]

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object; its etag is its crc32 in hex."""
        data = self._find(key)
        return ObjectMeta(key, len(data), f"{zlib.crc32(data):08x}")

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any."""
        self._check(key)
        self._objects.put(key, _joined(data))

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none."""
        self._check(key)
        created = self._objects.create(key, _joined(data))
        return CreateOutcome.CREATED if created else CreateOutcome.EXISTS

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``, in order."""
        self._check_open()
        check_limit(limit)
        return self._objects.page(prefix, limit, token)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""
        for key in keys:
            self._check(key)
        for key in keys:
            self._objects.delete(key)

    async def aclose(self) -> None:
        """Refuse further requests; the objects of a named root stay."""
        self._closed = True

    def _find(self, key: str) -> memoryview:
        self._check(key)
        found = self._objects.find(key)
        if found is None:
            raise NotFoundError(f"there is no object {key!r} in {self._url}", key=key)
        return found

    def _check(self, key: str) -> None:
        self._check_open()
        check_key(key)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the store {self._url} was closed; open it again", url=self._url)


def _joined(data: Sequence[Buffer]) -> memoryview:
    """The object's own read-only copy: callers may reuse their buffers."""
    return memoryview(b"".join(data))
