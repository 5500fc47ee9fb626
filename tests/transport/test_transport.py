"""All ways a request may go, the fast lane, its threads, and aiohttp, against every server."""

from __future__ import annotations

import asyncio
import os
import random
import select
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme

from aiolake._aio import Tasks, map_concurrently
from aiolake.errors import (
    AiolakeError,
    ClosedError,
    InvalidInputError,
    PermissionDeniedError,
    StoreError,
    TransientStoreError,
)
from aiolake.options import Options
from aiolake.stores.base import Buffer
from aiolake.stores.transport.client import Transport
from aiolake.stores.transport.lane import lane, threaded
from aiolake.stores.transport.lane.head import request_bytes
from aiolake.stores.transport.values import CutShortError, Origin, Response, Tls
from aiolake.testing import cancel_at_each_step
from tests.transport.server import Request, Server, Writer, always, in_a_thread, ok, reset, serving

BODY = bytes(range(256)) * 80
OPTIONS = Options(stall_timeout=timedelta(seconds=0.3), connect_timeout=timedelta(seconds=2))
WAYS = ("lane", "threads", "aiohttp")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@asynccontextmanager
async def transport(way: str, options: Options = OPTIONS) -> AsyncIterator[Transport]:
    made = Transport(options)
    if way == "aiohttp":
        made._lane.takes = lambda *_: False  # type: ignore[method-assign]
    try:
        with mock.patch.object(lane, "_LONG_NBYTES", 0 if way == "threads" else lane._LONG_NBYTES):
            yield made
    finally:
        await made.aclose()
        assert made.statistics().in_use == 0
        assert made._lane.n_used == made._lane.n_idle == 0


async def get(client: Transport, server: Server, target: str = "/x") -> Response:
    return await client.send(server.origin, "GET", target, {})


async def ranged(request: Request, writer: Writer) -> None:
    """Bytes of BODY, as the Range header says."""
    first, last = request.headers["range"].removeprefix("bytes=").split("-")
    part = BODY[int(first) : int(last) + 1]
    writer.write(ok(part, "206 Partial Content"))
    await writer.drain()


