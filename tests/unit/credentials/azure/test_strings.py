from __future__ import annotations

import pytest
from azure.storage.blob import BlobServiceClient

from aiolake.credentials.azure_strings import parse_connection_string
from aiolake.errors import InvalidInputError

KEY = "c2VjcmV0"
PORTAL = (
    f"DefaultEndpointsProtocol=https;AccountName=flowers1;AccountKey={KEY};"
    "EndpointSuffix=core.windows.net"
)


def test_the_portals_own() -> None:
    found = parse_connection_string(PORTAL)
    assert (found.account_name, found.account_key) == ("flowers1", KEY)
    assert found.endpoint is None


@pytest.mark.parametrize(
    "text",
    [
        f"AccountName=flowers1;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn;",
        PORTAL.replace("https", "http"),
        f"BlobEndpoint=http://127.0.0.1:10000/flowers1;AccountName=flowers1;AccountKey={KEY};",
        "UseDevelopmentStorage=true",
    ],
)
def test_the_endpoint_is_the_one_that_azures_own_package_reads(text: str) -> None:
    with BlobServiceClient.from_connection_string(text) as client:
        expected = client.primary_endpoint.rstrip("/")
    assert parse_connection_string(text).endpoint == expected


def test_one_of_the_emulator_has_its_published_key() -> None:
    found = parse_connection_string(
        "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://emulator"
    )
    assert found.account_name == "devstoreaccount1"
    assert found.endpoint == "http://emulator:10000/devstoreaccount1"
    assert found.account_key is not None


def test_names_may_be_in_any_case_and_keys_hold_equals_signs() -> None:
    found = parse_connection_string("accountname=a ; ACCOUNTKEY=QQ== ;Other=x")
    assert (found.account_name, found.account_key) == ("a", "QQ==")


def test_a_signature_with_an_endpoint_needs_no_account() -> None:
    text = (
        "BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=2021&sp=r&sig=x%3D"
    )
    found = parse_connection_string(text)
    assert found.sas_token == "sv=2021&sp=r&sig=x%3D"
    assert (found.account_name, found.endpoint) == (None, "https://a.blob.core.windows.net")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no AccountName with an AccountKey"),
        ("AccountName=flowers1", "holds no AccountName with an AccountKey"),
        (f"AccountKey={KEY}", "holds no AccountName with an AccountKey"),
        (KEY, "not of the form"),
        (f"AccountName=;AccountKey={KEY}", "not of the form"),
        (f"AccountName=a;{KEY}", "not of the form"),
    ],
)
def test_what_is_none_is_refused_without_showing_it(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        parse_connection_string(text)
    assert KEY not in str(caught.value)


def test_its_repr_shows_no_secret() -> None:
    assert KEY not in repr(parse_connection_string(PORTAL))
