"""Checks of the way to a server, step by step, until one fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from time import perf_counter

from aiolake._aio import map_concurrently
from aiolake.cli.doctor.findings import Finding, Verdict
from aiolake.cli.doctor.hops import (
    Attempt,
    Handshake,
    Resolved,
    Target,
    answering,
    dns_finding,
    is_address,
    plain_finding,
    server_of,
    tcp_finding,
    tls_finding,
)
from aiolake.cli.doctor.proxy import Proxy, proxy_finding, read_proxy, tunnel_finding, usable
from aiolake.errors import AiolakeError
from aiolake.stores.base import Store
from aiolake.stores.transport.proxies import proxy_of
from aiolake.stores.transport.trust import trusted
from aiolake.stores.transport.values import Origin, SupportsOrigin

__all__ = ["check_way"]

_MOST_ADDRESSES = 8


Found = Callable[[Finding], None]


async def check_way(store: Store, found: Found, *, within_s: float) -> bool:
    """Look up the server's name, connect, and speak TLS; each step needs the one before it.

    Nothing is found for a store without a server, and where configuration does not say which it is:
    the first request will say why.

    Args:
        store: Whose server.
        found: Told what each step found.
        within_s: How long each step may take.

    Returns:
        Whether requests can be sent.
    """
    origin = await _origin_of(store)
    if origin is None:
        return True
    named = proxy_of(origin)
    proxy = None if named is None else read_proxy(named, origin)
    if proxy is not None and not _told(found, proxy_finding(proxy, origin)):
        return False
    return await _follow(origin, usable(proxy), found, within_s)


async def _origin_of(store: Store) -> Origin | None:
    if not isinstance(store, SupportsOrigin):
        return None
    with contextlib.suppress(AiolakeError):
        return await store.origin()
    return None


def _told(found: Found, finding: Finding) -> bool:
    """Tell a finding; whether the next step can be taken."""
    found(finding)
    return finding.verdict is not Verdict.FAILED


async def _follow(origin: Origin, proxy: Proxy | None, found: Found, within_s: float) -> bool:
    target = server_of(origin) if proxy is None else _before(proxy)
    addresses: tuple[str, ...] = (target.host,)
    if not is_address(target.host):
        resolved = await _resolve(target, within_s)
        addresses = resolved.addresses
        if not _told(found, dns_finding(target, resolved)):
            return False
    attempts = await _connect(target, addresses, within_s)
    address = answering(attempts)
    if not _told(found, tcp_finding(target, attempts)) or address is None:
        return False
    if origin.scheme == "https":
        return _told(found, await _tls(origin, address, target.port, proxy, within_s))
    finding = plain_finding(origin, address if proxy is None else origin.host)
    return finding is None or _told(found, finding)


def _before(proxy: Proxy) -> Target:
    where = f"{proxy.variable} in the environment"
    return Target(proxy.host, proxy.port, name_from=where, port_from=where)


async def _resolve(target: Target, within_s: float) -> Resolved:
    loop = asyncio.get_running_loop()
    began = perf_counter()
    try:
        async with asyncio.timeout(within_s):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a label of a name may be too long for IDNA
        return Resolved((), perf_counter() - began, error)
    addresses = dict.fromkeys(str(each[4][0]) for each in found)
    return Resolved(tuple(addresses), perf_counter() - began)


async def _connect(
    target: Target, addresses: tuple[str, ...], within_s: float
) -> tuple[Attempt, ...]:
    """To all addresses at once, so that one that is silent does not hide those that answer."""

    async def connect(address: str) -> Attempt:
        began = perf_counter()
        try:
            async with asyncio.timeout(within_s), _connected(address, target.port):
                return Attempt(address, perf_counter() - began)
        except OSError as error:
            return Attempt(address, perf_counter() - began, error)

    return tuple(await map_concurrently(connect, addresses[:_MOST_ADDRESSES]))


@contextlib.asynccontextmanager
async def _connected(
    address: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the socket is closed by the loop's next turn


async def _tls(
    origin: Origin, address: str, port: int, proxy: Proxy | None, within_s: float
) -> Finding:
    """What is found of TLS; a proxy may refuse to lead there."""
    began = perf_counter()
    try:
        context = trusted(origin.tls)
        async with asyncio.timeout(within_s), _connected(address, port) as (reader, writer):
            if proxy is not None:
                refused = tunnel_finding(
                    proxy, origin, await _tunnel(origin, proxy, reader, writer)
                )
                if refused is not None:
                    return refused
            began = perf_counter()
            await writer.start_tls(context, server_hostname=origin.host)
            shaken = _agreed(writer.get_extra_info("ssl_object"), perf_counter() - began)
    except (OSError, AiolakeError) as error:
        shaken = Handshake(perf_counter() - began, error=error)
    return tls_finding(origin, shaken, datetime.now(UTC))


async def _tunnel(
    origin: Origin, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str:
    """Ask a proxy to lead to the server; the first line of its answer."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    server = f"{host}:{origin.port}"
    shown = "" if proxy.authorization is None else f"Proxy-Authorization: {proxy.authorization}\r\n"
    writer.write(f"CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n{shown}\r\n".encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return ""
    return head.partition(b"\r\n")[0].decode("latin-1")


def _agreed(tls: ssl.SSLObject, seconds: float) -> Handshake:
    certificate = tls.getpeercert()  # empty where it was not checked
    not_after = None
    if certificate:
        expires = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        not_after = datetime.fromtimestamp(expires, UTC)
    return Handshake(seconds, tls.version() or "TLS", not_after)