class TestGoodAnswers:
    async def test_connections_are_used_again(self, way: str) -> None:
        async with serving(always(ok(BODY))) as server, transport(way) as client:
            for _ in range(5):
                assert bytes((await get(client, server)).body) == BODY
            assert server.n_connections == 1
            await map_concurrently(lambda _: get(client, server), range(8))
            assert 1 < server.n_connections <= 9

    async def test_headers_target_and_host_arrive_as_they_are(self, way: str) -> None:
        async with serving(always(ok(b""))) as server, transport(way) as client:
            headers = {"range": "bytes=1-2", "x-amz-date": "now", "authorization": "a b=c, d"}
            await client.send(server.origin, "GET", "/a%2Fb%20c//d?x=%2F&y", headers)
            (request,) = server.requests
            assert request.target == "/a%2Fb%20c//d?x=%2F&y"
            assert request.headers["host"] == server.origin.authority
            assert {name: request.headers[name] for name in headers} == headers
            assert request.headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize("status", ["404 Not Found", "503 Slow Down", "301 Moved", "412 No"])
    async def test_every_status_is_an_answer(self, way: str, status: str) -> None:
        more = "Location: http://127.0.0.1:1/\r\nX-Odd: ä\r\n"
        async with (
            serving(always(ok(b"<Error/>", status, more))) as server,
            transport(way) as client,
        ):
            response = await get(client, server)
            assert response.status == int(status[:3])
            assert bytes(response.body) == b"<Error/>"
            assert response.headers["location"] == "http://127.0.0.1:1/"
            assert len(server.requests) == 1

    async def test_head(self, way: str) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: x\r\n\r\n"
        async with serving(always(head)) as server, transport(way) as client:
            for _ in range(2):
                response = await client.send(server.origin, "HEAD", "/x", {})
                assert (response.status, response.headers["content-length"]) == (200, "1234")
            assert server.n_connections == 1

    async def test_a_body_in_chunks(self, way: str) -> None:
        data = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        async with serving(always(data)) as server, transport(way) as client:
            for _ in range(2):
                assert bytes((await get(client, server)).body) == b"abcde"
            assert server.n_connections == 1

    async def test_what_the_lane_does_not_read_goes_by_the_other_way(self) -> None:
        async def old(request: Request, writer: Writer) -> None:
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
            writer.close()

        async with serving(old) as server, transport("lane") as client:
            assert bytes((await get(client, server)).body) == b"until the end"
            assert len(server.requests) == 2

    async def test_bodies_go_out_in_pieces_with_a_length(self, way: str) -> None:
        async with serving(always(ok(b""))) as server, transport(way) as client:
            pieces: list[Buffer] = [b"one ", bytearray(b"two "), memoryview(BODY)]
            await client.send(server.origin, "PUT", "/x", {"if-none-match": "*"}, pieces)
            await client.send(server.origin, "PUT", "/empty", {})
            whole, empty = server.requests
            assert whole.body == b"one two " + BODY
            assert "transfer-encoding" not in whole.headers
            assert empty.headers["content-length"] == "0"

    async def test_a_large_body(self, way: str) -> None:
        body = os.urandom(1 << 20) * 9
        async with serving(always(ok(body))) as server, transport(way) as client:
            assert bytes((await get(client, server)).body) == body

    async def test_what_was_received_is_nobody_elses(self, way: str) -> None:
        async with serving(ranged) as server, transport(way) as client:

            async def part(i: int) -> Response:
                start = 100 * i
                headers = {"range": f"bytes={start}-{start + 99}"}
                return await client.send(server.origin, "GET", "/x", headers)

            for _ in range(3):
                found = await map_concurrently(part, range(100), limit=16)
                assert [bytes(each.body) for each in found] == [
                    BODY[100 * i : 100 * i + 100] for i in range(100)
                ]
            statistics = client.statistics()
            assert statistics.requests == 300
            assert statistics.bytes_read == 30_000

    async def test_long_bodies_are_not_written_into_as_long_as_anybody_looks(
        self, way: str
    ) -> None:
        rng = random.Random(5)

        async def answer(request: Request, writer: Writer) -> None:
            n = int(request.target[1:])
            writer.write(ok(bytes([n % 251]) * (100_000 + 3_000 * (n % 7))))
            await writer.drain()

        async with serving(answer) as server, transport(way) as client:
            kept: dict[int, memoryview] = {}

            async def one(n: int) -> None:
                body = memoryview((await get(client, server, f"/{n}")).body)
                kept[n] = body[rng.randrange(50_000) :]
                if n % 3:
                    del kept[rng.choice(list(kept))]

            await map_concurrently(one, range(300), limit=8)
            for n, part in kept.items():
                assert set(bytes(part)) == {n % 251}
            assert len(kept) > 50
            if way == "lane":
                assert 0 < client._lane._buffers.nbytes < 200 * 131_072  # some was used again
                await asyncio.sleep(0.3)  # a few looks of the lane, at a quarter of stall_timeout
                assert client._lane._buffers.nbytes == 0


