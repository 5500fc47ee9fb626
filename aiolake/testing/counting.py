"""A store that counts what is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from aiolake.stores.base import (
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Store,
    SupportsImmediateReads,
    total_nbytes,
)

__all__ = ["CountingStore", "Counts", "Request", "kind_of"]

KINDS = ("log", "lists", "manifests", "chunks")
"""The kinds of keys; every other key is ``"other"``."""


def kind_of(key: str) -> str:
    """The kind of a key or prefix: its first part if it is one of KINDS, else ``"other"``."""
    first = key.partition("/")[0]
    return first if first in KINDS else "other"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: for ``list`` the key is the prefix; ``nbytes`` were read or written."""

    verb: str
    key: str
    nbytes: int = 0

    @property
    def kind(self) -> str:
        """The kind of its key."""
        return kind_of(self.key)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was asked so far. An immediate read counts as a ``get_range``."""

    requests: tuple[Request, ...] = ()

    def select(self, *verbs: str, kind: str | None = None) -> tuple[Request, ...]:
        """Requests of these verbs (all without any) on keys of this kind (all without it)."""
        return tuple(
            request
            for request in self.requests
            if (not verbs or request.verb in verbs) and kind in (None, request.kind)
        )

    def n(self, *verbs: str, kind: str | None = None) -> int:
        """How many."""
        return len(self.select(*verbs, kind=kind))

    def nbytes(self, *verbs: str, kind: str | None = None) -> int:
        """How many bytes they read or wrote."""
        return sum(request.nbytes for request in self.select(*verbs, kind=kind))

    def keys(self, *verbs: str, kind: str | None = None) -> list[str]:
        """Their keys, in the order asked."""
        return [request.key for request in self.select(*verbs, kind=kind)]

    def by_verb_and_kind(self) -> dict[tuple[str, str], int]:
        """How many of each, for a failure message that says it all."""
        return dict(Counter((request.verb, request.kind) for request in self.requests))

    def __str__(self) -> str:
        parts = sorted(self.by_verb_and_kind().items())
        return ", ".join(f"{n} {verb} {kind}" for (verb, kind), n in parts) or "no requests"


class CountingStore:
    """Passes everything on to a store and records it; a failed request counts too.

    Args:
        store: The store that answers; closed with this one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._now = store.get_range_now if isinstance(store, SupportsImmediateReads) else None
        self._requests: list[Request] = []

    @property
    def counts(self) -> Counts:
        """What was asked since the last reset."""
        return Counts(tuple(self._requests))

    def reset(self) -> Counts:
        """Start anew; what was counted until now."""
        counts = self.counts
        self._requests.clear()
        return counts

    @property
    def url(self) -> str:
        """The inner store's."""
        return self._store.url

    @property
    def listing(self) -> Listing:
        """The inner store's."""
        return self._store.listing

    @property
    def cost(self) -> CostModel:
        """The inner store's."""
        return self._store.cost

    async def get(self, key: str) -> Buffer:
        """As the inner store."""
        return await self._reading("get", key, self._store.get(key))

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """As the inner store."""
        return await self._reading("get_range", key, self._store.get_range(key, start, stop))

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        """As the inner store; counted when it answers."""
        data = self._now(key, start, stop) if self._now is not None else None
        if data is not None:
            self._requests.append(Request("get_range", key, len(data)))
        return data

    async def head(self, key: str) -> ObjectMeta:
        """As the inner store."""
        self._requests.append(Request("head", key))
        return await self._store.head(key)

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """As the inner store."""
        self._requests.append(Request("put", key, total_nbytes(data)))
        await self._store.put(key, data)

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """As the inner store."""
        self._requests.append(Request("create", key, total_nbytes(data)))
        return await self._store.create(key, data)

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """As the inner store; each page is a request."""
        self._requests.append(Request("list", prefix))
        return await self._store.list(prefix, limit=limit, token=token)

    async def delete(self, keys: Sequence[str]) -> None:
        """As the inner store; one request for each key."""
        self._requests.extend(Request("delete", key) for key in keys)
        await self._store.delete(keys)

    async def aclose(self) -> None:
        """Close the inner store."""
        await self._store.aclose()

    async def _reading(self, verb: str, key: str, answer: Coroutine[Any, Any, Buffer]) -> Buffer:
        nbytes = 0
        try:
            data = await answer
            nbytes = len(data)
        finally:
            self._requests.append(Request(verb, key, nbytes))
        return data
