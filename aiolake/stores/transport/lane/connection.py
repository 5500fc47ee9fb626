"""One connection: a request is written, a response comes into memory that stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeAlias, cast

from aiolake.stores.transport.lane.buffers import Buffers
from aiolake.stores.transport.lane.head import UnusualError
from aiolake.stores.transport.lane.reader import Reader, Slab
from aiolake.stores.transport.values import Response

__all__ = ["ENDED", "Connection", "Done", "LostError", "StalledError"]

ENDED = "the server ended it before its answer"

Done: TypeAlias = Callable[[Response | None, Exception | None], None]


class LostError(Exception):
    """The connection ended before the response did; its cause says why, if anything is known."""


class StalledError(Exception):
    """Nothing came for too long."""


class Connection(asyncio.BufferedProtocol):
    """Serves one request at a time.

    Args:
        buffers: Memory for long bodies.
        made: Called once, when it is connected.
        ended: Called once after that, when it is gone.
    """

    def __init__(
        self,
        buffers: Buffers,
        made: Callable[[Connection], None],
        ended: Callable[[Connection], None],
    ) -> None:
        self._take = buffers.take
        self._made = made
        self._ended = ended
        self._slab = Slab()
        self._reader: Reader | None = None
        self._done: Done | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.progress = monotonic()
        self.usable = True

    @property
    def peer(self) -> str:
        """The address it is connected to."""
        assert self._transport is not None
        return str(self._transport.get_extra_info("peername")[0])

    @property
    def busy(self) -> bool:
        """Whether a response is awaited."""
        return self._done is not None

    @property
    def reader(self) -> Reader | None:
        """Of the last response: what has come of it."""
        return self._reader

    @property
    def alive(self) -> bool:
        """Whether a request may be sent, as far as anybody here knows."""
        return self.usable and self._transport is not None and not self._transport.is_closing()

    def begin(self, request: bytes, method: str, done: Done) -> None:
        """Send a request on an ``alive`` connection that is not ``busy``.

        Args:
            request: Ready to be sent.
            method: Its method.
            done: Called once, with the response or with what ``exchange`` would raise; not within
                this call, and not after ``drop()``. It must not raise.
        """
        assert self._transport is not None
        self._reader = Reader(self._slab, method, self._take)
        self._done = done
        self.progress = monotonic()
        self._transport.write(request)

    async def exchange(self, request: bytes, method: str, nbytes: int = 0) -> Response:
        """Send a request, and receive its response; how long it will be matters to others only.

        Raises:
            LostError, StalledError, UnusualError: As they say; the connection is closed then.

        Cancellation: closes the connection.
        """
        waiter: asyncio.Future[Response] = self._loop.create_future()

        def done(response: Response | None, error: Exception | None) -> None:
            if waiter.done():
                return
            if response is not None:
                waiter.set_result(response)
            else:
                assert error is not None
                waiter.set_exception(error)

        try:
            if not self.alive:
                self._reader = None
                raise LostError(ENDED)
            self.begin(request, method, done)
            return await waiter
        except BaseException:
            self.drop()
            raise

    def stall(self) -> None:
        """Give up the response that is awaited."""
        self._fail(StalledError())

    def drop(self) -> None:
        """Close at once; who waits for a response is not told."""
        self._done = None
        self.abort()

    def abort(self) -> None:
        """Close at once; who waits for a response is told soon."""
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
        return self._slab.view if reader is None or self._done is None else reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """As asyncio's protocols."""
        done, reader = self._done, self._reader
        if done is None or reader is None:
            self.abort()  # nobody asked for this
            return
        self.progress = monotonic()
        try:
            response = reader.received(nbytes)
        except UnusualError as error:
            self._fail(error)
            return
        if response is not None:
            self.usable = self.usable and reader.keeps
            # What else comes is not of this response, and goes where it does no harm.
            self._done = None
            done(response, None)

    def eof_received(self) -> None:
        """As asyncio's protocols: the server sends no more, and the transport closes itself."""
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio's protocols."""
        self.usable = False
        error = LostError(ENDED)
        error.__cause__ = exc
        self._fail(error)
        self._ended(self)

    def _fail(self, error: Exception) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(None, error)
