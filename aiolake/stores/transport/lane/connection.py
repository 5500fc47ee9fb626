"""One connection: a request is written, a response comes into memory that stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from aiolake.stores.transport.lane.head import UnusualError
from aiolake.stores.transport.lane.reader import Reader, Slab
from aiolake.stores.transport.values import Response

__all__ = ["Connection", "LostError", "StalledError"]


class LostError(Exception):
    """The connection ended before the response did; its cause says why, if anything is known."""


class StalledError(Exception):
    """Nothing came for too long."""


class Connection(asyncio.BufferedProtocol):
    """Serves one request at a time.

    Args:
        made: Called once, when it is connected.
        ended: Called once after that, when it is gone.
    """

    def __init__(
        self, made: Callable[[Connection], None], ended: Callable[[Connection], None]
    ) -> None:
        self._made = made
        self._ended = ended
        self._slab = Slab()
        self._reader: Reader | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.progress = self._loop.time()
        self.usable = True

    @property
    def peer(self) -> str:
        """The address it is connected to."""
        assert self._transport is not None
        return str(self._transport.get_extra_info("peername")[0])

    @property
    def busy(self) -> bool:
        """Whether a response is awaited."""
        return self._waiter is not None

    @property
    def reader(self) -> Reader | None:
        """Of the last response: what has come of it."""
        return self._reader

    async def exchange(self, request: bytes, method: str) -> Response:
        """Send a request, and receive its response.

        Raises:
            LostError, StalledError, UnusualError: As they say; the connection is closed then.

        Cancellation: closes the connection.
        """
        assert self._transport is not None
        self._reader = Reader(self._slab, method)
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self.progress = self._loop.time()
        try:
            if not self.usable or self._transport.is_closing():
                raise LostError
            self._transport.write(request)
            return await waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def stall(self) -> None:
        """Give up the response that is awaited."""
        self._fail(StalledError())

    def abort(self) -> None:
        """Close at once."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio's protocols."""
        self._transport = cast(asyncio.Transport, transport)
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """As asyncio's protocols."""
        reader = self._reader
        return self._slab.view if reader is None or not self.busy else reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """As asyncio's protocols."""
        waiter, reader = self._waiter, self._reader
        if waiter is None or waiter.done() or reader is None:
            self.abort()  # nobody asked for this
            return
        self.progress = self._loop.time()
        try:
            response = reader.received(nbytes)
        except UnusualError as error:
            self._fail(error)
            return
        if response is not None:
            self.usable = self.usable and reader.keeps
            # What else comes is not of this response, and goes where it does no harm.
            self._waiter = None
            waiter.set_result(response)

    def eof_received(self) -> None:
        """As asyncio's protocols: the server sends no more, and the transport closes itself."""
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio's protocols."""
        self.usable = False
        error = LostError()
        error.__cause__ = exc
        self._fail(error)
        self._ended(self)

    def _fail(self, error: Exception) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
