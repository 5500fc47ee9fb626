from __future__ import annotations

import pytest

from aiolake import urls
from aiolake.errors import InvalidInputError
from aiolake.stores._azure.place import Place, check_blob_key, place_of, target
from aiolake.stores.transport.values import Tls


def place(url: str, endpoint: str | None = None) -> Place:
    return place_of(urls.parse(url), endpoint, Tls())


def test_an_address_is_an_account_a_container_and_a_prefix() -> None:
    found = place("azure://flowers1/box/a b/c")
    assert found.url == "az://flowers1/box/a b/c"
    assert found.origin.url == "https://flowers1.blob.core.windows.net"
    assert found.container_path == "/box"
    assert found.blob_path("log/1") == "/box/a%20b/c/log/1"


def test_an_address_without_a_prefix_is_a_whole_container() -> None:
    found = place("az://flowers1/$web")
    assert (found.prefix, found.url) == ("", "az://flowers1/$web")
    assert found.blob_path("x") == "/$web/x"


def test_names_go_over_the_wire_encoded_but_for_what_nobody_encodes() -> None:
    path = place("az://flowers1/box").blob_path("aZ09-._~/ä%2F+&?#'*")
    assert path == "/box/aZ09-._~/%C3%A4%252F%2B%26%3F%23%27%2A"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:10000", "http://127.0.0.1:10000/flowers1/box/x"),
        ("http://127.0.0.1:10000/flowers1/", "http://127.0.0.1:10000/flowers1/box/x"),
        ("http://[::1]:10000", "http://[::1]:10000/flowers1/box/x"),
        ("http://azurite:10000", "http://azurite:10000/flowers1/box/x"),
        ("https://flowers1.blob.core.chinacloudapi.cn", None),
        ("https://data.example.com/", "https://data.example.com/box/x"),
    ],
)
def test_an_endpoint_has_the_account_in_its_host_or_in_its_path(
    endpoint: str, expected: str | None
) -> None:
    found = place("az://flowers1/box", endpoint)
    assert found.origin.url + found.blob_path("x") == (expected or f"{endpoint}/box/x")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("az://Flowers/box", "no storage account"),
        ("az://fl/box", "no storage account"),
        ("az://flowers1.blob.core.windows.net/box/a", "write az://flowers1/box/"),
        ("az://flowers1/Box", "no container"),
        ("az://flowers1/a--b", "no container"),
        ("az://flowers1/ab-", "no container"),
        ("az://flowers1/box/a\\b", "turns"),
        ("az://flowers1/box/a//b", "form"),
    ],
)
def test_names_that_azure_does_not_allow_are_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        place(url)


def test_an_endpoint_of_another_account_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="of the account 'other1' and the address says"):
        place("az://flowers1/box", "https://other1.blob.core.windows.net")
    replica = "https://flowers1-secondary.blob.core.windows.net"
    assert place("az://flowers1/box", replica).origin.url == replica


@pytest.mark.parametrize(
    "endpoint", ["u:s3cret@h:1", "http://u:s3cret@h:port", "http://u:s3cret@h"]
)
def test_what_is_no_endpoint_is_named_and_shows_no_password(endpoint: str) -> None:
    with pytest.raises(InvalidInputError, match="endpoint_url") as caught:
        place("az://flowers1/box", endpoint)
    assert "s3cret" not in repr(caught.value)
    assert "s3cret" not in str(caught.value.context)


def test_an_endpoint_may_have_an_account_of_another_form() -> None:
    assert place("az://Local_1/box", "http://127.0.0.1:1").base == "/Local_1"


def test_a_key_with_a_backslash_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="turns"):
        check_blob_key("a\\b")
    assert check_blob_key("a b/ä") == "a b/ä"


def test_a_signature_joins_the_query() -> None:
    assert target("/a", ()) == "/a"
    assert target("/a", (), "sv=1&sig=x%3D") == "/a?sv=1&sig=x%3D"
    assert target("/a", [("prefix", "ä b/"), ("comp", "list")]) == (
        "/a?prefix=%C3%A4%20b%2F&comp=list"
    )
    assert target("/a", [("comp", "list")], "sig=x") == "/a?comp=list&sig=x"
