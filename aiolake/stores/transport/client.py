"""The one HTTP client of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiolake._aio import Guard
from aiolake.options import Options
from aiolake.stores.base import Buffer
from aiolake.stores.transport.general import General
from aiolake.stores.transport.lane.head import UnusualError
from aiolake.stores.transport.lane.lane import Lane
from aiolake.stores.transport.values import Origin, Response, TransportStatistics

__all__ = ["Transport"]


class Transport:
    """Sends requests over connections that all stores of a session share.

    Made synchronously and cheaply; opens nothing until it is used.

    Args:
        options: Deadlines.
    """

    def __init__(self, options: Options) -> None:
        connect_s = options.connect_timeout.total_seconds()
        stall_s = options.stall_timeout.total_seconds()
        self._lane = Lane(connect_s, stall_s)
        self._general = General(connect_s, stall_s)
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
        return await self._general.send(origin, method, target, headers, body)

    def statistics(self) -> TransportStatistics:
        """What it is doing now."""
        return TransportStatistics(
            in_use=self._in_use,
            idle=self._lane.n_idle,
            opened=self._lane.n_opened,
            requests=self._n_requests,
            bytes_read=self._bytes_read,
        )

    async def aclose(self) -> None:
        """Close every connection; idempotent, and nothing after a fork."""
        if self._guard.forked:
            return
        self._guard.close()
        try:
            await self._lane.aclose()
        finally:
            await self._general.aclose()
