"""Where a container is: servers, paths, and names as they go over the wire. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from aiolake.credentials.azure_strings import account_of
from aiolake.errors import InvalidInputError
from aiolake.stores._azure.signing import Pairs
from aiolake.stores.checks import check_key
from aiolake.stores.transport.values import Origin, Tls
from aiolake.urls import Address

__all__ = ["Place", "check_blob_key", "place_of", "target"]

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"\$root|\$web|\$logs|(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
_SUFFIX = "blob.core.windows.net"


@dataclass(frozen=True)
class Place:
    """A prefix of a container.

    Attributes:
        account: The storage account.
        container: In it.
        prefix: Of every blob's name; ends in ``/`` unless empty.
        origin: The Blob service.
        base: The path before the container: ``""``, or ``/account`` where the host is not it.
    """

    account: str
    container: str
    prefix: str
    origin: Origin
    base: str

    @cached_property
    def url(self) -> str:
        """The address, canonical."""
        return f"az://{self.account}/{self.container}/{self.prefix}".rstrip("/")

    @cached_property
    def container_path(self) -> str:
        """The container's, encoded."""
        return f"{self.base}/{quote(self.container, safe='$')}"

    @cached_property
    def _blob_base(self) -> str:
        return f"{self.container_path}/{quote(self.prefix, safe='/')}"

    def blob_path(self, key: str) -> str:
        """A blob's, encoded: all but letters, digits and ``-._~/``, so that nobody on the way has a
        reason to write it otherwise and break its signature.
        """
        return self._blob_base + quote(key, safe="/")


def place_of(address: Address, endpoint: str | None, tls: Tls) -> Place:
    """The place an address means.

    Args:
        address: ``az://account/container/prefix``.
        endpoint: Another Blob service than that of Azure's public cloud: its account stands in the
            host, or in the path (``http://127.0.0.1:10000/account``), where it is added to a host
            that cannot hold it (an address of numbers, a name without a dot).
        tls: How its certificate is checked.

    Raises:
        InvalidInputError: A name that Azure does not allow, or an endpoint of another account.
    """
    account, container, *rest = address.path.split("/")
    _check_account(account, container, endpoint)
    _check_container(container)
    prefix = "/".join(rest)
    if prefix:
        check_blob_key(prefix)
    named = account_of(endpoint)
    if named is not None and named != account:
        raise InvalidInputError(
            f"the endpoint is of the account {named!r} and the address says az://{account}/...; "
            "correct one of them: see endpoint_url, and BlobEndpoint in the connection string"
        )
    url = endpoint or f"https://{account}.{_SUFFIX}"
    origin, base = Origin.parse(url, tls=tls, name="the endpoint (endpoint_url, BlobEndpoint)")
    if not base and _holds_no_account(origin.host):
        base = f"/{account}"
    return Place(account, container, f"{prefix}/" if prefix else "", origin, base)


def check_blob_key(key: str) -> str:
    """A key that Azure keeps as it is, or InvalidInputError."""
    if "\\" in key:
        raise InvalidInputError(
            f"{key!r} cannot be an object's key here: Azure turns '\\' in names into '/'", key=key
        )
    return check_key(key)


def target(path: str, query: Pairs, signature: str = "") -> str:
    """Path and query as they are sent.

    Args:
        path: Encoded.
        query: Not encoded.
        signature: A shared access signature, encoded; it joins the query.
    """
    parts = [f"{name}={quote(value, safe='')}" for name, value in query]
    parts += [signature] if signature else []
    return f"{path}?{'&'.join(parts)}" if parts else path


def _check_account(account: str, container: str, endpoint: str | None) -> None:
    if "." in account:
        name = account.partition(".")[0]
        raise InvalidInputError(
            f"the account in az://{account}/{container} is a host; write "
            f"az://{name}/{container}/..., and another cloud's host as endpoint_url in creds="
        )
    if endpoint is None and not _ACCOUNT.fullmatch(account):
        raise InvalidInputError(
            f"{account!r} is no storage account: their names are 3 to 24 lower-case letters and "
            "digits, and addresses are az://account/container/prefix"
        )


def _check_container(container: str) -> None:
    if not _CONTAINER.fullmatch(container):
        raise InvalidInputError(
            f"{container!r} is no container: their names are 3 to 63 lower-case letters, digits "
            "and single hyphens, and addresses are az://account/container/prefix"
        )


def _holds_no_account(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True