class TestBadConnections:
    async def test_an_idle_connection_that_was_closed_is_replaced(self, way: str) -> None:
        async def once(request: Request, writer: Writer) -> None:
            writer.write(ok(BODY))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.close()

        async with serving(once) as server, transport(way) as client:
            for pause in (0, 0.1, 0):
                assert bytes((await get(client, server)).body) == BODY
                await asyncio.sleep(pause)

    async def test_a_connection_that_dies_under_a_second_request_is_replaced_once(
        self, way: str
    ) -> None:
        served: dict[Writer, int] = {}

        async def answer(request: Request, writer: Writer) -> None:
            served[writer] = served.get(writer, 0) + 1
            if served[writer] == 2:
                reset(writer)
                raise ConnectionResetError
            writer.write(ok(BODY))
            await writer.drain()

        async with serving(answer) as server, transport(way) as client:
            await get(client, server)
            assert bytes((await get(client, server)).body) == BODY
            assert len(server.requests) == 3

    async def test_a_write_is_never_sent_again(self, way: str) -> None:
        n = 0

        async def answer(request: Request, writer: Writer) -> None:
            nonlocal n
            n += 1
            if n == 2:
                reset(writer)
                raise ConnectionResetError
            writer.write(ok(b""))
            await writer.drain()

        async with serving(answer) as server, transport(way) as client:
            await client.send(server.origin, "PUT", "/x", {}, [b"first"])
            with pytest.raises(TransientStoreError):
                await client.send(server.origin, "PUT", "/x", {}, [b"second"])
            assert n == 2

    @pytest.mark.parametrize("how", ["reset", "close"])
    async def test_an_answer_that_ends_within_its_body(self, way: str, how: str) -> None:
        async def answer(request: Request, writer: Writer) -> None:
            writer.write(ok(BODY, "206 Partial Content", 'ETag: "e"\r\n')[:-10_000])
            await writer.drain()
            await asyncio.sleep(0.05)
            if how == "reset":
                reset(writer)
            else:
                writer.close()
            raise ConnectionResetError

        async with serving(answer) as server, transport(way) as client:
            with pytest.raises(CutShortError) as caught:
                await get(client, server)
            error = caught.value
            assert bytes(error.received) == BODY[:-10_000]
            assert error.response is not None
            assert error.response.headers["etag"] == '"e"'
            assert str(len(BODY) - 10_000) in str(error)
            assert len(server.requests) == 1

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Le"])
    async def test_an_answer_that_ends_within_its_head(self, way: str, sent: bytes) -> None:
        async def answer(request: Request, writer: Writer) -> None:
            writer.write(sent)
            await writer.drain()
            writer.close()
            raise ConnectionResetError

        async with serving(answer) as server, transport(way) as client:
            with pytest.raises(TransientStoreError) as caught:
                await get(client, server)
            assert not isinstance(caught.value, CutShortError)

    @pytest.mark.parametrize("sent", [b"", ok(BODY)[:30], ok(BODY)[:-1]])
    async def test_a_stall_ends(self, way: str, sent: bytes) -> None:
        async def answer(request: Request, writer: Writer) -> None:
            writer.write(sent)
            await writer.drain()
            await asyncio.sleep(5)

        async with serving(answer) as server, transport(way) as client:
            began = asyncio.get_running_loop().time()
            with pytest.raises(TransientStoreError, match=r"stall_timeout|cut short"):
                await get(client, server)
            assert asyncio.get_running_loop().time() - began < 2

    async def test_a_slow_answer_is_no_stall(self, way: str) -> None:
        async def answer(request: Request, writer: Writer) -> None:
            for piece in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 3\r\n\r\n", b"a", b"b", b"c"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.12)

        async with serving(answer) as server, transport(way) as client:
            assert bytes((await get(client, server)).body) == b"abc"

    async def test_nobody_listens(self, way: str) -> None:
        async with serving(always(b"")) as server:
            origin = server.origin
        async with transport(way) as client:
            with pytest.raises(
                TransientStoreError, match=r"nothing listens at http://127\.0\.0\.1"
            ):
                await client.send(origin, "GET", "/", {})

    async def test_an_unknown_name(self, way: str) -> None:
        async with transport(way) as client:
            with pytest.raises(TransientStoreError, match=r"'nosuchhost\.invalid' is not known"):
                await client.send(Origin("http", "nosuchhost.invalid", 80), "GET", "/", {})
            long = f"{'a' * 64}.invalid"  # a part of a name has 63 letters at most
            with pytest.raises(TransientStoreError, match="is not known"):
                await client.send(Origin("http", long, 80), "GET", "/", {})

    @pytest.mark.parametrize(
        ("named", "why"),
        [
            ("http://ann:s3cret@127.0.0.1:9", "Connect call failed"),
            ("socks5://127.0.0.1:9", "Connect call failed"),
            ("127.0.0.1:9", "no URL"),
            ("http://ann:s3cret@127.0.0.1:port", "no URL"),
        ],
    )
    async def test_a_proxy_that_is_none(
        self, monkeypatch: pytest.MonkeyPatch, named: str, why: str
    ) -> None:
        monkeypatch.setenv("http_proxy", named)
        monkeypatch.delenv("no_proxy", raising=False)
        async with transport("lane") as client:
            with pytest.raises(TransientStoreError, match="of http_proxy in the env") as caught:
                await client.send(Origin("http", "store.invalid", 80), "GET", "/", {})
        assert f"({why}" in str(caught.value)
        assert "no_proxy=store.invalid goes without it" in str(caught.value)
        assert "s3cret" not in str(caught.value)

    async def test_a_proxy_that_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        monkeypatch.delenv("no_proxy", raising=False)
        async with serving(always(refused)) as server, transport("lane") as client:
            monkeypatch.setenv("https_proxy", server.origin.url)
            with pytest.raises(TransientStoreError, match=r"of https_proxy .*it answers 407"):
                await client.send(Origin("https", "store.invalid", 443), "GET", "/", {})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def context_of(ca: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


class TestTls:
    async def test_a_trusted_server(self, way: str, authority: tuple[trustme.CA, str]) -> None:
        ca, path = authority
        body = BODY * 100
        async with (
            serving(always(ok(body)), context=context_of(ca), ca_file=path) as server,
            transport(way) as client,
        ):
            for _ in range(3):
                assert bytes((await get(client, server)).body) == body
            assert server.n_connections == 1

    async def test_a_server_nobody_vouches_for(
        self, way: str, authority: tuple[trustme.CA, str]
    ) -> None:
        ca, path = authority
        async with (
            serving(always(ok(b"x")), context=context_of(ca), ca_file=path) as server,
            transport(way) as client,
        ):
            origin = Origin("https", "localhost", server.port)
            with pytest.raises(StoreError, match=r"not trusted.*verify=") as caught:
                await client.send(origin, "GET", "/", {})
            assert not isinstance(caught.value, TransientStoreError)
            careless = Origin("https", "localhost", server.port, Tls(verify=False))
            assert (await client.send(careless, "GET", "/", {})).status == 200

    async def test_a_certificate_of_another_name(
        self, way: str, authority: tuple[trustme.CA, str]
    ) -> None:
        ca, path = authority
        async with (
            serving(always(ok(b"")), context=context_of(ca, "other.example"), ca_file=path) as it,
            transport(way) as client,
        ):
            with pytest.raises(StoreError, match="not trusted"):
                await get(client, it)

    async def test_tls_to_a_plain_port(self, way: str) -> None:
        async def plain(request: Request, writer: Writer) -> None:
            raise AssertionError("no request can be read")

        async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with transport(way) as client:
            with pytest.raises(StoreError, match="does not speak TLS; is it http://localhost"):
                await client.send(Origin("https", "localhost", port), "GET", "/", {})
        server.close()

    async def test_a_ca_file_that_is_none(self, way: str, tmp_path: Path) -> None:
        bad = tmp_path / "ca.pem"
        bad.write_text("no certificate")
        async with transport(way) as client:
            for path in (str(bad), str(tmp_path / "missing.pem")):
                origin = Origin("https", "localhost", 1, Tls(ca_file=path))
                with pytest.raises(AiolakeError, match="CA file"):
                    await client.send(origin, "GET", "/", {})


class TestPrivateAddresses:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "10.0.0.1", "169.254.1.1"])
    async def test_a_dataset_does_not_lead_there(self, way: str, host: str) -> None:
        options = Options(connect_timeout=timedelta(seconds=0.2))
        async with serving(always(ok(b"secret"))) as server, transport(way, options) as client:
            origin = Origin("http", host, server.port, public_only=True)
            with pytest.raises((PermissionDeniedError, TransientStoreError)) as caught:
                await client.send(origin, "GET", "/", {})
            if host in ("127.0.0.1", "localhost"):
                assert isinstance(caught.value, PermissionDeniedError)
            assert not server.requests


