"""Addresses: what they mean, and that each names the same place when it is parsed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiolake.errors import InvalidInputError
from aiolake.urls import Address, parse


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


@pytest.mark.parametrize("given", [None, 17, b"./flowers", ["./flowers"]])
def test_an_address_is_text_or_a_path(given: Any) -> None:
    with pytest.raises(InvalidInputError, match="text or a path"):
        parse(given)
