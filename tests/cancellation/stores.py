"""A store every verb of which suspends, before and after it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from aiolake.stores.base import (
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Store,
)

T = TypeVar("T")


class SuspendingStore:
    """Passes on to a store; a cancellation finds each request unsent, sent, or answered."""

    def __init__(self, store: Store) -> None:
        self.inner = store
        self.closed = False

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def listing(self) -> Listing:
        return self.inner.listing

    @property
    def cost(self) -> CostModel:
        return self.inner.cost

    async def get(self, key: str) -> Buffer:
        return await _slowly(self.inner.get(key))

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        return await _slowly(self.inner.get_range(key, start, stop))

    async def head(self, key: str) -> ObjectMeta:
        return await _slowly(self.inner.head(key))

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        await _slowly(self.inner.put(key, data))

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        return await _slowly(self.inner.create(key, data))

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        return await _slowly(self.inner.list(prefix, limit=limit, token=token))

    async def delete(self, keys: Sequence[str]) -> None:
        await _slowly(self.inner.delete(keys))

    async def aclose(self) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            self.closed = True
            await self.inner.aclose()


async def _slowly(call: Coroutine[Any, Any, T]) -> T:
    try:
        await asyncio.sleep(0)
        answer = await call
        await asyncio.sleep(0)
        return answer
    finally:
        call.close()
