"""What goes wrong between a user and a cloud, and what he reads then."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiolake.credentials.values import BearerCredential
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    TransientStoreError,
    UnauthenticatedError,
)
from tests.credentials.google.cloud import Cloud, another_private_key
from tests.servers.azure import AzureServer
from tests.servers.processes import free_port
from tests.servers.s3 import S3Server
from tests.stores.azure.places import signature, token
from tests.stores.azure.scripted import KEY

__all__ = ["REFUSED", "Google", "Refused"]

Asked = tuple[str, Any]
"""An address, and the ``creds=`` it is opened with."""


@dataclass(frozen=True, slots=True)
class Google:
    """The small Google of the tests, and an empty bucket behind it."""

    cloud: Cloud
    bucket: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A case.

    Attributes:
        name: ``s3: a wrong bucket``.
        server: The fixture that plays the cloud.
        ask: What is opened there.
        kind: The class of the error.
        words: What it says; the next thing to try is among them.
        environ: Variables of the environment.
    """

    name: str
    server: str
    ask: Callable[[Any], Asked]
    kind: type[AiolakeError]
    words: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


_Case = tuple[str, Callable[[Any], Asked], type[AiolakeError], tuple[str, ...]]
_NOBODY = "endpoint_url in creds="
_UNKNOWN = "check the address's spelling"
_STRIP = "has spaces or a line break around it"
_NO_TLS = "does not speak TLS; is it http://"


def _s3(bucket: str | None = None, **changes: Any) -> Callable[[S3Server], Asked]:
    def ask(server: S3Server) -> Asked:
        keys = {
            "aws_access_key_id": server.access_key,
            "aws_secret_access_key": server.secret_key,
            "region": server.region,
            "endpoint_url": server.url,
        }
        made = {
            name: value(server) if callable(value) else value for name, value in changes.items()
        }
        return f"s3://{bucket or server.new_bucket()}/set", {**keys, **made}

    return ask


def _s3_session(life_s: int, **changes: str) -> Callable[[S3Server], Asked]:
    def ask(server: S3Server) -> Asked:
        given = server.session(life_s)
        if life_s < 10:
            time.sleep(life_s + 1.1)  # times there are whole seconds
        names = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        return _s3(**{**names, **changes})(server)

    return ask


def _s3_denied(*actions: str) -> Callable[[S3Server], Asked]:
    """A bucket whose policy forbids that."""

    def ask(server: S3Server) -> Asked:
        bucket = server.new_bucket()
        where = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": where}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
        server.request("PUT", f"/{bucket}?policy=", policy).expect(200, 204)
        return _s3(bucket)(server)

    return ask


_S3: list[_Case] = [
    (
        "a wrong bucket",
        _s3("no-such-bucket"),
        NotFoundError,
        ("'no-such-bucket'", "check the address's spelling, and that endpoint_url"),
    ),
    (
        "a key id that nobody knows",
        _s3(aws_access_key_id="AKIAWRONG"),
        UnauthenticatedError,
        ("InvalidAccessKeyId", "check aws_access_key_id"),
    ),
    (
        "a wrong secret",
        _s3(aws_secret_access_key="wrongwrongwrong"),
        UnauthenticatedError,
        ("SignatureDoesNotMatch", "check aws_secret_access_key for a missing character"),
    ),
    (
        "a secret with its line's end",
        _s3(aws_secret_access_key="wrongwrongwrong\n"),
        InvalidInputError,
        ("'aws_secret_access_key'", _STRIP),
    ),
    (
        "a malformed token",
        _s3_session(900, aws_session_token="nonsensenonsense"),
        UnauthenticatedError,
        ("InvalidToken", "aws_session_token"),
    ),
    (
        "an expired token",
        _s3_session(1),
        CredentialExpiredError,
        ("gives no newer one", "log in again, or give new keys"),
    ),
    (
        "nothing may be read",
        _s3_denied("s3:ListBucket", "s3:GetObject"),
        PermissionDeniedError,
        ("needs s3:GetObject", "s3:ListBucket", "check the address too"),
    ),
    (
        "no permission to list, and nothing there",
        _s3_denied("s3:ListBucket"),
        NotFoundError,
        ("there is no dataset at", "check the address"),
    ),
    (
        "a port where nobody listens",
        _s3("b", endpoint_url=lambda _: f"http://127.0.0.1:{free_port()}"),
        TransientStoreError,
        ("could not list in s3://b/set", "nothing listens at", _NOBODY),
    ),
    (
        "an unknown host",
        _s3("b", endpoint_url="https://s3.nowhere.invalid"),
        TransientStoreError,
        ("could not list in s3://b/set", "is not known", _UNKNOWN, "region"),
    ),
    (
        "TLS to a plain port",
        _s3("b", endpoint_url=lambda server: server.url.replace("http:", "https:")),
        StoreError,
        ("could not list in s3://b/set", _NO_TLS),
    ),
    (
        "a misspelt key of creds=",
        _s3("b", aws_acces_key_id="AKIA"),
        InvalidInputError,
        ("did you mean 'aws_access_key_id'?",),
    ),
]


