"""The proxy passes on what it is not told to spoil, and spoils just what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from urllib.parse import urlsplit

import pytest

from aiolake._aio import map_concurrently
from aiolake.errors import InvalidInputError
from aiolake.testing import (
    Answered,
    ClosedInside,
    Dated,
    Delayed,
    FaultProxy,
    Flipped,
    Lost,
    ProxyRule,
    ResetBefore,
    ResetInside,
    Rewritten,
    Stalled,
    Stripped,
)
from aiolake.testing.proxy_rules import ProxyFault
from tests.transport.server import Request, Server, Writer, ok, serving

BODY = bytes(range(256)) * 40


@dataclass
class Client:
    """One connection, byte for byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(
        self, method: str = "GET", target: str = "/b/key", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; status, headers and body of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "h", **named}.items())
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{method} {target} HTTP/1.1\r\n{lines}{length}\r\n".encode() + body)
        return await self.answer(method)

    async def answer(self, method: str) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        return int(first.split(" ")[1]), headers, await self.reader.readexactly(length)


@asynccontextmanager
async def client(proxy: FaultProxy) -> AsyncIterator[Client]:
    port = urlsplit(proxy.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def usual(request: Request, writer: Writer) -> None:
    head = ok(BODY, more="Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nETag: x\r\n")
    writer.write(head[: -len(BODY)] if request.method == "HEAD" else head)
    await writer.drain()


@asynccontextmanager
async def behind(*rules: ProxyRule) -> AsyncIterator[tuple[FaultProxy, Client, Server]]:
    async with (
        serving(usual) as server,
        FaultProxy(f"http://127.0.0.1:{server.port}", rules) as proxy,
        client(proxy) as one,
    ):
        yield proxy, one, server


def once(fault: ProxyFault) -> ProxyRule:
    return ProxyRule(fault, first=1)


async def test_requests_arrive_as_they_were_sent() -> None:
    async with behind() as (proxy, one, server):
        status, headers, body = await one.ask(
            "PUT", "/b/a%20b?x=1&y=", b"data", Host="bucket.example", If_None_Match="*"
        )
        assert (status, headers["etag"], body) == (200, "x", BODY)
        (request,) = server.requests
        assert (request.method, request.target, request.body) == ("PUT", "/b/a%20b?x=1&y=", b"data")
        assert request.headers["host"] == "bucket.example"
        assert request.headers["if-none-match"] == "*"
        assert proxy.requests == {"PUT": 1}
        assert proxy.faults == {}


async def test_connections_are_kept_on_both_sides() -> None:
    async with behind() as (proxy, one, server):
        for _ in range(5):
            assert (await one.ask())[2] == BODY
        assert (await one.ask("HEAD"))[1]["content-length"] == str(len(BODY))
        assert (await one.ask())[2] == BODY
        assert (proxy.n_open, proxy.n_most_open, server.n_connections) == (1, 1, 1)
        assert proxy.requests == {"GET": 6, "HEAD": 1}
    assert (proxy.n_open, server.n_open) == (0, 0)


async def test_a_client_that_asks_whether_to_send_its_body_is_told_to() -> None:
    async with behind() as (_, one, server):
        head = (
            b"PUT /b/key HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        one.writer.write(head)
        assert await one.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.writer.write(b"data")
        assert (await one.answer("PUT"))[0] == 200
        assert server.requests[0].body == b"data"
        assert "expect" not in server.requests[0].headers


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde",
        b"HTTP/1.0 200 OK\r\n\r\nabcde",
    ],
    ids=["chunks", "go on", "close", "until the end"],
)
async def test_bodies_of_every_kind_are_passed_on(answer: bytes) -> None:
    async def serve(_: Request, writer: Writer) -> None:
        writer.write(answer)
        await writer.drain()
        if b"close" in answer or b"HTTP/1.0" in answer:
            writer.close()

    async with (
        serving(serve) as server,
        FaultProxy(f"http://127.0.0.1:{server.port}") as proxy,
        client(proxy) as one,
    ):
        for _ in range(3):
            status, headers, body = await one.ask()
            assert (status, headers["content-length"], body) == (200, "5", b"abcde")


async def test_a_connection_that_the_server_closed_is_replaced() -> None:
    async with behind() as (_, one, server):
        await one.ask()
        for task in list(server.tasks):
            task.cancel()
        assert (await one.ask())[2] == BODY
        assert server.n_connections == 2


async def test_an_answer_is_late() -> None:
    async with behind(once(Delayed(timedelta(seconds=0.2)))) as (_, one, _):
        began = monotonic()
        assert (await one.ask())[2] == BODY
        assert 0.2 <= monotonic() - began < 2


