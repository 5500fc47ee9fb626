"""The one HTTP client of a session."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from aiolake._aio import Guard
from aiolake.options import Options
from aiolake.stores.base import Begun, Buffer, Told
from aiolake.stores.transport.lane.head import UnusualError
from aiolake.stores.transport.lane.lane import Lane
from aiolake.stores.transport.values import Origin, Response, TransportStatistics

if TYPE_CHECKING:
    from aiolake.stores.transport.general import General

__all__ = ["Transport"]

_GENERAL = "aiolake.stores.transport.general"


class Transport:
    """Sends requests over connections that all stores of a session share.

    Made synchronously and cheaply; opens nothing until it is used.

    Args:
        options: Deadlines.
    """

    def __init__(self, options: Options) -> None:
        connect_s = options.connect_timeout.total_seconds()
        stall_s = options.stall_timeout.total_seconds()
        self._lane = Lane(connect_s, stall_s, options.max_inflight_bytes)
        self._deadlines_s = connect_s, stall_s
        self._general: General | None = None
        self._guard = Guard("an HTTP client")
        self._in_use = 0
        self._n_requests = 0
        self._bytes_read = 0

    async def send(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Sequence[Buffer] = (),
    ) -> Response:
        """Send one request and read its whole answer; exactly one attempt.

        Args:
            origin: The server.
            method: As it is sent.
            target: Path and query, encoded already; sent byte for byte.
            headers: All that matter to the server; ``Host`` and ``Content-Length`` are added.
            body: In pieces, which are not joined.

        Returns:
            An answer of any status; redirects are not followed.

        Raises:
            TransientStoreError: No connection, or it was lost, or a deadline passed.
            CutShortError: It was lost within the body of a 200 or 206: the bytes before are there.
            StoreError: The server does not speak TLS, or its certificate is not trusted.
            PermissionDeniedError: ``origin.public_only``, and the address is not public.

        Cancellation: the connection in use is closed; nothing is left behind.
        """
        self._guard.check()
        self._in_use += 1
        self._n_requests += 1
        try:
            response = await self._sent(origin, method, target, headers, body)
        finally:
            self._in_use -= 1
        self._bytes_read += len(response.body)
        return response

    def begin(
        self,
        origin: Origin,
        method: str,
        requests: Iterable[bytes],
        done: Callable[[int, Response | None], None],
    ) -> Begun | None:
        """Send as many requests without a body as there are connections at hand for, at once.

        What ``send`` costs beyond this is a task for each of many requests, and its turns.

        Args:
            origin: The server.
            method: ``GET`` or ``HEAD``.
            requests: Each head and empty line, as ``lane.head.request_bytes`` makes them; no more
                are taken than are sent, and one.
            done: Called once for each that was sent, by its place, with an answer of any status,
                or with ``None`` where there is none to be read here: ask again by ``send``, which
                says why. Never within this call.

        Returns:
            What was sent; ``None`` where nothing was.
        """
        self._guard.check()
        if not self._lane.takes(origin, method):
            return None
        return self._lane.begin(origin, method, requests, done)

    def begin_ranges(
        self, origin: Origin, requests: Iterable[bytes], sizes: Sequence[int], done: Told
    ) -> Begun | None:
        """As ``begin``, for ranges: told are their bytes, and of other answers little.

        Args:
            origin, requests: As ``begin``, of ``GET``.
            sizes: How many bytes each asks for.
            done: See ``Told``.
        """

        def ended(i: int, response: Response | None) -> None:
            if response is None:
                done(i, None)
            elif response.status == 206 and len(response.body) == sizes[i]:
                done(i, response.body)
            else:
                done(i, response.bytes_or_refusal(None))

        return self.begin(origin, "GET", requests, ended)

    async def _sent(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Sequence[Buffer],
    ) -> Response:
        if not body and self._lane.takes(origin, method):
            try:
                return await self._lane.send(origin, method, target, headers)
            except UnusualError:
                pass  # it changes nothing, so it may be sent again, by who reads every answer
        general = self._general or await self._loaded()
        return await general.send(origin, method, target, headers, body)

    async def _loaded(self) -> General:
        """Who reads every answer; aiohttp takes longer to load than a first sample to read."""
        if _GENERAL not in sys.modules:
            await asyncio.to_thread(import_module, _GENERAL)
            self._guard.check()  # it may have been closed meanwhile
        from aiolake.stores.transport.general import General

        if self._general is None:
            self._general = General(*self._deadlines_s)
        return self._general

    def statistics(self) -> TransportStatistics:
        """What it is doing now."""
        begun = self._lane.tally
        return TransportStatistics(
            in_use=self._in_use + begun.in_use,
            idle=self._lane.n_idle,
            opened=self._lane.n_opened,
            requests=self._n_requests + begun.n_requests,
            bytes_read=self._bytes_read + begun.bytes_read,
        )

    async def aclose(self) -> None:
        """Close every connection; idempotent, and nothing after a fork."""
        if self._guard.forked:
            return
        self._guard.close()
        try:
            await self._lane.aclose()
        finally:
            if self._general is not None:
                await self._general.aclose()
