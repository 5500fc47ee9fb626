from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiolake.credentials.azure import TokenProvider
from aiolake.credentials.azure_creds import AzureCreds, read_azure_creds
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import InvalidInputError

KEY = "c2VjcmV0IGtleQ=="
SAS = "sv=2021-12-02&sp=rl&sig=c2VjcmV0"
STRING = f"AccountName=flowers1;AccountKey={KEY};EndpointSuffix=core.windows.net"
OTHER = f"AccountName=other1;AccountKey={KEY}"
SIGNED = f"BlobEndpoint=https://other1.blob.core.windows.net/;SharedAccessSignature={SAS}"
END = datetime(2026, 11, 25, tzinfo=UTC)


def read(creds: Any, **environ: str) -> AzureCreds:
    return read_azure_creds("flowers1", creds, environ)


def fetched(found: AzureCreds) -> Credential:
    return asyncio.run(found.provider.fetch())


def source(found: AzureCreds) -> str:
    return found.provider.source


class TestDicts:
    @pytest.mark.parametrize("name", ["account_key", "ACCOUNT_KEY"])
    def test_an_account_key(self, name: str) -> None:
        found = read({name: KEY, "account_name": "flowers1"})
        assert fetched(found) == AccountKeyCredential("flowers1", KEY)
        assert source(found) == "account_key in creds="

    @pytest.mark.parametrize("name", ["sas_token", "SAS_TOKEN"])
    def test_a_signature(self, name: str) -> None:
        assert fetched(read({name: f"?{SAS}"})) == SasCredential(SAS)

    def test_a_connection_string(self) -> None:
        found = read({"connection_string": STRING})
        assert fetched(found) == AccountKeyCredential("flowers1", KEY)
        assert source(found) == "connection_string in creds="
        assert found.endpoint is None

    def test_an_endpoint_beats_the_connection_strings(self) -> None:
        text = f"{STRING};BlobEndpoint=https://a.example.com/"
        assert read({"connection_string": text}).endpoint == "https://a.example.com"
        given = {"connection_string": text, "endpoint_url": "https://b.example.com"}
        assert read(given).endpoint == "https://b.example.com"

    def test_a_service_principal(self) -> None:
        found = read({"tenant_id": "t", "client_id": "c", "client_secret": "hidden"})
        assert isinstance(found.provider, TokenProvider)
        assert source(found) == "the service principal c of tenant t"
        assert "hidden" not in repr(found.provider.identity)

    def test_a_managed_identity_and_a_tenant(self) -> None:
        assert source(read({"client_id": "c"})) == "the managed identity c"
        assert source(read({"tenant_id": "t"})) == "the default Azure login"

    def test_a_credential_beside_an_endpoint(self) -> None:
        found = read({"credential": BearerCredential("t", END), "endpoint_url": "https://x.y"})
        assert fetched(found) == BearerCredential("t", END)
        assert found.endpoint == "https://x.y"

    def test_a_word_beside_an_endpoint(self) -> None:
        found = read({"credential": "anonymous", "endpoint_url": "https://x.y"})
        assert (fetched(found), found.endpoint) == (AnonymousCredential(), "https://x.y")
        named = read({"credential": "ENV", "verify": False}, AZURE_STORAGE_KEY=KEY)
        assert (source(named), named.verify) == ("AZURE_STORAGE_KEY", False)

    def test_certificates(self) -> None:
        assert read({"account_key": KEY}).verify is True
        assert read({"account_key": KEY, "verify": False}).verify is False
        for path in ("/ca.pem", Path("/ca.pem")):
            assert read({"account_key": KEY, "verify": path}).verify == "/ca.pem"
        home = str(Path("~/ca.pem").expanduser())
        assert read({"account_key": KEY, "verify": "~/ca.pem"}).verify == home

    @pytest.mark.parametrize(
        ("creds", "message"),
        [
            ({"acount_key": KEY}, "did you mean 'account_key'"),
            ({"ACCOUNT_NAME": "flowers1"}, "'account_name'"),
            ({"aws_access_key_id": KEY}, "has no key 'aws_access_key_id'"),
            ({"account_key": ""}, "account_key"),
            ({"sas_token": 5}, "sas_token"),
            ({"verify": 5}, "verify"),
            ({"verify": ""}, "verify"),
            ({"account_key": f"{KEY[:4]}\n{KEY[4:]}"}, "line break"),
            ({"connection_string": "AccountName=flowers1;AccountKey=!"}, "AccountKey in conn"),
            ({"connection_string": SIGNED}, "AccountName in connection_string is 'other1'"),
            ({"account_key": "hidden, no base64"}, "account_key in creds= is not base64"),
            ({"account_key": SAS}, "give it as sas_token"),
            ({"sas_token": "hidden"}, "holds no 'sig='"),
            ({"connection_string": "hidden"}, "not of the form"),
            ({"account_key": KEY, "sas_token": SAS}, "account_key and sas_token"),
            ({"account_key": KEY, "account_name": "other1"}, "'other1'"),
            ({"connection_string": OTHER}, "'other1'"),
            ({"client_secret": "hidden"}, "tenant_id and client_id"),
            ({"credential": 5}, "cannot be a int"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, creds: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidInputError, match=message) as caught:
            read(creds)
        assert not {"hidden", KEY, SAS} & set(str(caught.value).split())

    def test_an_entry_of_none_is_as_if_left_out(self) -> None:
        assert fetched(read({"account_key": KEY, "sas_token": None})).expires_at is None


class TestEnvironment:
    def test_in_the_order_of_the_az_command(self) -> None:
        values = {
            "AZURE_STORAGE_CONNECTION_STRING": STRING,
            "AZURE_STORAGE_KEY": KEY,
            "AZURE_STORAGE_SAS_TOKEN": SAS,
        }
        for creds in (None, "ENV"):
            left = dict(values)
            for name in values:
                assert source(read(creds, **left)) == name
                del left[name]

    def test_what_is_for_another_account_is_left_alone(self) -> None:
        named = {"AZURE_STORAGE_ACCOUNT": "other1", "AZURE_STORAGE_KEY": KEY}
        assert source(read(None, **named)) == "the default Azure login"
        with pytest.raises(InvalidInputError, match="AZURE_STORAGE_ACCOUNT is 'other1'"):
            read("ENV", **named)
        for text in (OTHER, SIGNED):
            assert source(read(None, AZURE_STORAGE_CONNECTION_STRING=text)).endswith("login")
        other = "https://other1.blob.core.windows.net"
        assert read(None, AZURE_STORAGE_SERVICE_ENDPOINT=other).endpoint is None

    def test_an_endpoint(self) -> None:
        endpoint = {"AZURE_STORAGE_SERVICE_ENDPOINT": "https://x.y"}
        assert read(None, **endpoint).endpoint == "https://x.y"
        assert read("anonymous", **endpoint).endpoint == "https://x.y"
        assert read("ENV", AZURE_STORAGE_KEY=KEY, **endpoint).endpoint == "https://x.y"
        # It may be another's: a token, or a key that was given by hand, is not sent there.
        assert read({"account_key": KEY}, **endpoint).endpoint is None

    def test_an_endpoint_of_the_connection_string_counts_more(self) -> None:
        named = {
            "AZURE_STORAGE_CONNECTION_STRING": f"{STRING};BlobEndpoint=https://a.example.com",
            "AZURE_STORAGE_SERVICE_ENDPOINT": "https://b.example.com",
        }
        assert read(None, **named).endpoint == "https://a.example.com"

    def test_a_variable_that_holds_no_signature_is_named(self) -> None:
        with pytest.raises(InvalidInputError, match="AZURE_STORAGE_SAS_TOKEN holds no 'sig='"):
            read(None, AZURE_STORAGE_SAS_TOKEN="hidden")

    def test_a_service_principal(self) -> None:
        named = {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "hidden"}
        found = read("ENV", **named)
        assert source(found) == "the service principal of the environment"
        assert "hidden" not in repr(found.provider.identity)

    def test_nothing_there(self) -> None:
        with pytest.raises(InvalidInputError, match="AZURE_STORAGE_SAS_TOKEN"):
            read("ENV")

    def test_other_logins_are_other_identities(self) -> None:
        one, same = read(None, AZURE_CLIENT_ID="a"), read(None, AZURE_CLIENT_ID="a")
        other = read(None, AZURE_CLIENT_ID="b")
        assert one.provider.identity == same.provider.identity != other.provider.identity


class Login:
    """Like a credential of azure-identity."""

    def get_token(self, *scopes: str) -> None:
        """Nobody asks."""


class TestOthers:
    def test_nothing_at_all(self) -> None:
        assert fetched(read("anonymous")) == AnonymousCredential()

    @pytest.mark.parametrize("text", ["browser", "env", STRING, SAS, ""])
    def test_other_words_are_refused_without_showing_them(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="'ENV' or 'anonymous'") as caught:
            read(text)
        assert not text or f" {text} " not in f" {caught.value} "
        assert KEY not in str(caught.value)

    def test_values(self) -> None:
        for value in (
            AccountKeyCredential("flowers1", KEY),
            SasCredential(SAS, END),
            BearerCredential("t", END),
            AnonymousCredential(),
        ):
            assert fetched(read(value)) == value

    def test_a_value_is_checked(self) -> None:
        with pytest.raises(InvalidInputError, match="not base64"):
            read(AccountKeyCredential("flowers1", "no base64"))
        with pytest.raises(InvalidInputError, match="other1"):
            read(AccountKeyCredential("other1", KEY))
        with pytest.raises(InvalidInputError, match="sig="):
            read(SasCredential("hidden"))

    def test_a_login_object(self) -> None:
        one, other = Login(), Login()
        assert source(read(one)) == "the Login in creds="
        assert read(one).provider.identity == read(one).provider.identity
        assert read(one).provider.identity != read(other).provider.identity

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (SasCredential(SAS, END), SasCredential(SAS, END)),
            ({"sas_token": f"?{SAS}", "expires_at": END}, SasCredential(SAS, END)),
            ({"account_key": KEY}, AccountKeyCredential("flowers1", KEY)),
            ({"token": "t", "expires_at": END}, BearerCredential("t", END)),
        ],
    )
    def test_a_function(self, answer: Any, expected: Credential) -> None:
        assert fetched(read(lambda: answer)) == expected

    @pytest.mark.parametrize("answer", [{}, {"token": 5}, 5, {"token": "t", "expires_at": 5}])
    def test_a_function_that_returns_something_else(self, answer: Any) -> None:
        with pytest.raises(InvalidInputError):
            fetched(read(lambda: answer))

    def test_something_else(self) -> None:
        with pytest.raises(InvalidInputError, match="cannot be a timedelta"):
            read(timedelta(0))