async def test_an_answer_of_the_proxy_never_reaches_the_server() -> None:
    answer = Answered(503, b"<Code>SlowDown</Code>", {"Retry-After": "7"})
    async with behind(ProxyRule(answer, first=2)) as (proxy, one, server):
        status, headers, body = await one.ask()
        assert (status, headers["retry-after"], body) == (503, "7", b"<Code>SlowDown</Code>")
        assert (await one.ask("HEAD"))[::2] == (503, b"")
        assert server.requests == []
        assert (await one.ask())[0] == 200
        assert proxy.faults == {"Answered": 2}


async def test_a_reset_before_the_server_hears_of_it() -> None:
    async with behind(once(ResetBefore())) as (proxy, one, server):
        with pytest.raises(ConnectionResetError):
            await one.ask()
        assert server.requests == []
        async with client(proxy) as another:
            assert (await another.ask())[2] == BODY


async def test_an_answer_is_lost_after_the_server_acted() -> None:
    async with behind(once(Lost())) as (_, one, server):
        with pytest.raises(ConnectionResetError):
            await one.ask("PUT", body=b"data")
        assert [request.body for request in server.requests] == [b"data"]


async def cut(fault: ProxyFault) -> tuple[bytes, str]:
    """What comes of a body, and how it ends."""
    async with behind(once(fault)) as (_, one, _):
        one.writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        head = await one.reader.readuntil(b"\r\n\r\n")
        assert f"Content-Length: {len(BODY)}".encode() in head
        came = b""
        try:
            async with asyncio.timeout(0.4):
                while data := await one.reader.read(1000):
                    came += data
        except ConnectionResetError:
            return came, "reset"
        except TimeoutError:
            return came, "nothing"
        return came, "end"


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (ClosedInside(), "end"),
        (ResetInside(), "reset"),
        (Stalled(timedelta(seconds=5)), "nothing"),
        (Stalled(timedelta(seconds=0.1)), "end"),
    ],
)
async def test_a_body_that_does_not_come_whole(fault: ProxyFault, end: str) -> None:
    came, how = await cut(fault)
    assert how == end
    assert len(came) < len(BODY)
    assert BODY.startswith(came)


async def test_one_bit_of_the_body_is_another() -> None:
    async with behind(once(Flipped())) as (_, one, _):
        body = (await one.ask())[2]
        differences = [a ^ b for a, b in zip(body, BODY, strict=True) if a != b]
        assert len(differences) == 1
        assert differences[0].bit_count() == 1
        assert (await one.ask())[2] == BODY


async def test_headers_and_parameters_of_a_request_are_lost() -> None:
    rules = [ProxyRule(Stripped(name), first=1) for name in ("If-None-Match", "ifGenerationMatch")]
    async with behind(*rules) as (_, one, server):
        await one.ask("PUT", If_None_Match="*", Other="kept")
        await one.ask("POST", "/o?name=a&ifGenerationMatch=0&alt=json")
        first, second = server.requests
        assert "if-none-match" not in first.headers
        assert first.headers["other"] == "kept"
        assert second.target == "/o?name=a&alt=json"


async def test_the_date_is_off() -> None:
    async with behind(once(Dated(timedelta(hours=-2)))) as (_, one, _):
        told = parsedate_to_datetime((await one.ask())[1]["date"])
        assert abs(told - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(seconds=5)


async def test_a_body_is_rewritten_with_its_length() -> None:
    async with behind(once(Rewritten(lambda body: body[:3] + b"!"))) as (_, one, _):
        _, headers, body = await one.ask()
        assert (headers["content-length"], body) == ("4", BODY[:3] + b"!")


async def test_rules_are_replaced_while_it_runs_and_counted_anew() -> None:
    rule = once(Answered(500))
    async with behind(rule) as (proxy, one, _):
        assert [(await one.ask())[0] for _ in range(2)] == [500, 200]
        proxy.rules = [rule]
        assert [(await one.ask())[0] for _ in range(2)] == [500, 200]
        proxy.rules = []
        assert (await one.ask())[0] == 200


async def test_clients_that_go_away_leave_nothing() -> None:
    async with behind(ProxyRule(Delayed(timedelta(seconds=60)), within="slow")) as (proxy, one, _):
        one.writer.write(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        async with client(proxy) as another:
            await another.ask()
            assert proxy.n_open == 2
    assert proxy.n_open == 0
    assert proxy.n_most_open == 2


async def test_a_thousand_requests_a_second_pass() -> None:
    async with behind() as (proxy, _, _):

        async def ask_many(n: int) -> None:
            async with client(proxy) as one:
                for _ in range(n):
                    assert len((await one.ask())[2]) == len(BODY)

        began = monotonic()
        await map_concurrently(ask_many, [100] * 10, limit=10)
        # With client and server in the same loop it takes a tenth of that on a calm core.
        assert monotonic() - began < 1


async def test_only_plain_servers_are_stood_before() -> None:
    with pytest.raises(InvalidInputError, match="http://host:port"):
        FaultProxy("https://127.0.0.1:1")
