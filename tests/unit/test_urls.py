"""Addresses: what they mean, and that each names the same place when it is parsed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiolake.errors import InvalidInputError
from aiolake.urls import Address, parse, without_user


@pytest.mark.parametrize("path", ["/a b/c#d?e", "/100%/x", "/a%20b", "/%2Fx", "/ä/日本"])
def test_the_address_of_any_directory_names_it_again(path: str) -> None:
    address = parse(path)
    assert address == Address("file", path)
    assert parse(str(address)) == address


def test_percent_escapes_of_a_file_address_are_undone() -> None:
    assert parse("file:///a%20b").path == "/a b"
    assert str(parse("file:///a%20b")) == "file:///a b"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (Path("s3://bucket/flowers"), "s3://bucket/flowers"),
        ("gs:/bucket/flowers", "gs://bucket/flowers"),
        ("file:/data/flowers", "file:///data/flowers"),
    ],
)
def test_an_address_that_lost_a_slash_is_no_local_directory(given: Any, meant: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(given)
    assert repr(meant) in str(caught.value)
    assert f"'./{given}'" in str(caught.value)


def test_a_directory_may_be_named_like_a_scheme() -> None:
    assert parse("./s3:/bucket").path == f"{Path.cwd()}/s3:/bucket"
    assert parse("c:/x").path == f"{Path.cwd()}/c:/x"


@pytest.mark.parametrize("given", ["http://", "https:///x", "http://[::1//x", "http://h/../x"])
def test_an_address_of_the_web_without_a_place_is_shown_as_it_is(given: str) -> None:
    with pytest.raises(InvalidInputError, match=r"'https?://.*' is not of the form http") as caught:
        parse(given)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host:1/a", "https://host:1/a"),
        ("https://ann:s3cret@host:1", "https://...@host:1"),
        ("ann:s3@cret@host:1", "...@host:1"),
    ],
)
def test_a_user_is_not_shown(url: str, shown: str) -> None:
    assert without_user(url) == shown


@pytest.mark.parametrize("given", [None, 17, b"./flowers", ["./flowers"]])
def test_an_address_is_text_or_a_path(given: Any) -> None:
    with pytest.raises(InvalidInputError, match="text or a path"):
        parse(given)
