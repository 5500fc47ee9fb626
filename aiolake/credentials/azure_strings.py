"""Azure's connection strings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aiolake.errors import InvalidInputError

__all__ = ["ConnectionString", "account_of", "parse_connection_string"]

_KNOWN = {
    name.lower(): name
    for name in (
        "AccountKey",
        "AccountName",
        "BlobEndpoint",
        "DefaultEndpointsProtocol",
        "DevelopmentStorageProxyUri",
        "EndpointSuffix",
        "SharedAccessSignature",
        "UseDevelopmentStorage",
    )
}
_HOST = re.compile(r"https?://([a-z0-9]{3,24})(?:-secondary)?\.blob\.core\.", re.I)
_EMULATOR_ACCOUNT = "devstoreaccount1"
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Of every emulator; published: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite"""


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """What one holds.

    Attributes:
        account_name: The account, if it is named, or is the endpoint's.
        account_key: Its key, in base64.
        sas_token: Or a signature.
        endpoint: The Blob service's URL, with the account; ``None`` if nothing says it.
    """

    account_name: str | None
    account_key: str | None = field(repr=False)
    sas_token: str | None = field(repr=False)
    endpoint: str | None


def parse_connection_string(text: str, what: str = "connection_string") -> ConnectionString:
    """Read ``AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net``.

    Args:
        text: Of the portal's 'Access keys'; names in any letter case, unknown ones are left alone.
        what: Its name in messages.

    Raises:
        InvalidInputError: It is no connection string, or holds neither key nor signature.
    """
    fields = _fields(text, what)
    if fields.get("UseDevelopmentStorage", "").lower() == "true":
        return _emulator(fields)
    endpoint = _endpoint(fields, fields.get("AccountName"))
    account = fields.get("AccountName") or account_of(endpoint)
    key = fields.get("AccountKey")
    signature = fields.get("SharedAccessSignature")
    if not signature and not (account and key):
        raise InvalidInputError(
            f"{what} holds no AccountName with an AccountKey, and no SharedAccessSignature; copy "
            "all of it from the portal's 'Access keys'"
        )
    return ConnectionString(account, key, signature, endpoint)


def account_of(endpoint: str | None) -> str | None:
    """The account that an endpoint of Azure's names; a host of another kind may be anybody's."""
    found = _HOST.match(endpoint or "")
    return None if found is None else found[1].lower()


def _fields(text: str, what: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in text.strip().split(";"):
        name, equals, value = part.strip().partition("=")
        if not part.strip():
            continue
        if not equals or not name or not value:
            raise InvalidInputError(
                f"{what} is not of the form AccountName=...;AccountKey=...: a part of it has no "
                "name, no '=' or no value"
            )
        fields[_KNOWN.get(name.strip().lower(), name.strip())] = value.strip()
    return fields


def _endpoint(fields: dict[str, str], account: str | None) -> str | None:
    if "BlobEndpoint" in fields:
        return fields["BlobEndpoint"].rstrip("/")
    scheme = fields.get("DefaultEndpointsProtocol", "https").lower()
    suffix = fields.get("EndpointSuffix", "core.windows.net")
    if account is None or (scheme, suffix) == ("https", "core.windows.net"):
        return None  # the public cloud's, which the address says
    return f"{scheme}://{account}.blob.{suffix}"


def _emulator(fields: dict[str, str]) -> ConnectionString:
    proxy = fields.get("DevelopmentStorageProxyUri", "http://127.0.0.1").rstrip("/")
    endpoint = f"{proxy}:10000/{_EMULATOR_ACCOUNT}"
    return ConnectionString(_EMULATOR_ACCOUNT, _EMULATOR_KEY, None, endpoint)
