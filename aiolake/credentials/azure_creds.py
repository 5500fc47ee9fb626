"""What ``creds=`` may be for ``az://``, read into where a credential comes from. Pure.

Nothing is asked here: a provider is a way to get one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiolake.credentials.azure import (
    DefaultChain,
    EnvironmentIdentity,
    GivenIdentity,
    ManagedIdentity,
    ServicePrincipal,
    TokenProvider,
)
from aiolake.credentials.azure_sas import sas_credential
from aiolake.credentials.azure_strings import ConnectionString, account_of, parse_connection_string
from aiolake.credentials.dicts import check_keys, text_of, trust_of
from aiolake.credentials.provider import CallableProvider, Provider, StaticProvider, digest
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import InvalidInputError

__all__ = ["AzureCreds", "read_azure_creds"]

_KINDS = (AccountKeyCredential, SasCredential, BearerCredential, AnonymousCredential)
_KEYS = (
    "account_name",
    "account_key",
    "sas_token",
    "connection_string",
    "endpoint_url",
    "credential",
    "tenant_id",
    "client_id",
    "client_secret",
    "verify",
)
_EITHER_CASE = ("account_key", "sas_token")
_WAYS = ("account_key", "sas_token", "connection_string", "credential")
_PREFIX = "AZURE_STORAGE_"
_FEDERATED = "AZURE_FEDERATED_TOKEN_FILE"


@dataclass(frozen=True, slots=True)
class AzureCreds:
    """What was given, or found.

    Attributes:
        provider: Gets the credential.
        endpoint: The Blob service, where it is not the public cloud's.
        verify: Whether the server's certificate is checked, or the file of CAs to check it with.
    """

    provider: Provider
    endpoint: str | None = None
    verify: bool | str = True


def read_azure_creds(account: str, creds: Any, environ: Mapping[str, str]) -> AzureCreds:
    """Where the credential for an account comes from.

    Args:
        account: Of the address; a key or a signature named for another one is refused.
        creds: ``None``, ``"ENV"``, ``"anonymous"``, a dict, a credential of ours or of
            azure-identity, or a function that returns one.
        environ: The environment's variables.

    Raises:
        InvalidInputError: It makes no sense; the message says what would.
    """
    if creds is None:
        return _found(account, environ)
    if isinstance(creds, str):
        return _named(account, creds, environ)
    if isinstance(creds, Mapping):
        return _of_dict(account, creds, environ)
    return AzureCreds(_given(account, creds))


def _found(account: str, environ: Mapping[str, str]) -> AzureCreds:
    """Keys and signatures of the environment if they are this account's, else who is logged in."""
    named = environ.get(f"{_PREFIX}ACCOUNT") or account
    found = _of_environment(account, environ) if named == account else None
    if found is not None:
        return found
    identity = DefaultChain(_who(environ))
    return AzureCreds(TokenProvider(identity), _endpoint(account, environ))


def _named(account: str, name: str, environ: Mapping[str, str]) -> AzureCreds:
    endpoint = _endpoint(account, environ)
    if name == "anonymous":
        provider = StaticProvider(AnonymousCredential(), "creds='anonymous'")
        return AzureCreds(provider, endpoint)
    if name != "ENV":
        raise InvalidInputError(
            "creds= as text is 'ENV' or 'anonymous' for az://; keys, signatures and connection "
            "strings go in a dict: creds={'account_key': ...}, {'sas_token': ...}, "
            "{'connection_string': ...}"
        )
    _check_account(account, environ.get(f"{_PREFIX}ACCOUNT"), f"{_PREFIX}ACCOUNT")
    found = _of_environment(account, environ)
    if found is not None:
        return found
    if not environ.get("AZURE_CLIENT_ID") or not environ.get("AZURE_TENANT_ID"):
        raise InvalidInputError(
            f"creds='ENV' found no {_PREFIX}CONNECTION_STRING, {_PREFIX}KEY or {_PREFIX}SAS_TOKEN "
            "in the environment, and no AZURE_CLIENT_ID with AZURE_TENANT_ID and a secret; set "
            "one, or leave creds= out to use whoever is logged in"
        )
    words = "the workload identity" if environ.get(_FEDERATED) else "the service principal"
    identity = EnvironmentIdentity(_who(environ), f"{words} of the environment")
    return AzureCreds(TokenProvider(identity), endpoint)


def _endpoint(account: str, environ: Mapping[str, str]) -> str | None:
    """The Blob service of the environment, if it is not another account's."""
    endpoint = environ.get(f"{_PREFIX}SERVICE_ENDPOINT") or None
    return endpoint if account_of(endpoint) in (None, account) else None


def _of_environment(account: str, environ: Mapping[str, str]) -> AzureCreds | None:
    """In the order of the ``az`` command: connection string, key, signature."""
    endpoint = _endpoint(account, environ)
    name = f"{_PREFIX}CONNECTION_STRING"
    if environ.get(name):
        found = parse_connection_string(environ[name], name)
        if found.account_name in (None, account):
            return _of_connection_string(account, found, name, found.endpoint or endpoint)
    name = f"{_PREFIX}KEY"
    if environ.get(name):
        return AzureCreds(_of_key(account, environ[name], name), endpoint)
    name = f"{_PREFIX}SAS_TOKEN"
    if environ.get(name):
        signature = sas_credential(environ[name], what=name)
        return AzureCreds(StaticProvider(signature, name), endpoint)
    return None


