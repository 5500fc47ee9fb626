"""Requests that were sent together, each on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from aiolake.stores.transport.lane.connection import Connection
from aiolake.stores.transport.lane.pool import Pool
from aiolake.stores.transport.values import Origin, Response

__all__ = ["Group", "Tally"]


class Tally:
    """What the groups of a lane are doing, and have done."""

    def __init__(self) -> None:
        self.in_use = 0
        self.n_requests = 0
        self.bytes_read = 0


class Group:
    """See ``stores.base.Begun``.

    Args:
        pool: Has the connections.
        origin: The server.
        tally: Counts.
        done: Called once for each request, by its place, with its answer; with ``None`` where
            there is none that can be read.
    """

    __slots__ = ("_connections", "_done", "_origin", "_pool", "_tally", "n")

    def __init__(
        self,
        pool: Pool[Connection],
        origin: Origin,
        tally: Tally,
        done: Callable[[int, Response | None], None],
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._tally = tally
        self._done = done
        self._connections: dict[int, Connection] = {}
        self.n = 0

    def send(self, method: str, requests: Iterable[bytes]) -> None:
        """Send as many as there are connections for."""
        connections, tally = self._connections, self._tally
        try:
            for i, request in enumerate(requests):
                connection = self._idle()
                if connection is None:
                    break
                connections[i] = connection
                tally.in_use += 1
                connection.begin(request, method, partial(self._ended, i, connection))
        except BaseException:
            self.give_up()
            raise
        self.n = len(connections)
        tally.n_requests += self.n

    def give_up(self) -> None:
        """Give up those that were not answered."""
        connections, self._connections = self._connections, {}
        self._tally.in_use -= len(connections)
        for connection in connections.values():
            connection.drop()

    def _idle(self) -> Connection | None:
        """A connection that a request may be sent on."""
        while (connection := self._pool.take(self._origin)) is not None:
            if connection.alive:
                return connection
            connection.abort()  # who watches over its end forgets it
        return None

    def _ended(
        self, i: int, connection: Connection, response: Response | None, error: Exception | None
    ) -> None:
        del self._connections[i]
        tally = self._tally
        tally.in_use -= 1
        if response is not None:
            tally.bytes_read += len(response.body)
        if response is not None and connection.usable:
            self._pool.give_back(self._origin, connection, connection.progress)
        else:  # one that stalls, say, is open yet
            connection.abort()
        self._done(i, response)
