"""A Blob service that answers what a test says, over real sockets: what azurite never says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiolake.errors import AiolakeError
from aiolake.options import Options
from aiolake.stores.azure import AzureStore
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.urls import parse

KEY = "c2VjcmV0IGtleQ=="


@dataclass(frozen=True, slots=True)
class Seen:
    """A request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = Callable[[Seen], Reply]


def refusal(status: int, code: str, detail: str = "", **headers: str) -> Reply:
    """As the service writes one."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>Words.\n'
        f"RequestId:1</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"
        "</Error>"
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body.encode(), {"x-ms-error-code": code, **named})


@asynccontextmanager
async def listening(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that answers so; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await _request(reader)) is not None:
                writer.write(_encoded(answer(seen), seen.method))
                await writer.drain()
        except ConnectionError:
            pass  # the client went away
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0)


@asynccontextmanager
async def scripted(answer: Answering, **creds: object) -> AsyncIterator[AzureStore]:
    """A store at such a service, by a key unless ``creds`` say otherwise."""
    async with listening(answer) as port, Network(Options()) as network:
        endpoint = f"http://127.0.0.1:{port}/flowers1"
        given = {"endpoint_url": endpoint, **(creds or {"account_key": KEY})}
        store = open_store(parse("az://flowers1/box/p"), creds=given, network=network)
        assert isinstance(store, AzureStore)
        yield store


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = start.split(" ")
    return Seen(method, target, headers, body)


def _encoded(reply: Reply, method: str) -> bytes:
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    body = b"" if method == "HEAD" else reply.body
    return f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + body


async def failure(call: object) -> AiolakeError:
    """The error that a coroutine raises."""
    try:
        await call  # type: ignore[misc]
    except AiolakeError as error:
        return error
    raise AssertionError("an error was expected")