def _of_dict(account: str, creds: Mapping[Any, Any], environ: Mapping[str, str]) -> AzureCreds:
    values = _checked(creds)
    _check_account(account, values.get("account_name"), "account_name")
    ways = [way for way in _WAYS if way in values]
    if len(ways) > 1:
        raise InvalidInputError(f"creds= gives {' and '.join(ways)}; give one of them")
    endpoint, verify = values.get("endpoint_url"), trust_of(values, "az")
    if "connection_string" in values:
        found = parse_connection_string(values["connection_string"])
        _check_account(account, found.account_name, "AccountName in connection_string")
        read = _of_connection_string(account, found, "connection_string in creds=", endpoint)
        return AzureCreds(read.provider, read.endpoint, verify)
    if isinstance(values.get("credential"), str):
        named = _named(account, values["credential"], environ)
        return AzureCreds(named.provider, endpoint or named.endpoint, verify)
    return AzureCreds(_provider(account, values), endpoint, verify)


def _provider(account: str, values: Mapping[str, Any]) -> Provider:
    if "account_key" in values:
        return _of_key(account, values["account_key"], "account_key in creds=")
    if "sas_token" in values:
        return StaticProvider(sas_credential(values["sas_token"]), "sas_token in creds=")
    if "credential" in values:
        return _given(account, values["credential"])
    tenant, client = values.get("tenant_id"), values.get("client_id")
    if "client_secret" in values:
        if tenant is None or client is None:
            raise InvalidInputError(
                "client_secret in creds= needs tenant_id and client_id beside it: they name the "
                "service principal"
            )
        return TokenProvider(ServicePrincipal(tenant, client, values["client_secret"]))
    if client is not None:
        return TokenProvider(ManagedIdentity(client))
    return TokenProvider(DefaultChain(tenant_id=tenant))


def _given(account: str, creds: Any) -> Provider:
    """A credential, an object that gets tokens, or a function."""
    if isinstance(creds, _KINDS):
        if isinstance(creds, AccountKeyCredential):
            _check_account(account, creds.account_name, "account_name of creds=")
            _check_key(creds.account_key, "account_key of creds=")
        if isinstance(creds, SasCredential):
            creds = sas_credential(creds.sas_token, creds.expires_at)
        return StaticProvider(creds, f"the {type(creds).__name__} in creds=")
    if hasattr(creds, "get_token") or hasattr(creds, "get_token_info"):
        return TokenProvider(GivenIdentity(creds))
    if callable(creds):
        return CallableProvider(creds, _from_mapping(account), _KINDS)
    raise InvalidInputError(
        f"creds= for az:// cannot be a {type(creds).__name__}; give a dict, 'ENV', 'anonymous', a "
        "credential of azure-identity, or a function that returns a credential; or leave it out"
    )


def _from_mapping(account: str) -> Callable[[Mapping[str, Any]], Credential]:
    def make(values: Mapping[str, Any]) -> Credential:
        expires: datetime | None = values.get("expires_at")
        if isinstance(values.get("sas_token"), str):
            return sas_credential(values["sas_token"], expires)
        if isinstance(values.get("account_key"), str):
            return AccountKeyCredential(account, _check_key(values["account_key"], "account_key"))
        if isinstance(values.get("token"), str):
            return BearerCredential(values["token"], expires)
        raise InvalidInputError(
            "the dict that a function in creds= returns for az:// holds sas_token, account_key or "
            "token, and expires_at (an aware datetime) where it ends"
        )

    return make


def _of_connection_string(
    account: str, found: ConnectionString, what: str, endpoint: str | None
) -> AzureCreds:
    if found.account_key is not None:
        key = _check_key(found.account_key, f"AccountKey in {what}")
        provider = StaticProvider(AccountKeyCredential(account, key), what)
    else:
        signature = sas_credential(found.sas_token or "", what=f"SharedAccessSignature in {what}")
        provider = StaticProvider(signature, what)
    return AzureCreds(provider, endpoint or found.endpoint)


def _of_key(account: str, key: str, what: str) -> StaticProvider:
    return StaticProvider(AccountKeyCredential(account, _check_key(key, what)), what)


def _check_key(key: str, what: str) -> str:
    text = key.strip()
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if decoded:
        return text
    hint = "it is a signature: give it as sas_token" if "sig=" in text else "it is cut, or another"
    raise InvalidInputError(
        f"{what} is not base64, as account keys are ({hint}); copy 'Key' from the portal's 'Access "
        "keys', or: az storage account keys list"
    )


def _check_account(account: str, named: str | None, what: str) -> None:
    if named and named != account:
        raise InvalidInputError(
            f"{what} is {named!r} and the address says az://{account}/...; the account of the "
            "address is the one that counts, so leave the other out, or correct one of them"
        )


def _checked(creds: Mapping[Any, Any]) -> dict[str, Any]:
    """The entries that are given, of known names and right types."""
    values = check_keys(creds, _KEYS, "az", either_case=_EITHER_CASE)
    for name in values.keys() - {"credential", "verify"}:
        text_of(values, name, "az")
    return values


def _who(environ: Mapping[str, str]) -> str:
    """A fingerprint of the variables that decide who is logged in."""
    names = sorted(
        name
        for name in environ
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "IMDS_"))
        and not name.startswith(_PREFIX)
    )
    return digest(*(f"{name}={environ[name]}" for name in names))
