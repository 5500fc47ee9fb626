"""What the network stores of one session share: connections, clients and credentials."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from aiolake._aio import Clock, Closeable, SystemClock
from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.keeper import Keeper
from aiolake.options import Options

if TYPE_CHECKING:
    from aiolake.stores.transport.client import Transport

__all__ = ["Network"]

R = TypeVar("R", bound=Closeable)


class Network:
    """One for each session, on its event loop; entered before a store uses it, then closed.

    ``async with Network(options) as network: store = open_store(address, network=network)``.

    Args:
        options: Limits and deadlines.
        clock: Tells the time.

    Attributes:
        options: As given.
        clock: As given.
        keeper: Leases credentials and renews them.
    """

    def __init__(self, options: Options | None = None, *, clock: Clock | None = None) -> None:
        self.options = options if options is not None else Options()
        self.clock: Clock = clock if clock is not None else SystemClock()
        cache = self.options.credential_cache
        self.keeper = Keeper(self.clock, None if cache is None else HostCache(cache))
        self._transport: Transport | None = None
        self._shared: dict[Hashable, Closeable] = {}

    @property
    def transport(self) -> Transport:
        """The session's HTTP client; loaded when first asked for."""
        if self._transport is None:
            from aiolake.stores.transport.client import Transport

            self._transport = Transport(self.options)
        return self._transport

    def shared(self, key: Hashable, make: Callable[[], R]) -> R:
        """What stores of one key share, such as a vendor's client; closed with the network.

        Args:
            key: Begins with the owner's name; the same key always means the same type.
            make: Makes it, without waiting for anything.
        """
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = make()
        return cast(R, found)

    async def aclose(self) -> None:
        """Close what was shared, the connections, and stop renewing; idempotent."""
        shared, self._shared = self._shared, {}
        transport, self._transport = self._transport, None
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.keeper.aclose)
            if transport is not None:
                closing.push_async_callback(transport.aclose)
            for each in shared.values():
                closing.push_async_callback(each.aclose)

    async def __aenter__(self) -> Self:
        await self.keeper.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a network is not pickled; make one in each process")