class TestCancellation:
    async def test_at_each_step(self, way: str) -> None:
        with in_a_thread(BODY) as origin:
            async with transport(way) as client:
                await cancel_at_each_step(lambda: client.send(origin, "GET", "/", {}))
                assert bytes((await client.send(origin, "GET", "/", {})).body) == BODY

    async def test_a_storm_leaves_no_connection_and_no_wrong_byte(self, way: str) -> None:
        rng = random.Random(7)

        async def answer(request: Request, writer: Writer) -> None:
            first, last = request.headers["range"].removeprefix("bytes=").split("-")
            part = ok(BODY[int(first) : int(last) + 1], "206 Partial Content")
            middle = rng.randrange(len(part))
            writer.write(part[:middle])
            await writer.drain()
            await asyncio.sleep(rng.random() * 0.002)
            writer.write(part[middle:])
            await writer.drain()

        patient = Options(stall_timeout=timedelta(seconds=5))
        async with serving(answer) as server, transport(way, patient) as client:

            async def part(i: int) -> None:
                start = (i * 37) % (len(BODY) - 500)
                headers = {"range": f"bytes={start}-{start + 499}"}
                response = await client.send(server.origin, "GET", "/x", headers)
                assert bytes(response.body) == BODY[start : start + 500]

            async def cancelled(i: int) -> None:
                async with Tasks() as tasks:
                    task = tasks.start(part(i), name="part")
                    await asyncio.sleep(rng.random() * 0.004)
                    task.cancel()
                    await asyncio.wait((task,))

            await map_concurrently(cancelled, range(600), limit=32)
            assert client.statistics().in_use == 0
            await map_concurrently(part, range(600), limit=32)
            assert client._lane.n_used == 0
            assert server.n_open <= 33


