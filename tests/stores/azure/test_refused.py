"""Errors as a user meets them: each says what was attempted, on what, and what to try next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import urls
from aiolake.credentials.values import AnonymousCredential, BearerCredential
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    MissingExtraError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.options import Options
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from tests.servers.azure import AzureServer
from tests.servers.processes import free_port
from tests.stores.azure.places import address, opened, signature, store_at, token
from tests.stores.azure.scripted import KEY, failure, refusal, scripted

SECRETS = ("sig=", KEY, "eyJ", "Eby8")


def checked(error: AiolakeError, kind: type[AiolakeError], *words: str) -> None:
    """It is of that kind, says these words, and shows no secret."""
    assert type(error) is kind, error
    for word in words:
        assert word in str(error)
    assert not [secret for secret in SECRETS if secret in str(error)]


class TestKeysAndSignatures:
    async def test_a_key_of_another_account(self, azurite: AzureServer) -> None:
        async with store_at(azurite, account_key=KEY) as store:
            checked(await failure(store.get("a")), PermissionDeniedError, "not one of this account")
        # What the real service says of it:
        async with scripted(
            lambda _: refusal(403, "AuthenticationFailed", "The MAC signature ...")
        ) as store:
            words = "'a' in az://flowers1/box/p", "keys list --account-name flowers1"
            checked(await failure(store.get("a")), UnauthenticatedError, *words)

    async def test_a_signature_that_ends(self, azurite: AzureServer) -> None:
        container = azurite.new_container()
        short = signature(azurite, container, life=timedelta(seconds=-1))
        async with store_at(azurite, container=container, sas_token=short) as store:
            words = "sas_token in creds=", "expired"
            checked(await failure(store.get("a")), CredentialExpiredError, *words)

    @pytest.mark.parametrize(
        ("permissions", "words"),
        [
            ("r", "allows only 'r' (read), and this needs one of 'l' (list)"),
            ("rl", "allows only 'rl' (read, list), and this needs one of 'cw' (create, write)"),
            ("rlc", "allows only 'rcl' (read, create, list), and this needs one of 'd' (delete)"),
        ],
    )
    async def test_a_signature_that_allows_less(
        self, azurite: AzureServer, permissions: str, words: str
    ) -> None:
        container = azurite.new_container()
        azurite.upload(container, "a", b"x").expect(201)
        given = signature(azurite, container, permissions)
        async with store_at(azurite, container=container, sas_token=given) as store:
            assert bytes(await store.get("a")) == b"x"
            calls: dict[str, Any] = {
                "r": lambda: store.list(""),
                "rl": lambda: store.create("b", [b"x"]),
                "rlc": lambda: store.delete(["a"]),
            }
            checked(await failure(calls[permissions]()), PermissionDeniedError, words)

    async def test_a_signature_with_a_letter_changed(self, azurite: AzureServer) -> None:
        container = azurite.new_container()
        given = signature(azurite, container).replace("sp=racwdl", "sp=racwdlt")
        async with store_at(azurite, container=container, sas_token=given) as store:
            checked(await failure(store.get("a")), PermissionDeniedError, "not one of this account")

    async def test_a_dataset_is_read_where_listing_is_not_allowed(
        self, azurite: AzureServer
    ) -> None:
        container = azurite.new_container()
        url = str(address(azurite, container, "set"))
        whole = {"account_key": azurite.key, "endpoint_url": azurite.url}
        create = aiolake.create_dataset(url, {"n": aiolake.Tensor("int64")}, creds=whole)
        async with create as ds, ds.transaction("rows") as tx:
            await tx.append({"n": 5})
        given = {"sas_token": signature(azurite, container, "r"), "endpoint_url": azurite.url}
        async with aiolake.open_dataset(url, creds=given) as ds:
            assert (await ds.read(0))["n"] == 5


class TestTokens:
    async def test_one_for_another_service(self, azurite_oauth: AzureServer) -> None:
        given = BearerCredential(token(60, audience="https://graph.microsoft.com"))
        async with store_at(azurite_oauth, credential=given) as store:
            words = "for another service", "https://storage.azure.com/.default"
            checked(await failure(store.get("a")), UnauthenticatedError, *words)

    async def test_one_of_another_tenant(self, azurite_oauth: AzureServer) -> None:
        given = BearerCredential(token(60, issuer="https://elsewhere.example/x/"))
        async with store_at(azurite_oauth, credential=given) as store:
            checked(await failure(store.get("a")), UnauthenticatedError, "another tenant")

    async def test_one_that_is_none(self, azurite_oauth: AzureServer) -> None:
        async with store_at(azurite_oauth, credential=BearerCredential("nonsense")) as store:
            checked(await failure(store.get("a")), UnauthenticatedError, "was refused", "log in")

    async def test_an_old_one_that_nobody_renews(self, azurite_oauth: AzureServer) -> None:
        old = BearerCredential(token(-30), datetime.now(UTC) + timedelta(hours=1))
        async with store_at(azurite_oauth, credential=old) as store:
            checked(await failure(store.get("a")), CredentialExpiredError, "expired")

    async def test_none_goes_over_a_connection_that_anybody_can_read(
        self, azurite: AzureServer
    ) -> None:
        async with store_at(azurite, credential=BearerCredential(token(60))) as store:
            checked(await failure(store.get("a")), InvalidInputError, "https alone")


class TestPlaces:
    async def test_a_container_that_is_not_there(self, azurite: AzureServer) -> None:
        async with store_at(azurite, container="missing") as store:
            for call in (store.get("a"), store.list(""), store.create("a", [b"x"])):
                words = "az storage container create", "--name missing"
                checked(await failure(call), NotFoundError, *words)

    async def test_a_container_that_is_not_public(self, azurite: AzureServer) -> None:
        container = azurite.new_container()
        async with Network(Options()) as network:
            store = open_store(
                address(azurite, container),
                creds={"credential": AnonymousCredential(), "endpoint_url": azurite.url},
                network=network,
            )
            error = await failure(store.get("a"))
        assert isinstance(error, UnauthenticatedError | PermissionDeniedError)
        assert "az login" in str(error) or "Networking" in str(error)

    async def test_a_container_that_is_public(
        self, azurite: AzureServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        container = azurite.new_container()
        azurite.upload(container, "a", b"x").expect(201)
        public = {"x-ms-blob-public-access": "container"}
        path = f"/{container}?restype=container&comp=acl"
        azurite.request("PUT", path, headers=public).expect(200)
        monkeypatch.setenv("AZURE_STORAGE_SERVICE_ENDPOINT", azurite.url)
        async with Network(Options()) as network:
            store = open_store(address(azurite, container), creds="anonymous", network=network)
            assert bytes(await store.get("a")) == b"x"
            assert len((await store.list("")).objects) == 1

    async def test_an_account_that_is_not_there(self) -> None:
        async with Network(Options()) as network:
            url = urls.parse("az://nosuchaccount1/box")
            # .invalid is in no name server, by RFC 2606.
            endpoint = "https://nosuchaccount1.blob.invalid"
            creds = {"account_key": KEY, "endpoint_url": endpoint}
            store = open_store(url, creds=creds, network=network)
            words = "'nosuchaccount1.blob.invalid' is not known", "'nosuchaccount1' a storage"
            checked(await failure(store.get("a")), TransientStoreError, *words)

    async def test_a_port_where_nobody_listens(self, azurite: AzureServer) -> None:
        gone = azurite.at(f"http://127.0.0.1:{free_port()}")
        async with Network(Options()) as network:
            store = opened(network, gone, address(gone, "box"), account_key=KEY)
            checked(await failure(store.get("a")), TransientStoreError, "nothing listens")

    async def test_tls_to_a_plain_port(self, azurite: AzureServer) -> None:
        wrong = azurite.at(azurite.root.replace("http:", "https:"))
        async with Network(Options()) as network:
            store = opened(network, wrong, address(wrong, "box"), account_key=KEY)
            checked(await failure(store.get("a")), StoreError, "does not speak TLS")

    async def test_a_certificate_that_nobody_trusts(self, azurite_oauth: AzureServer) -> None:
        async with Network(Options()) as network:
            creds = {"account_key": azurite_oauth.key, "endpoint_url": azurite_oauth.url}
            url = address(azurite_oauth, azurite_oauth.new_container())
            store = open_store(url, creds=creds, network=network)
            checked(await failure(store.get("a")), StoreError, "is not trusted", "verify=")
            unchecked = open_store(url, creds={**creds, "verify": False}, network=network)
            await unchecked.put("a", [b"x"])


class TestBeforeAnythingIsAsked:
    @pytest.mark.parametrize(
        ("creds", "word"),
        [
            ({"acount_key": KEY}, "did you mean 'account_key'"),
            ({"ACCOUNT_NAME": "x"}, "write it in lower case: 'account_name'"),
            ({"account_key": "no base64!"}, "not base64"),
            ({"sas_token": "sv=2021"}, "'sig='"),
            ({"connection_string": "nonsense"}, "AccountName=...;AccountKey=..."),
            ("nonsense", "'ENV' or 'anonymous'"),
            (5, "cannot be a int"),
        ],
    )
    async def test_creds_that_make_no_sense(self, creds: object, word: str) -> None:
        async with Network(Options()) as network:
            with pytest.raises(InvalidInputError) as caught:
                open_store(urls.parse("az://flowers1/box"), creds=creds, network=network)
            assert word in str(caught.value)
            assert KEY not in str(caught.value)

    async def test_a_login_without_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiolake.credentials.azure._is_installed", lambda: False)
        async with Network(Options()) as network:
            with pytest.raises(MissingExtraError, match=r"pip install 'aiolake\[azure\]'"):
                open_store(urls.parse("az://flowers1/box"), network=network)
            open_store(urls.parse("az://flowers1/box"), creds={"account_key": KEY}, network=network)


async def test_a_dataset_that_is_not_there(azurite: AzureServer, tmp_path: Path) -> None:
    url = str(address(azurite, azurite.new_container(), "nothing"))
    creds = {"account_key": azurite.key, "endpoint_url": azurite.url}
    with pytest.raises(NotFoundError, match="nothing"):
        await aiolake.open_dataset(url, creds=creds)