def _gcs(bucket: str | None = None, **changes: Any) -> Callable[[Google], Asked]:
    """As a service account."""

    def ask(google: Google) -> Asked:
        cloud = google.cloud
        made = {
            name: value(google) if callable(value) else value for name, value in changes.items()
        }
        creds = cloud.account(**{"endpoint_url": cloud.url, **made})
        return f"gcs://{bucket or google.bucket}/set", creds

    return ask


def _gcs_with(**creds: Any) -> Callable[[Google], Asked]:
    """With other ``creds=``."""

    def ask(google: Google) -> Asked:
        made = {name: value(google) if callable(value) else value for name, value in creds.items()}
        return f"gcs://{google.bucket}/set", {"endpoint_url": google.cloud.url, **made}

    return ask


def _gcs_denied(*permissions: str) -> Callable[[Google], Asked]:
    def ask(google: Google) -> Asked:
        google.cloud.denied.update(permissions)
        return _gcs()(google)

    return ask


def _ended(google: Google) -> str:
    given: str = google.cloud.give("own")["access_token"]
    google.cloud.revoke()
    return given


_GCS: list[_Case] = [
    (
        "a wrong bucket",
        _gcs("no-such-bucket"),
        NotFoundError,
        ("there is no bucket 'no-such-bucket'; check its spelling", "or create it"),
    ),
    (
        "a wrong key",
        _gcs(private_key=lambda _: another_private_key()),
        UnauthenticatedError,
        ("the key was deleted", "gcloud iam service-accounts keys list"),
    ),
    (
        "a malformed token",
        _gcs_with(gcs_oauth_token="nonsensenonsense"),
        CredentialExpiredError,
        ("the token in creds=", "log in again, or give new keys"),
    ),
    (
        "a token with its line's end",
        _gcs_with(gcs_oauth_token="nonsensenonsense\n"),
        InvalidInputError,
        ("without spaces or line breaks", "strip it"),
    ),
    (
        "an expired token",
        _gcs_with(gcs_oauth_token=_ended),
        CredentialExpiredError,
        ("gives no newer one", "log in again, or give new keys"),
    ),
    (
        "nothing may be read",
        _gcs_denied("storage.objects.list", "storage.objects.get"),
        PermissionDeniedError,
        ("lacks storage.objects.get; have it granted on the bucket", "check the address too"),
    ),
    (
        "no permission to list, and nothing there",
        _gcs_denied("storage.objects.list"),
        NotFoundError,
        ("there is no dataset at", "check the address"),
    ),
    (
        "a port where nobody listens",
        _gcs_with(
            credentials="anonymous", endpoint_url=lambda _: f"http://127.0.0.1:{free_port()}"
        ),
        TransientStoreError,
        ("could not list in gcs://", "nothing listens at", _NOBODY),
    ),
    (
        "an unknown host",
        _gcs_with(credentials="anonymous", endpoint_url="https://gcs.nowhere.invalid"),
        TransientStoreError,
        ("could not list in gcs://", "is not known", _UNKNOWN),
    ),
    (
        "TLS to a plain port",
        _gcs_with(
            credentials="anonymous",
            endpoint_url=lambda google: google.cloud.url.replace("http:", "https:"),
        ),
        StoreError,
        ("could not list in gcs://", _NO_TLS),
    ),
    (
        "a misspelt key of creds=",
        _gcs_with(gcs_oauth_tokn="nonsensenonsense"),
        InvalidInputError,
        ("did you mean 'gcs_oauth_token'?",),
    ),
    (
        "a JSON that is no service account",
        _gcs_with(colour="red"),
        InvalidInputError,
        ("has no key 'colour'", "a service account's JSON, which has 'type'"),
    ),
    (
        "the JSON of an OAuth client",
        _gcs_with(installed={"client_id": "c", "client_secret": "nonsensenonsense"}),
        InvalidInputError,
        ("it seems to be an OAuth client's file", "'client_secrets': PATH"),
    ),
]


