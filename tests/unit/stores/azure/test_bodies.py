from __future__ import annotations

import base64
import hashlib

import pytest

from aiolake import urls
from aiolake.errors import TransientStoreError
from aiolake.stores._azure.bodies import body_within, put_headers
from aiolake.stores._azure.place import place_of
from aiolake.stores.transport.values import Response, Tls

PLACE = place_of(urls.parse("az://flowers1/box"), None, Tls())


def within(status: int, span: str, body: bytes, start: int, stop: int | None) -> bytes:
    response = Response(status, {"content-range": span} if span else {}, body)
    return bytes(body_within(response, PLACE, "k", start, stop))


def test_the_bytes_of_a_range() -> None:
    assert within(206, "bytes 2-4/9", b"234", 2, 5) == b"234"
    assert within(206, "bytes 7-8/9", b"78", 7, 99) == b"78"
    assert within(206, "bytes 7-8/*", b"78", 7, None) == b"78"


def test_at_the_end_and_past_it_there_are_none() -> None:
    assert within(416, "bytes */9", b"<Error/>", 9, 12) == b""
    assert within(206, "bytes 9-8/9", b"", 9, 12) == b""


def test_a_server_without_ranges_sends_all() -> None:
    assert within(200, "", b"012345678", 2, 5) == b"234"
    assert within(200, "", b"012345678", 20, 25) == b""


@pytest.mark.parametrize(
    ("span", "body"),
    [("bytes 0-2/9", b"012"), ("bytes 2-4/9", b"23"), ("", b"23"), ("bytes 2-5/9", b"2345")],
)
def test_another_range_than_was_asked_for_is_no_answer(span: str, body: bytes) -> None:
    with pytest.raises(TransientStoreError, match="bytes 2 to 5 of 'k'"):
        within(206, span, body, 2, 5)


def test_small_bodies_carry_their_md5() -> None:
    md5 = base64.b64encode(hashlib.md5(b"one two").digest()).decode()
    assert put_headers([b"one", bytearray(b" "), memoryview(b"two")])["content-md5"] == md5
    assert "content-md5" in put_headers([bytes(1 << 20)])
    assert "content-md5" not in put_headers([bytes(1 << 20), b"x"])
