"""What ``creds=`` of ``http(s)://`` means."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiolake.credentials.http_creds import Linked, parse, provider_of
from aiolake.credentials.values import BearerCredential
from aiolake.errors import InvalidInputError

SECRET = "s3cret"


def test_nothing_is_sent_without() -> None:
    nothing: tuple[Any, ...] = (None, "anonymous", {})
    for given in nothing:
        found = parse(given)
        assert found.headers == ()
        assert provider_of(found) is None


def test_users_headers_tokens_and_trust() -> None:
    found = parse({"username": "ann", "password": "x", "headers": {"X-A": "b"}, "verify": False})
    assert found.headers == (("X-A", "b"), ("Authorization", "Basic YW5uOng="))
    assert not found.verify
    until = datetime(2030, 1, 1, tzinfo=UTC)
    assert parse({"token": "t", "expires_at": until}).bearer == BearerCredential("t", until)
    assert parse({"verify": "/ca.pem"}).ca_bundle == "/ca.pem"
    assert parse({"ca_bundle": "/ca.pem"}).ca_bundle == "/ca.pem"
    assert parse({"verify": Path("/ca.pem")}).ca_bundle == "/ca.pem"
    assert parse({"ca_bundle": "~/ca.pem"}).ca_bundle == str(Path("~/ca.pem").expanduser())
    assert parse({"query": "?a=b"}).query == "a=b"
    assert parse({"query": "a=b"}, "a=b").query == "a=b"


BAD: list[tuple[Any, str]] = [
    ("ENV", "'ENV'"),
    (3, "int"),
    ({"tokn": SECRET}, "did you mean 'token'"),
    ({"TOKEN": SECRET}, "lower case"),
    ({"token": ""}, "is empty"),
    ({"token": f"Bearer {SECRET}"}, "without 'Bearer'"),
    ({"token": 3}, "must be text"),
    ({"username": "a"}, "lacks 'password'"),
    ({"password": SECRET}, "lacks 'username'"),
    ({"username": "a:b", "password": SECRET}, "no ':'"),
    ({"username": "a", "password": SECRET, "token": "t"}, "twice"),
    ({"headers": {"authorization": SECRET}, "token": "t"}, "twice"),
    ({"headers": {"Range": "x"}}, "set by aiolake"),
    ({"headers": {"host": "x"}}, "set by aiolake"),
    ({"headers": {"X-A": f"{SECRET}\r\nX-B: c"}}, "one line"),
    ({"headers": {"X A": "x"}}, "header's name"),
    ({"headers": {"X-A": ""}}, "one line"),
    ({"headers": ["x"]}, "dict of text"),
    ({"verify": 1}, "'verify'"),
    ({"ca_bundle": False}, "'ca_bundle'"),
    ({"verify": "/a.pem", "ca_bundle": "/b.pem"}, "give one"),
    ({"token": "t", "expires_at": "now"}, "aware"),
    ({"token": "t", "expires_at": datetime(2030, 1, 1)}, "aware"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_what_makes_no_sense_is_refused_without_showing_it(given: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        parse(given)
    assert SECRET not in f"{caught.value} {caught.value.context}"


def test_two_queries_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="give one"):
        parse({"query": "a=b"}, "c=d")


def test_no_repr_shows_a_secret() -> None:
    given = {"headers": {"X": SECRET}, "query": f"sig={SECRET}", "token": SECRET}
    assert SECRET not in repr(parse(given))
    assert SECRET not in repr(Linked({"token": SECRET}))


async def test_a_function_returns_a_token_or_a_dict() -> None:
    for answer in ({"token": "t"}, BearerCredential("t")):
        provider = provider_of(parse(lambda answer=answer: answer))
        assert provider is not None
        assert await provider.fetch() == BearerCredential("t")
    for wrong in ({}, {"tokn": "t"}, "t", None):
        provider = provider_of(parse(lambda wrong=wrong: wrong))
        assert provider is not None
        with pytest.raises(InvalidInputError):
            await provider.fetch()