class TestBegin:
    """Requests that are sent at once, and tell by a call what came."""

    async def test_it_needs_a_connection_at_hand(self) -> None:
        async with serving(always(ok(BODY))) as server, transport("lane") as client:
            begun = Begun(client, server)
            assert begun.sent is None
            await get(client, server)
            begun = Begun(client, server)
            assert client.statistics().in_use == 1
            response = await begun.told
            assert response is not None
            assert bytes(response.body) == BODY
            assert server.n_connections == 1
            assert client.statistics().idle == 1
            assert client.statistics().requests == 2

    async def test_it_is_not_for_those_behind_a_proxy(self) -> None:
        async with serving(always(ok(BODY))) as server, transport("aiohttp") as client:
            await get(client, server)
            assert Begun(client, server).sent is None

    async def test_given_up_it_tells_nobody_and_the_connection_is_closed(self) -> None:
        async with serving(always(ok(BODY))) as server, transport("lane") as client:
            await get(client, server)
            begun = Begun(client, server)
            assert begun.sent is not None
            begun.sent.give_up()
            assert client.statistics().in_use == 0
            await asyncio.sleep(0.05)
            assert not begun.told.done()
            assert client.statistics().idle == server.n_open == 0
            assert bytes((await get(client, server)).body) == BODY

    @pytest.mark.parametrize("how", ["reset", "cut", "stall", "unusual"])
    async def test_what_is_no_answer_is_told_as_none(self, how: str) -> None:
        n_asked = 0

        async def answer(_: Request, writer: Writer) -> None:
            nonlocal n_asked
            n_asked += 1
            if n_asked == 1:
                writer.write(ok(BODY))
            elif how == "reset":
                reset(writer)
            elif how == "cut":
                writer.write(ok(BODY)[:-5])
                writer.close()
            elif how == "unusual":
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n")

        async with serving(answer) as server, transport("lane") as client:
            await get(client, server)
            begun = Begun(client, server)
            assert await begun.told is None
            assert client.statistics().in_use == 0
            await asyncio.sleep(0.05)
            assert client.statistics().idle == client._lane.n_used == client._lane._n_open == 0

    async def test_a_connection_that_died_idle_is_not_used(self) -> None:
        async with serving(always(ok(BODY))) as server, transport("lane") as client:
            await get(client, server)
            connection = next(iter(client._lane._pool._idle[server.origin]))[0]
            connection.usable = False  # as its end is known, before the loop has told of it
            assert Begun(client, server).sent is None
            await asyncio.sleep(0.05)
            assert server.n_open == 0

    async def test_each_of_many_is_answered_by_its_place(self) -> None:
        async with serving(ranged) as server, transport("lane") as client:
            origin = server.origin

            async def connect(_: int) -> None:
                await client.send(origin, "GET", "/x", {"range": "bytes=0-9"})

            await map_concurrently(connect, range(4))
            told: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
            n_made = 0

            def requests() -> Iterator[bytes]:
                nonlocal n_made
                for i in range(10):
                    n_made += 1
                    headers = {"range": f"bytes={i}-{2 * i}"}
                    yield request_bytes("GET", "/x", origin.authority, headers)

            def tell(i: int, response: Response | None) -> None:
                assert response is not None
                told.put_nowait((i, bytes(response.body)))

            n_idle = client.statistics().idle
            sent = client.begin(origin, "GET", requests(), tell)
            assert sent is not None
            assert sent.n == client.statistics().in_use == n_idle
            assert n_made == n_idle + 1
            assert dict([await told.get() for _ in range(sent.n)]) == {
                i: BODY[i : 2 * i + 1] for i in range(sent.n)
            }
            assert (client.statistics().in_use, client.statistics().idle) == (0, n_idle)
            sent.give_up()  # there is nothing to give up
            assert (client.statistics().in_use, client.statistics().idle) == (0, n_idle)

    async def test_of_many_given_up_those_not_answered_are_closed(self) -> None:
        n_asked = 0

        async def two_more(_: Request, writer: Writer) -> None:
            nonlocal n_asked
            n_asked += 1
            if n_asked <= 5:
                writer.write(ok(BODY))

        async with serving(two_more) as server, transport("lane") as client:
            await map_concurrently(lambda _: get(client, server), range(3))
            n_idle, n_asked = client.statistics().idle, 3
            request = request_bytes("GET", "/x", server.origin.authority, {})
            told: asyncio.Queue[int] = asyncio.Queue()
            sent = client.begin(
                server.origin, "GET", [request] * 9, lambda i, _: told.put_nowait(i)
            )
            assert sent is not None
            for _ in range(min(2, n_idle)):
                await told.get()
            sent.give_up()
            await asyncio.sleep(0.05)
            assert told.empty()
            assert client.statistics().idle == server.n_open == min(2, n_idle)
            assert client.statistics().in_use == 0

    async def test_a_request_that_cannot_be_made_leaves_nothing_behind(self) -> None:
        async with serving(always(ok(BODY))) as server, transport("lane") as client:
            await map_concurrently(lambda _: get(client, server), range(2))

            def requests() -> Iterator[bytes]:
                yield request_bytes("GET", "/x", server.origin.authority, {})
                yield request_bytes("GET", "/x", server.origin.authority, {"a": "b\n"})

            with pytest.raises(InvalidInputError):
                client.begin(server.origin, "GET", requests(), lambda *_: pytest.fail("told"))
            assert client.statistics().in_use == 0
            assert bytes((await get(client, server)).body) == BODY

    async def test_closing_the_client_tells_who_waits(self) -> None:
        n_asked = 0

        async def first_only(_: Request, writer: Writer) -> None:
            nonlocal n_asked
            n_asked += 1
            if n_asked == 1:
                writer.write(ok(BODY))

        async with serving(first_only) as server, transport("lane") as client:
            await get(client, server)
            begun = Begun(client, server)
            await client.aclose()
            assert await begun.told is None
            with pytest.raises(ClosedError):
                Begun(client, server)

    async def test_answers_and_requests_follow_each_other_within_the_call(self) -> None:
        """Who is told of an answer asks for the next on the same connection."""
        async with serving(ranged) as server, transport("lane") as client:
            await client.send(server.origin, "GET", "/x", {"range": "bytes=0-9"})
            got: list[bytes] = []
            done = asyncio.get_running_loop().create_future()

            def ask() -> None:
                at = 7 * len(got)
                headers = {"range": f"bytes={at}-{at + 99}"}
                request = request_bytes("GET", "/x", server.origin.authority, headers)
                assert client.begin(server.origin, "GET", [request], told) is not None

            def told(_: int, response: Response | None) -> None:
                assert response is not None
                got.append(bytes(response.body))
                if len(got) < 200:
                    ask()
                else:
                    done.set_result(None)

            ask()
            await done
            assert got == [BODY[7 * i : 7 * i + 100] for i in range(200)]
            assert server.n_connections == 1


