"""Bodies of requests to Google Cloud Storage, and of its answers."""

from __future__ import annotations

import email
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import TransientStoreError
from aiolake.stores._gcs.bodies import (
    check_whole,
    checksum,
    metadata,
    multipart,
    part_of,
    read_meta,
    read_page,
)
from aiolake.stores.base import Buffer, ListPage, ObjectMeta


def test_the_checksum_is_the_published_one() -> None:
    # RFC 3720, B.4: 32 bytes of zeros have 0x8a9136aa.
    assert checksum([b"\0" * 10, memoryview(b"\0" * 20), bytearray(2)]) == "ipE2qg=="
    assert checksum([]) == "AAAAAA=="


@given(st.lists(st.binary(max_size=50), max_size=4), st.text(min_size=1, max_size=20))
def test_a_multipart_body_is_read_back_by_a_parser_of_mail(data: list[bytes], name: str) -> None:
    said = metadata(name, data)
    headers, body = multipart(said, data)
    message = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + b"".join(body)
    )
    parts: Any = message.get_payload()
    assert json.loads(parts[0].get_payload(decode=True)) == said
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    whole = b"".join(body)
    assert whole.endswith(b"\r\n\r\n" + b"".join(data) + b"\r\n--" + boundary + b"--\r\n")
    assert parts[1].get_content_type() == said["contentType"]


def test_the_pieces_of_a_body_are_not_copied() -> None:
    data: list[Buffer] = [b"x" * 100, bytearray(100)]
    _, body = multipart(metadata("a", data), data)
    assert body[1] is data[0]
    assert body[2] is data[1]


def test_no_two_bodies_have_one_boundary() -> None:
    kinds = {multipart({}, [])[0]["Content-Type"] for _ in range(100)}
    assert len(kinds) == 100


def test_a_page_names_keys_under_the_root() -> None:
    body = b"""{"kind": "storage#objects", "nextPageToken": "t", "items": [
        {"name": "p/", "size": "0"}, {"name": "p/log/1", "size": "12"}, {"name": "p/x"}]}"""
    expected = (ObjectMeta("log/1", 12), ObjectMeta("x", 0))
    assert read_page("p/", body) == ListPage(expected, "t")


@pytest.mark.parametrize(
    ("body", "token"), [(b"{}", None), (b'{"nextPageToken": "t"}', "t"), (b'{"items": []}', None)]
)
def test_an_empty_page_may_have_a_next_one(body: bytes, token: str | None) -> None:
    assert read_page("p/", body) == ListPage((), token)


def test_a_generation_is_the_etag() -> None:
    meta = read_meta("a", b'{"size": "5", "generation": "1700"}')
    assert (meta.key, meta.size, meta.etag) == ("a", 5, "1700")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"items": 3}'])
def test_what_is_no_answer_of_the_api_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(TransientStoreError, match="JSON"):
        read_page("", body)


def test_a_range_must_be_what_was_asked_for() -> None:
    body = b"23456"
    assert part_of(206, {"content-range": "bytes 2-6/10"}, body, 2, 7) == body
    assert part_of(206, {"content-range": "bytes 2-6/7"}, body, 2, 99) == body
    assert part_of(206, {"content-range": "bytes 2-6/7"}, body, 2, None) == body
    for wrong in ("bytes 3-7/10", "bytes 2-7/10", "bytes 2-5/10", "bytes */10", ""):
        with pytest.raises(TransientStoreError):
            part_of(206, {"content-range": wrong}, body, 2, 7)
    with pytest.raises(TransientStoreError):
        part_of(206, {"content-range": "bytes 2-6/10"}, body, 2, 5)


def test_a_whole_object_instead_of_a_range_is_cut_here() -> None:
    assert bytes(part_of(200, {}, b"0123456789", 2, 5)) == b"234"
    assert bytes(part_of(200, {}, b"0123456789", 20, 25)) == b""
    assert part_of(200, {}, b"0123456789", 0, None) == b"0123456789"


def test_a_whole_object_has_the_checksum_that_came_along() -> None:
    sums = f"crc32c={checksum([b'abc'])},md5=kAFQmDzST7DWlj99KOF/cg=="
    check_whole("a", {"x-goog-hash": sums}, b"abc")
    check_whole("a", {"x-goog-hash": "md5=kAFQmDzST7DWlj99KOF/cg=="}, b"abd")
    check_whole("a", {}, b"abd")
    with pytest.raises(TransientStoreError, match="crc32c"):
        check_whole("a", {"x-goog-hash": sums}, b"abd")
