"""Logging in with a browser: the pure part."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from aiolake.credentials.login import Request, challenge_of, new_request, reply_to, url_of

ASKED = Request("the-state", "the-verifier")


def head(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def test_the_challenge_is_that_of_the_rfc() -> None:
    # RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_no_two_requests_are_alike_and_none_is_shown() -> None:
    requests = [new_request() for _ in range(50)]
    assert len({each.state for each in requests} | {each.verifier for each in requests}) == 100
    assert all(43 <= len(each.verifier) <= 128 for each in requests)
    assert requests[0].state not in repr(requests)


def test_consent_is_asked_for_with_a_challenge_and_a_state() -> None:
    parts = urlsplit(url_of("https://a/auth", "id", "http://127.0.0.1:5/", "scope", ASKED))
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    assert query["redirect_uri"] == "http://127.0.0.1:5/"
    assert query["code_challenge"] == challenge_of("the-verifier")
    assert query["code_challenge_method"] == "S256"
    assert query["state"] == "the-state"
    assert "the-verifier" not in parts.query


def test_the_code_of_the_answer_is_heard() -> None:
    reply = reply_to(head("/?state=the-state&code=4%2F0x&scope=s"), ASKED)
    assert reply.code == "4/0x"
    assert reply.status == "200 OK"
    assert "logged in" in reply.page


@pytest.mark.parametrize(
    "request_head",
    [
        head("/?state=other&code=c"),
        head("/?code=c"),
        head("/favicon.ico?state=the-state&code=c"),
        head("/?state=the-state&code=c", "POST"),
        head("/?state=the%2Dstat%C3%A9&code=c"),
        b"\x16\x03\x01 garbage",
        b"",
    ],
)
def test_what_is_no_answer_to_this_request_is_not_heard(request_head: bytes) -> None:
    reply = reply_to(request_head, ASKED)
    assert reply.code is None
    assert reply.refusal is None
    assert reply.status.startswith("4")


def test_a_refusal_is_heard_and_its_words_are_no_markup() -> None:
    reply = reply_to(head("/?state=the-state&error=<script>alert(1)</script>"), ASKED)
    assert reply.code is None
    assert reply.refusal == "<script>alert(1)</script>"
    assert "<script>" not in reply.page
    assert reply_to(head("/?state=the-state"), ASKED).refusal == "no code came back"


def test_a_page_is_whole_http() -> None:
    encoded = reply_to(head("/?state=the-state&code=c"), ASKED).encoded()
    start, _, body = encoded.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in start
    assert b"Connection: close" in start
