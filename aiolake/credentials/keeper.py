"""Who renews credentials: a session's keeper, in the background, once for everybody."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Hashable
from types import TracebackType
from typing import Self

from aiolake._aio import Clock, SystemClock, Tasks
from aiolake.credentials.cell import Flight, cell_of
from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.lease import Lease, patience_s, renews
from aiolake.credentials.provider import Provider
from aiolake.credentials.timing import Held
from aiolake.credentials.values import Credential
from aiolake.errors import ClosedError

__all__ = ["Keeper"]


class Keeper:
    """Renews what is leased in one session, before it expires; belongs to one event loop.

    ``async with Keeper() as keeper: lease = keeper.lease(provider)``.

    Args:
        clock: Tells the time, and sleeps.
        cache: Where processes of this machine share credentials; none without it.
    """

    def __init__(self, clock: Clock | None = None, cache: HostCache | None = None) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._cache = cache
        self._tasks = Tasks()
        self._leases: weakref.WeakValueDictionary[Hashable, Lease] = weakref.WeakValueDictionary()

    def lease(self, provider: Provider) -> Lease:
        """The lease of a provider's credential; nothing is fetched yet. One for each identity."""
        lease = self._leases.get(provider.identity)
        if lease is None:
            lease = Lease(cell_of(provider.identity), provider, self)
            self._leases[provider.identity] = lease
        return lease

    async def fetch(self, provider: Provider, before: Held | None) -> Credential:
        """A credential from its source, or from another process of this machine that has one."""
        async with asyncio.timeout(patience_s(provider)):
            if self._cache is not None and renews(provider):
                return await self._cache.fetch(provider, before, self.clock.now)
            return await provider.fetch()

    def fly(self, lease: Lease, flight: Flight) -> None:
        """Run a renewal that belongs to nobody who waits for it."""
        try:
            task = self._tasks.start(lease.fly(flight), name="aiolake renewal")
        except ClosedError:
            lease.abandon(flight)
            raise
        # One that is cancelled before its first step does nothing at all, and others wait for it.
        task.add_done_callback(lambda _: lease.abandon(flight))

    def keep(self, lease: Lease) -> None:
        """Renew a lease from now on, for as long as a store holds it."""
        self._tasks.start(_keep(weakref.ref(lease), self.clock), name="aiolake keeper")

    async def aclose(self) -> None:
        """Stop renewing; idempotent."""
        await self._tasks.aclose()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _keep(reference: weakref.ref[Lease], clock: Clock) -> None:
    """Renew until nobody holds the lease; in between only its shadow is held."""
    while (lease := reference()) is not None:
        await lease.renew_if_due()
        pause = max(0.01, lease.seconds_to_renewal())
        del lease
        await clock.sleep(pause)
