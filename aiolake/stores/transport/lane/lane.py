"""The fast lane: who gets a connection, retries one that had died idle, and watches for stalls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from typing import Any, TypeAlias

from aiolake._aio import WorkPool
from aiolake.errors import AiolakeError, ClosedError, PermissionDeniedError, TransientStoreError
from aiolake.stores.transport.failures import connection_failure, not_public
from aiolake.stores.transport.lane.buffers import Buffers
from aiolake.stores.transport.lane.connection import Connection, LostError, StalledError
from aiolake.stores.transport.lane.group import Group, Tally
from aiolake.stores.transport.lane.head import asked_nbytes, request_bytes
from aiolake.stores.transport.lane.pool import Pool
from aiolake.stores.transport.lane.threaded import ThreadedConnection
from aiolake.stores.transport.proxies import proxy_of
from aiolake.stores.transport.public import is_public
from aiolake.stores.transport.trust import trusted
from aiolake.stores.transport.values import CutShortError, Origin, Response

__all__ = ["Lane"]

_Connection: TypeAlias = Connection | ThreadedConnection

_LONG_NBYTES = 4 << 20
"""A body that a thread receives: that saves more than the way to the thread and back."""

_MOST_THREADS = 64
_IDLE_S = 15.0
"""Servers keep idle connections for 20 s and more; who closes first sends into no closed one."""


class Lane:
    """GET and HEAD over connections of its own.

    Args:
        connect_s: To connect, TLS included.
        stall_s: Without a byte.
        kept_nbytes: Memory for long bodies that is kept to be used again.
    """

    def __init__(self, connect_s: float, stall_s: float, kept_nbytes: int = 0) -> None:
        self._buffers = Buffers(kept_nbytes)
        self._connect_s = connect_s
        self._stall_s = stall_s
        self._pool: Pool[Connection] = Pool()
        self._long_pool: Pool[ThreadedConnection] = Pool()
        self._pools: tuple[Pool[Any], ...] = self._pool, self._long_pool
        self._threads = WorkPool(_MOST_THREADS)
        self._proxied: dict[Origin, bool] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._all_ended: asyncio.Event | None = None
        self._n_open = 0
        self._n_long = 0
        self._closed = False
        self.n_opened = 0
        self.tally = Tally()
        """Of what was begun."""

    @property
    def n_idle(self) -> int:
        """Connections kept for the next request."""
        return sum(pool.n_idle for pool in self._pools)

    @property
    def n_used(self) -> int:
        """Connections that serve a request now."""
        return sum(pool.n_used for pool in self._pools)

    def takes(self, origin: Origin, method: str) -> bool:
        """Whether a request without a body is for this lane."""
        if method != "GET" and method != "HEAD":
            return False
        proxied = self._proxied.get(origin)
        if proxied is None:
            proxied = self._proxied[origin] = proxy_of(origin) is not None
        return not proxied

    async def send(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str]
    ) -> Response:
        """As ``Transport.send``.

        Raises:
            UnusualError: The answer is not for this lane; send the request by another.
        """
        request = request_bytes(method, target, origin.authority, headers)
        nbytes = asked_nbytes(headers)
        is_long = nbytes >= _LONG_NBYTES and origin.scheme == "http"
        if not is_long or self._n_long >= _MOST_THREADS:  # to wait for a thread would be worse
            return await self._exchange(origin, method, request, nbytes, self._pool)
        self._n_long += 1
        try:
            return await self._exchange(origin, method, request, nbytes, self._long_pool)
        finally:
            self._n_long -= 1

    async def _exchange(
        self, origin: Origin, method: str, request: bytes, nbytes: int, pool: Pool[Any]
    ) -> Response:
        reused = True
        while reused:
            connection: _Connection | None = pool.take(origin)
            reused = connection is not None
            connection = connection or await self._connect(origin, method, pool)
            try:
                response = await connection.exchange(request, method, nbytes)
            except LostError as error:
                reader = connection.reader
                if reused and (reader is None or not reader.begun):
                    continue  # it had died while it was idle, and the server saw nothing
                raise self._lost(error, connection, origin, method) from error
            except StalledError as error:
                raise self._lost(error, connection, origin, method) from error
            if connection.usable:
                pool.give_back(origin, connection, connection.progress)
            else:
                connection.abort()
            return response
        raise AssertionError("a fresh connection answers or fails")

    def begin(
        self,
        origin: Origin,
        method: str,
        requests: Iterable[bytes],
        done: Callable[[int, Response | None], None],
    ) -> Group | None:
        """As ``Transport.begin``."""
        group = Group(self._pool, origin, self.tally, done)
        group.send(method, requests)
        return group if group.n else None

    async def aclose(self) -> None:
        """Close every connection, and wait until they are closed; idempotent."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for pool in self._pools:
            for connection in pool.take_all():
                connection.abort()
        if self._n_open:
            self._all_ended = asyncio.Event()
            await self._all_ended.wait()
        await self._threads.aclose()

    async def _connect(self, origin: Origin, method: str, pool: Pool[Any]) -> _Connection:
        self._refuse_closed(origin)
        connect = self._connect_long if pool is self._long_pool else self._connect_short
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await connect(origin)
        except TimeoutError as error:
            raise TransientStoreError(
                f"{method}: {origin.url} could not be connected to within {self._connect_s:g} s "
                "(Options.connect_timeout); check the network, and the port",
                host=origin.host,
            ) from error
        except (OSError, UnicodeError) as error:  # a part of a name may be too long for IDNA
            raise connection_failure(error, origin, method) from error
        if origin.public_only and not is_public(connection.peer):
            connection.abort()
            raise PermissionDeniedError(not_public(origin, method), host=origin.host)
        if self._closed:  # meanwhile
            connection.abort()
            self._refuse_closed(origin)
        pool.add(connection)
        self.n_opened += 1
        self._look_after()
        return connection

    def _refuse_closed(self, origin: Origin) -> None:
        if self._closed:
            raise ClosedError(
                f"the connections to {origin.url} were closed; open the session again",
                host=origin.host,
            )

    async def _connect_short(self, origin: Origin) -> _Connection:
        connection = Connection(self._buffers, self._made, partial(self._ended, origin, self._pool))
        secure = origin.scheme == "https"
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            origin.host,
            origin.port,
            ssl=trusted(origin.tls) if secure else None,
            server_hostname=origin.host if secure else None,
        )
        return connection

    async def _connect_long(self, origin: Origin) -> _Connection:
        connection = ThreadedConnection(
            self._threads,
            self._buffers.take,
            self._stall_s,
            partial(self._ended, origin, self._long_pool),
        )
        await connection.connect(origin)
        self._made(connection)
        return connection

    def _made(self, _: _Connection) -> None:
        self._n_open += 1

    def _ended(self, origin: Origin, pool: Pool[Any], connection: _Connection) -> None:
        self._n_open -= 1
        pool.forget(origin, connection)
        if self._all_ended is not None and not self._n_open:
            self._all_ended.set()

    def _look_after(self) -> None:
        """One timer for all connections, and the memory they were used with."""
        if self._watch is None and (self._n_open or self._buffers.nbytes):
            pause = min(1.0, self._stall_s / 4)
            self._watch = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._watch = None
        now = monotonic()
        for used in list(self._pool.used):
            if used.busy and now - used.progress > self._stall_s:
                used.stall()
        for pool in self._pools:
            for connection in pool.take_old(now - _IDLE_S):
                connection.abort()
        self._buffers.trim()
        self._look_after()

    def _lost(
        self, error: Exception, connection: _Connection, origin: Origin, method: str
    ) -> AiolakeError:
        stalled = isinstance(error, StalledError)
        why = (
            f"nothing came for {self._stall_s:g} s (Options.stall_timeout)"
            if stalled
            else "it ended"
        )
        cut = None if connection.reader is None else connection.reader.cut()
        if cut is not None and cut[0].status in (200, 206):
            response, received = cut
            failure = CutShortError(
                f"{method}: the answer of {origin.url} was cut short after {len(received)} bytes "
                f"of {response.headers.get('content-length', 'an unknown number')}: {why}",
                host=origin.host,
            )
            failure.received, failure.response = received, response
            return failure
        if stalled:
            return TransientStoreError(f"{method}: {origin.url}: {why}", host=origin.host)
        return connection_failure(error, origin, method)
