"""What everything opened in one event loop shares."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, NoReturn, Self

from aiolake._aio import (
    Clock,
    Guard,
    LoopRegistry,
    Pace,
    SystemClock,
    Tasks,
    WorkPool,
    keep_in_child,
)
from aiolake.chunks.cache import MemoryCache
from aiolake.chunks.disk import DiskCache, DiskCacheStatistics
from aiolake.chunks.heap import keep_freed_memory
from aiolake.errors import InvalidInputError
from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler, SchedulerStatistics
from aiolake.urls import Address

__all__ = ["Borrowed", "Session", "StoreFactory", "borrow"]

_log = logging.getLogger("aiolake")

StoreFactory = Callable[..., Store]


class Session:
    """Connections, scheduler, cache and threads of one event loop, shared by many datasets.

    ``async with aiolake.Session(options) as session: ds = await open_dataset(url,
    session=session)``. Without one, datasets share the loop's default session, which lives as
    long as any of them is open.

    Args:
        options: Limits, for everything opened in it.
        store_factory: Makes a store from ``(address, creds=..., options=..., network=...)``: for
            stores of one's own, or to wrap those that ``open_store`` makes.
        clock: Tells the time.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        store_factory: StoreFactory = open_store,
        clock: Clock | None = None,
    ) -> None:
        self.options = options if options is not None else Options()
        if not isinstance(self.options, Options):
            raise InvalidInputError(f"options must be aiolake.Options, got {options!r}")
        keep_freed_memory()
        self._store_factory = store_factory
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._scheduler = Scheduler(self.options, clock=self._clock)
        self._network = Network(self.options, clock=self._clock)
        self._cache = MemoryCache(self.options.cache_bytes)
        self._disk = _disk_cache(self.options)
        self._pace = Pace()
        self._pool = WorkPool(self.options.decode_threads)
        self._guard = Guard("session")
        self._background: Tasks | None = None
        self._stores: weakref.WeakSet[ScheduledStore] = weakref.WeakSet()
        keep_in_child(self)

    @property
    def closed(self) -> bool:
        """Whether ``aclose`` was called."""
        return self._guard.closed

    def statistics(self) -> SchedulerStatistics:
        """Requests, bytes, retries and what is in flight now."""
        return self._scheduler.statistics()

    def disk_cache_statistics(self) -> DiskCacheStatistics | None:
        """Hits, misses, bytes and evictions of the disk cache; ``None`` without one."""
        return None if self._disk is None else self._disk.statistics()

    def _open_store(self, address: Address, creds: Any, options: Options) -> ScheduledStore:
        self._guard.check()
        inner = self._store_factory(address, creds=creds, options=options, network=self._network)
        store = ScheduledStore(inner, self._scheduler)
        self._stores.add(store)
        return store

    async def _start(self) -> None:
        self._guard.check()
        if self._background is None:
            self._background = Tasks()
            await self._background.__aenter__()
            await self._network.__aenter__()

    def _leave(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background that nobody waits for."""
        if self._background is None or self.closed:
            work.close()
            return
        task = self._background.start(work, name="aiolake background")
        task.add_done_callback(_log_failure)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; make one in each process")

    async def aclose(self) -> None:
        """Close it; datasets opened in it refuse further work. Idempotent; no-op after a fork.

        Raises:
            WrongLoopError: It belongs to another loop or thread.

        Cancellation: goes on once background work has ended.
        """
        if self.closed or self._guard.forked:
            return
        self._guard.check()
        self._guard.close()
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._pool.aclose)
            if self._disk is not None:
                closing.push_async_callback(self._disk.aclose)
            closing.push_async_callback(self._network.aclose)
            for store in list(self._stores):
                closing.push_async_callback(store.aclose)
            if self._background is not None:
                closing.push_async_callback(self._background.aclose)
            # Else what was read before could still be read, and memory stayed with the handles.
            closing.callback(self._cache.clear)

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _disk_cache(options: Options) -> DiskCache | None:
    if options.disk_cache is None:
        return None
    return DiskCache(options.disk_cache, options.disk_cache_bytes)


def _log_failure(task: asyncio.Task[Any]) -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        _log.warning("background work failed", exc_info=failure)


_defaults: LoopRegistry[Session] = LoopRegistry()


class Borrowed:
    """A session in use: borrowed from the caller, the loop's default, or one's own."""

    def __init__(self, session: Session, release: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.session = session
        self._release = release
        self._released = False

    async def aclose(self) -> None:
        """Give it back."""
        if not self._released:
            self._released = True
            await self._release()

    async def aclose_after(self, store: Store) -> None:
        """Close a store that was opened in it, then give it back, also when cancelled meanwhile."""
        try:
            await store.aclose()
        finally:
            await self.aclose()


async def borrow(session: Session | None, options: Options | None) -> Borrowed:
    """The session to use: the given one; one of its own for given options; else the default."""
    if session is not None:
        if not isinstance(session, Session):
            raise InvalidInputError(f"session must be an aiolake.Session, got {session!r}")
        await session._start()
        return Borrowed(session, _nothing)
    if options is not None:
        own = Session(options)
        await own._start()
        return Borrowed(own, own.aclose)
    shared = _defaults.acquire(Session)
    await shared._start()
    return Borrowed(shared, lambda: _defaults.release(shared))


async def _nothing() -> None:
    return None
