"""Requests of every kind, by aiohttp."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from aiolake.errors import AiolakeError, PermissionDeniedError, TransientStoreError
from aiolake.stores.base import Buffer, total_nbytes
from aiolake.stores.transport.failures import (
    connection_failure,
    innermost,
    not_public,
    proxy_failure,
)
from aiolake.stores.transport.proxies import proxy_of
from aiolake.stores.transport.public import is_public
from aiolake.stores.transport.trust import trusted
from aiolake.stores.transport.values import CutShortError, Origin, Response, Tls

__all__ = ["General"]

_KEEPALIVE_S = 15.0
"""Servers keep idle connections for 20 s and more; who closes first sends into no closed one."""

_SLICE_NBYTES = 1 << 20
_OF_A_PROXY = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
_REPLAYED = ("GET", "HEAD")
_CLOSED = (errno.ECONNRESET, errno.EPIPE)
"""The same as a clean end, where the request went out before the end had come in."""


class General:
    """An aiohttp client for each way of checking certificates; opened when first used.

    Args:
        connect_s: To connect, TLS included.
        stall_s: Without a byte.
    """

    def __init__(self, connect_s: float, stall_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_s, sock_read=stall_s, ceil_threshold=3600
        )
        self._stall_s = stall_s
        self._sessions: dict[tuple[Tls, bool], aiohttp.ClientSession] = {}

    async def send(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Sequence[Buffer],
    ) -> Response:
        """As ``Transport.send``."""
        session = self._session(origin, method)
        request = _Request(origin, method, target, headers, body)
        try:
            return await self._once(session, request)
        except aiohttp.ServerDisconnectedError as error:
            if method not in _REPLAYED:
                raise connection_failure(error, origin, method) from error
        # The server closed an idle connection just as it was to be used again: nothing was done.
        try:
            return await self._once(session, request)
        except aiohttp.ServerDisconnectedError as error:
            raise connection_failure(error, origin, method) from error

    async def aclose(self) -> None:
        """Close every connection; idempotent."""
        sessions, self._sessions = self._sessions, {}
        async with AsyncExitStack() as closing:
            for session in sessions.values():
                closing.push_async_callback(session.close)

    async def _once(self, session: aiohttp.ClientSession, request: _Request) -> Response:
        origin, method = request.origin, request.method
        pieces: list[bytes] = []
        response: aiohttp.ClientResponse | None = None
        try:
            # Inside ``async with``: a cancelled bare read of a body would keep its connection.
            async with session.request(
                method,
                URL(origin.url + request.target, encoded=True),
                headers=request.all_headers(),
                data=request.content(),
                allow_redirects=False,
            ) as response:
                async for piece in response.content.iter_any():
                    pieces.append(piece)
                return _response(response, _joined(pieces))
        except aiohttp.ServerDisconnectedError:
            raise
        except AiolakeError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if response is not None and response.status in (200, 206):
                raise _cut(response, pieces, request) from error
            if response is None and getattr(error, "errno", None) in _CLOSED:
                raise aiohttp.ServerDisconnectedError from error
            raise self._failure(error, request) from error

    def _failure(self, error: BaseException, request: _Request) -> AiolakeError:
        origin, method = request.origin, request.method
        if isinstance(innermost(error), _NotPublicError):
            return PermissionDeniedError(not_public(origin, method), host=origin.host)
        if isinstance(error, TimeoutError):
            return TransientStoreError(
                f"{method}: {origin.url} did not answer in time (Options.connect_timeout, "
                f"Options.stall_timeout: {self._stall_s:g} s)",
                host=origin.host,
            )
        named = proxy_of(origin)
        if named is not None and (isinstance(error, _OF_A_PROXY) or _is_of_url(error)):
            return proxy_failure(error, named, origin, method)
        return connection_failure(error, origin, method)

    def _session(self, origin: Origin, method: str) -> aiohttp.ClientSession:
        if origin.public_only:
            _refuse_private(origin, method)
        slot = origin.tls, origin.public_only
        session = self._sessions.get(slot)
        if session is None:
            session = self._sessions[slot] = self._opened(*slot)
        return session

    def _opened(self, tls: Tls, public_only: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the scheduler limits
            ssl=trusted(tls),
            keepalive_timeout=_KEEPALIVE_S,
            resolver=_PublicResolver() if public_only else None,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=not public_only,  # behind a proxy nobody knows the address
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        # It would send a create-only put again by itself, and take its own success for another's.
        session._retry_connection = False
        return session


@dataclass(frozen=True, slots=True)
class _Request:
    origin: Origin
    method: str
    target: str
    headers: Mapping[str, str]
    body: Sequence[Buffer]

    def all_headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", **self.headers}
        if self.body or self.method in ("PUT", "POST"):
            headers["Content-Length"] = str(total_nbytes(self.body))
        return headers

    def content(self) -> AsyncIterator[Buffer] | None:
        """The body, in slices that each count as progress; no join, no chunked encoding."""
        return _slices(self.body) if total_nbytes(self.body) else None


async def _slices(body: Sequence[Buffer]) -> AsyncIterator[Buffer]:
    for part in body:
        view = memoryview(part)
        for start in range(0, len(view), _SLICE_NBYTES):
            yield view[start : start + _SLICE_NBYTES]


def _response(response: aiohttp.ClientResponse, body: Buffer) -> Response:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status, headers, body)


def _joined(pieces: list[bytes]) -> Buffer:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _cut(response: aiohttp.ClientResponse, pieces: list[bytes], request: _Request) -> CutShortError:
    received = _joined(pieces)
    error = CutShortError(
        f"{request.method}: the answer of {request.origin.url} was cut short after {len(received)} "
        f"bytes of {response.headers.get('Content-Length', 'an unknown number')}",
        host=request.origin.host,
    )
    error.received = received
    error.response = _response(response, b"")
    return error


def _is_of_url(error: BaseException) -> bool:
    """Whether aiohttp could not read a URL: the proxy's, for a server's is checked before."""
    return isinstance(error, ValueError) and not isinstance(error, UnicodeError)


class _NotPublicError(OSError):
    pass


class _PublicResolver(AbstractResolver):
    """Gives public addresses alone, so that a connection can be to nothing else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        public = [each for each in found if is_public(str(each[4][0]))]
        if not public:
            raise _NotPublicError(f"{host} has no public address")
        return [_resolved(host, each) for each in public]

    async def close(self) -> None:
        """There is nothing to close."""


def _resolved(host: str, found: Any) -> ResolveResult:
    family, _, protocol, _, address = found
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST,
    )


def _refuse_private(origin: Origin, method: str) -> None:
    """Addresses written as numbers are not resolved, so they are looked at here."""
    try:
        public = is_public(origin.host)
    except ValueError:
        return  # a name
    if not public:
        raise PermissionDeniedError(not_public(origin, method), host=origin.host)
