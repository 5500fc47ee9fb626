"""Datasets on stores that count, wait or fail, and comparisons of values."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from PIL import Image as PillowImage

import aiolake
from aiolake._aio import Clock
from aiolake.options import Options
from aiolake.stores.base import (
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Store,
    SupportsImmediateReads,
)
from aiolake.stores.memory import MemoryStore
from aiolake.testing import CountingStore

_numbers = count()


def new_url() -> str:
    """An address of this test's own: the engine remembers, by address, what it saw of a store."""
    return f"mem://dataset-test-{next(_numbers)}"


class Remote:
    """A store that must be waited for, as a remote one, and that stays open when it is closed.

    Args:
        store: The store that answers; other handles go on using it.
    """

    def __init__(self, store: Store) -> None:
        self.inner = store

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
        return await self.inner.get(key)

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        return await self.inner.get_range(key, start, stop)

    async def head(self, key: str) -> ObjectMeta:
        return await self.inner.head(key)

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        await self.inner.put(key, data)

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        return await self.inner.create(key, data)

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        return await self.inner.list(prefix, limit=limit, token=token)

    async def delete(self, keys: Sequence[str]) -> None:
        await self.inner.delete(keys)

    async def aclose(self) -> None:
        return None


class Near(Remote):
    """As ``Remote``, but it answers at once where the inner store does."""

    def get_range_now(self, key: str, start: int, stop: int) -> Buffer | None:
        if isinstance(self.inner, SupportsImmediateReads):
            return self.inner.get_range_now(key, start, stop)
        return None


class Backend:
    """One root whose requests are counted, whoever opens it.

    Args:
        store: What answers; a private memory store by default.
        near: Whether immediate reads are offered.
    """

    def __init__(self, store: Store | None = None, *, near: bool = False) -> None:
        self.store = store if store is not None else MemoryStore(new_url())
        self.counting = CountingStore(self.store)
        self.url = self.store.url
        self._near = near

    def session(self, options: Options | None = None, clock: Clock | None = None) -> Any:
        """A session whose stores are this root."""

        def factory(*_args: Any, **_kwargs: Any) -> Store:
            return Near(self.counting) if self._near else Remote(self.counting)

        return aiolake.Session(options, store_factory=factory, clock=clock)


async def stored(store: Store) -> dict[str, bytes]:
    """Every object of a store."""
    found: dict[str, bytes] = {}
    token = None
    while True:
        page = await store.list("", token=token)
        for item in page.objects:
            found[item.key] = bytes(await store.get(item.key))
        token = page.token
        if token is None:
            return found


def png(height: int, width: int, seed: int = 0) -> bytes:
    """A small picture, encoded."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    PillowImage.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def same(found: object, expected: object) -> bool:
    """Whether two values are equal, to the type, dtype and shape."""
    if isinstance(expected, np.ndarray):
        return (
            isinstance(found, np.ndarray)
            and found.dtype == expected.dtype
            and found.shape == expected.shape
            and found.tobytes() == expected.tobytes()
        )
    if isinstance(expected, float):
        return (
            isinstance(found, float)
            and np.float64(found).tobytes() == np.float64(expected).tobytes()
        )
    return type(found) is type(expected) and found == expected