def _azure(container: str | None = None, **creds: Any) -> Callable[[AzureServer], Asked]:
    def ask(server: AzureServer) -> Asked:
        found = container or server.new_container()
        made = {n: value(server, found) if callable(value) else value for n, value in creds.items()}
        verify = {} if server.ca is None else {"verify": str(server.ca)}
        given = {"endpoint_url": server.url, **verify, **made}
        return f"az://{server.account}/{found}/set", given

    return ask


def _signed(permissions: str = "rl", life_s: int = 60) -> Callable[[AzureServer, str], str]:
    return lambda server, container: signature(
        server, container, permissions, timedelta(seconds=life_s)
    )


def _own_key(server: AzureServer, _: str) -> str:
    return server.key


_AZURE: list[_Case] = [
    (
        "a wrong container",
        _azure("missing", account_key=_own_key),
        NotFoundError,
        ("az storage container create", "--name missing"),
    ),
    (
        "a wrong key",
        _azure(account_key=KEY),
        PermissionDeniedError,
        ("the credential of account_key in creds= is not one of this account",),
    ),
    (
        "a malformed key",
        _azure(account_key="nonsense nonsense"),
        InvalidInputError,
        ("is not base64", "az storage account keys list"),
    ),
    (
        "a key with its line's end",
        _azure(account_key=f"{KEY}\n"),
        InvalidInputError,
        ("'account_key'", _STRIP),
    ),
    (
        "a malformed signature",
        _azure(sas_token="nonsensenonsense"),
        InvalidInputError,
        ("no whole signature", "az storage container generate-sas"),
    ),
    (
        "an expired signature",
        _azure(sas_token=_signed(life_s=-1)),
        CredentialExpiredError,
        ("sas_token in creds=", "log in again, or give new keys"),
    ),
    (
        "nothing may be read",
        _azure(sas_token=_signed("d")),
        PermissionDeniedError,
        ("allows only 'd' (delete), and this needs one of 'r' (read); make one that does",),
    ),
    (
        "no permission to list, and nothing there",
        _azure(sas_token=_signed("r")),
        NotFoundError,
        ("there is no dataset at", "check the address"),
    ),
    (
        "a port where nobody listens",
        _azure(
            "box",
            account_key=KEY,
            endpoint_url=lambda server, _: f"http://127.0.0.1:{free_port()}/{server.account}",
        ),
        TransientStoreError,
        ("could not list in az://", "nothing listens at", _NOBODY),
    ),
    (
        "an unknown host",
        _azure("box", account_key=KEY, endpoint_url="https://nobody1.blob.invalid"),
        TransientStoreError,
        ("could not list 'log/' in az://", "is not known", "spelled right", "endpoint_url"),
    ),
    (
        "TLS to a plain port",
        _azure(
            "box",
            account_key=KEY,
            endpoint_url=lambda server, _: server.url.replace("http:", "https:"),
        ),
        StoreError,
        ("could not list in az://", _NO_TLS),
    ),
    (
        "a misspelt key of creds=",
        _azure("box", acount_key=KEY),
        InvalidInputError,
        ("did you mean 'account_key'?",),
    ),
]
_AZURE_TOKENS: list[_Case] = [
    (
        "a malformed token",
        _azure(credential=BearerCredential("nonsensenonsense")),
        UnauthenticatedError,
        ("the token of the BearerCredential in creds= was refused", "log in again"),
    ),
    (
        "an expired token",
        _azure(credential=BearerCredential(token(-30))),
        CredentialExpiredError,
        ("gives no newer one", "log in again, or give new keys"),
    ),
    (
        "plain text to a port that speaks TLS",
        _azure(
            "box",
            account_key=KEY,
            endpoint_url=lambda server, _: server.url.replace("https:", "http:"),
        ),
        TransientStoreError,
        ("could not list in az://", "if the server speaks TLS, its address is https://"),
    ),
]
_NO_AZ = Refused(
    "azure: no az on the machine",
    "azurite_oauth",
    _azure("box"),
    UnauthenticatedError,
    ("no login for Azure was found; install the Azure CLI and run: az login", "account_key"),
    {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "PATH": str(Path("/nothing/here"))},
)

_BY_SERVER = (
    ("s3", "ministack", _S3),
    ("gcs", "google", _GCS),
    ("azure", "azurite", _AZURE),
    ("azure", "azurite_oauth", _AZURE_TOKENS),
)
REFUSED = [
    *(
        Refused(f"{cloud}: {name}", server, ask, kind, words)
        for cloud, server, cases in _BY_SERVER
        for name, ask, kind, words in cases
    ),
    _NO_AZ,
]
