"""Responses of the fast lane, read from whatever pieces they come in; connections kept or not."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import InvalidInputError
from aiolake.stores.transport.lane.buffers import Buffers, _rounded
from aiolake.stores.transport.lane.chunked import ChunkedBody
from aiolake.stores.transport.lane.head import (
    UnusualError,
    asked_nbytes,
    read_head,
    request_bytes,
)
from aiolake.stores.transport.lane.pool import Pool
from aiolake.stores.transport.lane.reader import Reader, Slab
from aiolake.stores.transport.values import Origin, Response

HEAD = b'HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nETag: "x"\r\n\r\n'


def read(pieces: Iterable[bytes], method: str = "GET") -> tuple[Response | None, Reader]:
    reader, response = Reader(Slab(), method, Buffers(0).take), None
    for piece in pieces:
        while piece:
            into = reader.buffer()
            assert len(into)
            taken = min(len(into), len(piece))
            into[:taken] = piece[:taken]
            response, piece = reader.received(taken), piece[taken:]
            if response is not None and piece:
                return response, reader
    return response, reader


def split(data: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({min(i, len(data)) for i in at}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


cuts = st.lists(st.integers(0, 500), max_size=8)


class TestReader:
    @given(st.binary(max_size=400), cuts)
    def test_a_response_cut_anywhere(self, body: bytes, at: list[int]) -> None:
        response, reader = read(split(HEAD % len(body) + body, at))
        assert response is not None
        assert (response.status, bytes(response.body)) == (206, body)
        assert response.headers == {"content-length": str(len(body)), "etag": '"x"'}
        assert reader.keeps

    @given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), cuts)
    def test_a_body_in_chunks_cut_anywhere(self, chunks: list[bytes], at: list[int]) -> None:
        head = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
        sent = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        response, reader = read(split(head + sent + b"0\r\nTrailer: x\r\n\r\n", at))
        assert response is not None
        assert bytes(response.body) == b"".join(chunks)
        assert reader.keeps

    def test_a_long_body_is_received_where_it_stays(self) -> None:
        body = bytes(range(256)) * 4096
        data = HEAD % len(body) + body
        response, _ = read([data[:100], data[100:5000], data[5000:]])
        assert response is not None
        assert isinstance(response.body, memoryview)
        assert response.body == body

    def test_a_body_does_not_change_with_the_next_response(self) -> None:
        slab = Slab()
        bodies = []
        for body in (b"first", b"other"):
            reader = Reader(slab, "GET", Buffers(0).take)
            data = HEAD % 5 + body
            reader.buffer()[: len(data)] = data
            response = reader.received(len(data))
            assert response is not None
            bodies.append(response.body)
        assert bodies == [b"first", b"other"]

    def test_what_comes_behind_a_response_ends_the_connection(self) -> None:
        response, reader = read([HEAD % 2 + b"abc"])
        assert response is not None
        assert bytes(response.body) == b"ab"
        assert not reader.keeps

    @pytest.mark.parametrize("status", [204, 304])
    def test_answers_without_a_body(self, status: int) -> None:
        response, _ = read([b"HTTP/1.1 %d X\r\nETag: a\r\n\r\n" % status])
        assert response is not None
        assert response.body == b""

    def test_an_answer_to_head_has_no_body_whatever_its_length(self) -> None:
        response, reader = read([HEAD % 1000], "HEAD")
        assert response is not None
        assert response.headers["content-length"] == "1000"
        assert response.body == b""
        assert reader.keeps

    def test_a_server_that_closes_is_not_asked_again(self) -> None:
        data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        _, reader = read([data])
        assert not reader.keeps

    def test_what_came_of_a_cut_body_is_there(self) -> None:
        _, reader = read([HEAD % 10 + b"0123"])
        cut = reader.cut()
        assert cut is not None
        assert cut[0].status == 206
        assert bytes(cut[1]) == b"0123"
        assert Reader(Slab(), "GET", Buffers(0).take).cut() is None


UNUSUAL = [
    b"HTTP/1.0 200 OK\r\nContent-Length: 0",
    b"HTTP/1.1 100 Continue",
    b"HTTP/2 200",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
    b"HTTP/1.1 200 OK\r\nContent-Length: +1",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
    b"HTTP/1.1 200 OK\r\nA: b\r\n folded",
    b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0",
    b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0",
    b"HTTP/1.1 200 OK\r\nA: b\nX: c\r\nContent-Length: 0",
    b"SSH-2.0-OpenSSH",
]


@pytest.mark.parametrize("head", UNUSUAL)
def test_what_is_unusual_is_left_to_another_client(head: bytes) -> None:
    with pytest.raises(UnusualError):
        read_head(head, "GET")


@given(st.binary(max_size=300))
def test_hostile_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UnusualError):
        read([b"HTTP/1.1 200 OK\r\n" + data])


@given(st.binary(max_size=100))
def test_hostile_chunks_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UnusualError):
        ChunkedBody().feed(data)


def test_a_head_without_an_end_is_refused() -> None:
    with pytest.raises(UnusualError, match="length"):
        read([b"HTTP/1.1 200 OK\r\nA: " + b"x" * (64 << 10)])


class TestRequest:
    def test_its_bytes(self) -> None:
        data = request_bytes("GET", "/a%20b?c=d", "host:9000", {"range": "bytes=0-9"})
        assert data == (
            b"GET /a%20b?c=d HTTP/1.1\r\nHost: host:9000\r\nAccept-Encoding: identity\r\n"
            b"range: bytes=0-9\r\n\r\n"
        )

    @pytest.mark.parametrize(
        ("target", "value"),
        [("/a\r\nX: y", "v"), ("/a", "v\r\nX: y"), ("/a", "v\n"), ("/a", "v\r"), ("/ä日", "v")],
    )
    def test_nothing_is_smuggled_into_it(self, target: str, value: str) -> None:
        with pytest.raises(InvalidInputError):
            request_bytes("GET", target, "host", {"x": value})


A, B = Origin("http", "a", 80), Origin("http", "b", 80)


class TestPool:
    def test_the_one_used_last_serves_next(self) -> None:
        pool: Pool[str] = Pool()
        for name in ("one", "two"):
            pool.add(name)
            pool.give_back(A, name, 0.0)
        assert (pool.n_idle, pool.n_used) == (2, 0)
        assert pool.take(A) == "two"
        assert pool.take(B) is None
        assert (pool.n_idle, pool.n_used) == (1, 1)

    def test_old_ones_are_taken_out(self) -> None:
        pool: Pool[str] = Pool()
        for at, name in enumerate(["old", "older", "new"]):
            pool.add(name)
            pool.give_back(A, name, float(at))
        assert pool.take_old(2.0) == ["old", "older"]
        assert pool.n_idle == 1

    def test_what_is_gone_is_forgotten_wherever_it_was(self) -> None:
        pool: Pool[str] = Pool()
        pool.add("used")
        pool.add("idle")
        pool.give_back(A, "idle", 0.0)
        for name in ("used", "idle", "unknown"):
            pool.forget(A, name)
        assert (pool.n_idle, pool.n_used) == (0, 0)
        assert pool.take(A) is None

    def test_all(self) -> None:
        pool: Pool[str] = Pool()
        pool.add("used")
        pool.add("idle")
        pool.give_back(A, "idle", 0.0)
        assert sorted(pool.take_all()) == ["idle", "used"]
        assert (pool.n_idle, pool.n_used) == (0, 0)


class TestBuffers:
    def test_memory_is_used_again_when_its_last_view_is_gone(self) -> None:
        buffers = Buffers(1 << 30)
        first = buffers.take(300_000)
        assert len(first) == 300_000
        first_id, part = id(first.obj), first[7:9]
        assert id(buffers.take(300_000).obj) != first_id
        first.release()
        assert id(buffers.take(300_000).obj) != first_id
        array = np.frombuffer(part, np.uint8)
        del part
        assert id(buffers.take(300_000).obj) != first_id
        del array
        assert first_id in {id(view.obj) for view in [buffers.take(300_000) for _ in range(3)]}

    @given(st.integers(1, 1 << 30))
    def test_little_is_wasted(self, nbytes: int) -> None:
        size = _rounded(nbytes)
        assert nbytes <= size <= max(1.25 * nbytes, nbytes + 65536)

    def test_no_more_is_kept_than_was_asked_for(self) -> None:
        buffers = Buffers(1 << 20)
        views = [buffers.take(1 << 18) for _ in range(20)]
        assert len({id(view.obj) for view in views}) == 20
        assert buffers.nbytes == 1 << 20

    def test_what_is_not_used_is_let_go(self) -> None:
        buffers = Buffers(1 << 30)
        view = buffers.take(100_000)
        view[:3] = b"abc"
        buffers.trim()
        assert buffers.nbytes > 0
        buffers.trim()
        assert buffers.nbytes == 0
        assert bytes(view[:3]) == b"abc"


@pytest.mark.parametrize(
    ("headers", "nbytes"),
    [
        ({"range": "bytes=0-0"}, 1),
        ({"Range": "bytes=5-104", "x": "y"}, 100),
        ({"range": "bytes=7-"}, 0),
        ({"range": "bytes=-7"}, 0),
        ({"range": "bytes=0-1,4-5"}, 0),
        ({}, 0),
    ],
)
def test_how_much_a_request_asks_for(headers: dict[str, str], nbytes: int) -> None:
    assert asked_nbytes(headers) == nbytes