class Begun:
    """A request begun, and what was told of it."""

    def __init__(self, client: Transport, server: Server) -> None:
        self.told: asyncio.Future[Response | None]
        self.told = asyncio.get_running_loop().create_future()
        request = request_bytes("GET", "/x", server.origin.authority, {})
        self.sent = client.begin(server.origin, "GET", [request], self._tell)

    def _tell(self, i: int, response: Response | None) -> None:
        assert i == 0
        self.told.set_result(response)


class TestThreads:
    """Long bodies, which threads receive."""

    async def test_long_ranges_of_plain_servers_go_by_them(
        self, authority: tuple[trustme.CA, str]
    ) -> None:
        body = os.urandom(lane._LONG_NBYTES)
        ca, path = authority

        async def answer(request: Request, writer: Writer) -> None:
            first, last = request.headers["range"].removeprefix("bytes=").split("-")
            writer.write(ok(body[int(first) : int(last) + 1], "206 Partial Content"))
            await writer.drain()

        for context, ca_file, n_long in ((None, None, 1), (context_of(ca), path, 0)):
            async with (
                serving(answer, context=context, ca_file=ca_file) as server,
                transport("lane") as client,
            ):
                for last in (len(body) - 2, len(body) - 1):
                    headers = {"range": f"bytes=0-{last}"}
                    response = await client.send(server.origin, "GET", "/x", headers)
                    assert bytes(response.body) == body[: last + 1]
                    del response
                assert client._lane._long_pool.n_idle == n_long
                assert client._lane._pool.n_idle == 1
                assert client.statistics().opened == 1 + n_long

    async def test_closing_the_client_ends_a_read_at_once(self) -> None:
        options = Options(stall_timeout=timedelta(seconds=20))

        async def half(request: Request, writer: Writer) -> None:
            writer.write(ok(BODY)[:-9])
            await asyncio.sleep(20)

        before = set(threading.enumerate())
        async with serving(half) as server, transport("threads", options) as client:

            async def read() -> None:
                with pytest.raises(TransientStoreError):
                    await get(client, server)

            began = asyncio.get_running_loop().time()
            async with Tasks() as tasks:
                tasks.start(read(), name="read")
                while not server.requests:  # noqa: ASYNC110 the server says it to nobody
                    await asyncio.sleep(0.01)
                await client.aclose()
            assert asyncio.get_running_loop().time() - began < 5
            left = set(threading.enumerate()) - before
            assert not [each for each in left if each.name.startswith("aiolake")]

    async def test_a_read_that_is_cancelled_leaves_no_thread_in_it(self) -> None:
        options = Options(stall_timeout=timedelta(seconds=20))

        async def half(request: Request, writer: Writer) -> None:
            writer.write(ok(BODY)[:-9])
            await asyncio.sleep(20)

        async with serving(half) as server, transport("threads", options) as client:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await get(client, server)
                assert client._lane.n_used == client._lane._n_open == 0

    async def test_more_reads_than_threads_are_sent_at_once(self) -> None:
        n = lane._MOST_THREADS + 20
        all_came = asyncio.Event()

        async def together(_: Request, writer: Writer) -> None:
            if len(server.requests) == n:
                all_came.set()
            await all_came.wait()
            writer.write(ok(BODY))

        options = Options(stall_timeout=timedelta(seconds=5))
        async with serving(together) as server, transport("threads", options) as client:
            for response in await map_concurrently(lambda _: get(client, server), range(n)):
                assert bytes(response.body) == BODY
            assert len(server.requests) == n

    @pytest.mark.parametrize("public_only", [False, True])
    async def test_a_server_that_ends_what_it_accepted(
        self, monkeypatch: pytest.MonkeyPatch, public_only: bool
    ) -> None:
        connect = threaded._connected

        async def end(_: asyncio.StreamReader, writer: Writer) -> None:
            reset(writer)

        async def connected(host: str, port: int) -> socket.socket:
            found = await connect(host, port)
            while not select.select([found], [], [], 0)[0]:  # noqa: ASYNC110 nobody tells of it
                await asyncio.sleep(0.01)
            return found

        monkeypatch.setattr(threaded, "_connected", connected)
        server = await asyncio.start_server(end, "127.0.0.1", 0)
        async with server, asyncio.timeout(20), transport("threads") as client:
            port = server.sockets[0].getsockname()[1]
            origin = Origin("http", "127.0.0.1", port, public_only=public_only)
            with pytest.raises(TransientStoreError):
                await client.send(origin, "GET", "/", {})
            assert client._lane._n_open == 0

    async def test_an_address_of_a_family_this_machine_has_not_is_passed_over(
        self, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        look_up = loop.getaddrinfo

        async def found(*args: Any, **kwargs: Any) -> list[Any]:
            found = await look_up(*args, **kwargs)
            return [(socket.AF_APPLETALK, *found[0][1:]), *found]

        async with serving(always(ok(BODY))) as server, transport(way) as client:
            monkeypatch.setattr(loop, "getaddrinfo", found)
            assert bytes((await get(client, server)).body) == BODY

    @pytest.mark.parametrize("last", [1 << 40, (1 << 63) - 2])
    async def test_more_may_be_asked_for_than_there_is(self, last: int) -> None:
        answer = always(ok(BODY, "206 Partial Content"))
        async with serving(answer) as server, transport("lane") as client:
            headers = {"range": f"bytes=0-{last}"}
            response = await client.send(server.origin, "GET", "/x", headers)
            assert bytes(response.body) == BODY

    async def test_a_length_that_no_memory_is_enough_for(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\nabc"
        async with serving(always(head)) as server, transport("threads") as client:
            with pytest.raises(TransientStoreError):
                await get(client, server)
            assert client._lane._n_open == 0


class TestClosing:
    async def test_a_closed_client_refuses(self, way: str) -> None:
        async with serving(always(ok(b"x"))) as server:
            async with transport(way) as client:
                await get(client, server)
            await client.aclose()
            with pytest.raises(ClosedError):
                await get(client, server)

    @pytest.mark.parametrize("way", ["lane", "threads"])
    @pytest.mark.parametrize("n_turns", [0, 1, 2])
    async def test_a_connection_made_while_the_client_closes_is_closed(
        self, way: str, n_turns: int
    ) -> None:
        async with serving(always(ok(b"x"))) as server, transport(way) as client:
            async with Tasks() as tasks:
                task = tasks.start(_refused(get(client, server)), name="read")
                for _ in range(n_turns + 1):
                    await asyncio.sleep(0)
                await client.aclose()
                await task
            assert client._lane._n_open == client._lane.n_idle == 0

    @pytest.mark.parametrize("way", ["lane", "threads"])
    async def test_what_waited_when_the_client_closed_is_not_sent_again(self, way: str) -> None:
        async def first_only(_: Request, writer: Writer) -> None:
            if len(server.requests) == 1:
                writer.write(ok(b"x"))

        async with serving(first_only) as server, transport(way) as client:
            await get(client, server)
            async with Tasks() as tasks:
                task = tasks.start(_refused(get(client, server)), name="read")
                while len(server.requests) < 2:  # noqa: ASYNC110 the server says it to nobody
                    await asyncio.sleep(0.01)
                await client.aclose()
                await task
            assert len(server.requests) == 2

    async def test_idle_connections_are_closed_when_they_are_old(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lane, "_IDLE_S", 0.05)
        async with serving(always(ok(b"x"))) as server, transport("lane") as client:
            await map_concurrently(lambda _: get(client, server), range(4))
            assert client.statistics().idle == server.n_open > 0
            await asyncio.sleep(0.4)
            assert client.statistics().idle == server.n_open == 0


async def _refused(call: Awaitable[object]) -> None:
    with pytest.raises(ClosedError):
        await call
