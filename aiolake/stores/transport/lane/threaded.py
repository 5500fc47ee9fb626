"""A connection whose long bodies a thread receives, by few calls and beside the event loop.

The copies out of a socket are most of what a long body costs. The interpreter lets go of its lock
while the system makes them, so several threads make them on several cores, and one call of many
megabytes (``MSG_WAITALL``) takes the place of a hundred turns of the loop. Not behind TLS: what is
decrypted comes in calls of 16 KiB, and threads that do little each spend their time in waking each
other.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import Callable
from time import monotonic

from aiolake._aio import WorkPool
from aiolake.stores.transport.lane.connection import ENDED, LostError, StalledError
from aiolake.stores.transport.lane.reader import Reader, Slab
from aiolake.stores.transport.values import Origin, Response

__all__ = ["ThreadedConnection"]

_MOST_TAKEN = 64 << 20
"""Of memory before it is known how long the body is: who asks may ask for more than there is."""


class ThreadedConnection:
    """Serves one request at a time, as ``Connection.exchange`` does.

    Everything but ``_serve`` runs in the loop's thread: who waits for that is there until it has
    ended, so nobody closes a socket that is in use.

    Args:
        threads: Receive.
        take: Gives memory for a body.
        stall_s: Without a byte.
        ended: Called once, when it is closed.
    """

    def __init__(
        self,
        threads: WorkPool,
        take: Callable[[int], memoryview],
        stall_s: float,
        ended: Callable[[ThreadedConnection], None],
    ) -> None:
        self._threads = threads
        self._take = take
        self._stall_s = stall_s
        self._ended = ended
        self._slab = Slab()
        self._reader: Reader | None = None
        self._socket: socket.socket | None = None
        self._serving = False
        self.peer = ""
        """The address it is connected to."""
        self.progress = monotonic()
        self.usable = False

    @property
    def reader(self) -> Reader | None:
        """Of the last response: what has come of it."""
        return self._reader

    @property
    def alive(self) -> bool:
        """Whether a request may be sent: nothing has come since the last, and no end."""
        if not self.usable or self._socket is None:
            return False
        look = select.poll()
        look.register(self._socket, select.POLLIN)
        return not look.poll(0)

    async def connect(self, origin: Origin) -> None:
        """Connect.

        Raises:
            OSError: It could not be.

        Cancellation: leaves nothing behind.
        """
        connected = await _connected(origin.host, origin.port)
        try:
            self.peer = str(connected.getpeername()[0])
            self._prepare(connected)
        except BaseException:  # it has ended already, say
            connected.close()
            raise
        self._socket = connected
        self.usable = True

    async def exchange(self, request: bytes, method: str, nbytes: int) -> Response:
        """Send a request, and receive its response.

        Args:
            request: Ready to be sent.
            method: Its method.
            nbytes: The length of the body that is expected.

        Raises:
            LostError, StalledError, UnusualError: As they say; the connection is closed then.

        Cancellation: closes the connection, once the thread has let go of it.
        """
        self._reader = None
        self._serving = True
        try:
            # Here: threads would hand out the same twice.
            memory = self._take(min(nbytes, _MOST_TAKEN))
            self._reader = reader = Reader(self._slab, method, lambda n: _of(memory, n))
            if not self.alive:
                raise LostError(ENDED)
            response = await self._threads.run_interruptibly(
                self._shut_down, self._serve, request, reader
            )
            self.usable = self.usable and reader.keeps
            self.progress = monotonic()
            return response
        except BaseException:
            self.usable = False
            raise
        finally:
            self._serving = False
            if not self.usable:
                self._close()

    def abort(self) -> None:
        """Close at once; who waits for a response is told soon."""
        self.usable = False
        if self._serving:
            self._shut_down()
        else:
            self._close()

    def _prepare(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setblocking(True)
        # Not settimeout(): it would make MSG_WAITALL return what is there.
        seconds = struct.pack("ll", int(self._stall_s), int(self._stall_s % 1 * 1e6))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)

    def _serve(self, request: bytes, reader: Reader) -> Response:
        """Runs in a thread."""
        connected = self._socket
        assert connected is not None
        try:
            connected.sendall(request)
            while True:
                flags = socket.MSG_WAITALL if reader.in_body else 0
                n = connected.recv_into(reader.buffer(), 0, flags)
                if not n:
                    raise LostError(ENDED)
                response = reader.received(n)
                if response is not None:
                    return response
        except BlockingIOError as error:  # SO_RCVTIMEO has passed, and nothing came
            raise StalledError from error
        except (OSError, MemoryError) as error:  # a length that no memory is enough for
            raise LostError(ENDED) from error

    def _shut_down(self) -> None:
        """Wake a thread that waits for the socket."""
        assert self._socket is not None
        with contextlib.suppress(OSError):  # the other side may have
            self._socket.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        connected, self._socket = self._socket, None
        if connected is not None:
            connected.close()
            self._ended(self)


async def _connected(host: str, port: int) -> socket.socket:
    """A socket that is connected to one of a name's addresses.

    Raises:
        OSError: To none of them; the last one's error.
    """
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        try:
            made = socket.socket(family, kind, protocol)
        except OSError as error:  # this machine has no such addresses
            failure = error
            continue
        try:
            made.setblocking(False)
            await loop.sock_connect(made, address)
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure or OSError(f"{host} has no address")


def _of(memory: memoryview, nbytes: int) -> memoryview:
    """Memory for a body, which may be another than was expected."""
    return memory[:nbytes] if nbytes <= len(memory) else memoryview(bytearray(nbytes))
