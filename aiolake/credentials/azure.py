"""Tokens of Microsoft Entra, by azure-identity, which is loaded when the first is asked for.

azure-identity keeps the tokens it got, so a credential made here is thrown away after each, and
the next token is new. What cannot be skipped, and may bring the same token again: the caches of
``az`` and of the metadata service, which hand out one until it nearly ends, and that of a
credential object which a user made.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from aiolake._aio import finish
from aiolake.credentials.azure_words import explain
from aiolake.credentials.provider import digest
from aiolake.credentials.values import BearerCredential
from aiolake.credentials.vendor_logs import keep_off_the_screen
from aiolake.errors import (
    AiolakeError,
    DeadlineError,
    MissingExtraError,
    TransientStoreError,
    UnauthenticatedError,
)

__all__ = [
    "SCOPE",
    "DefaultChain",
    "EnvironmentIdentity",
    "GivenIdentity",
    "Identity",
    "ManagedIdentity",
    "ServicePrincipal",
    "TokenProvider",
]

SCOPE = "https://storage.azure.com/.default"
"""Of the Blob service, in every cloud."""

_LONGEST = timedelta(seconds=25)
"""Less than a keeper waits, so that a command that hangs is called that."""


class Identity(Protocol):
    """Who is to be logged in, as a value."""

    @property
    def key(self) -> Hashable:
        """The same for the same identity; holds no secret."""
        ...

    @property
    def source(self) -> str:
        """Who it is, for people."""
        ...

    def make(self) -> Any:
        """A credential of azure-identity, made anew; runs in a thread."""
        ...


@dataclass(frozen=True, slots=True)
class DefaultChain:
    """Whoever is logged in: azure-identity's own order of places, ``az login`` among them.

    Attributes:
        who: A fingerprint of the environment, which decides who it is.
        tenant_id: The directory to ask, if it is not the login's own.
    """

    who: str = ""
    tenant_id: str | None = None
    source: str = "the default Azure login"

    @property
    def key(self) -> Hashable:
        """By the environment."""
        return "default", self.who, self.tenant_id

    def make(self) -> Any:
        """A chain."""
        from azure.identity.aio import DefaultAzureCredential

        return DefaultAzureCredential()


@dataclass(frozen=True, slots=True)
class EnvironmentIdentity:
    """A service principal, or a workload's identity, that the environment names."""

    who: str
    source: str = "the service principal of the environment"

    @property
    def key(self) -> Hashable:
        """By the environment."""
        return "environment", self.who

    def make(self) -> Any:
        """By secret or certificate, else by the file that Kubernetes renews."""
        from azure.identity.aio import EnvironmentCredential, WorkloadIdentityCredential

        if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
            return WorkloadIdentityCredential()
        return EnvironmentCredential()


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """An application with a secret."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def key(self) -> Hashable:
        """By its names and a fingerprint of its secret."""
        return "principal", self.tenant_id, self.client_id, digest(self.client_secret)

    @property
    def source(self) -> str:
        """By its id, which is no secret."""
        return f"the service principal {self.client_id} of tenant {self.tenant_id}"

    def make(self) -> Any:
        """With no cache."""
        from azure.identity.aio import ClientSecretCredential

        return ClientSecretCredential(self.tenant_id, self.client_id, self.client_secret)


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A user-assigned identity of the machine."""

    client_id: str

    @property
    def key(self) -> Hashable:
        """By its id."""
        return "managed", self.client_id

    @property
    def source(self) -> str:
        """By its id, which is no secret."""
        return f"the managed identity {self.client_id}"

    def make(self) -> Any:
        """With no cache but the machine's."""
        from azure.identity.aio import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=self.client_id)


@dataclass(frozen=True, slots=True, eq=False)
class GivenIdentity:
    """A credential that a user made, of azure-identity or like it, sync or async."""

    credential: Any = field(repr=False)
    process: int = field(default_factory=os.getpid)

    @property
    def key(self) -> Hashable:
        """By the object: other processes have other ones at the same place."""
        return "given", self.process, id(self.credential)

    @property
    def source(self) -> str:
        """By its class."""
        return f"the {type(self.credential).__name__} in creds="

    def make(self) -> Any:
        """Itself."""
        return self.credential


class TokenProvider:
    """Gets tokens for the Blob service.

    Args:
        identity: Who is to be logged in.

    Raises:
        MissingExtraError: azure-identity is not installed.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._given = isinstance(identity, GivenIdentity)
        self._winner = ""
        self.identity = ("azure", identity.key)
        if not self._given and not _is_installed():
            raise MissingExtraError(
                f"{identity.source} needs azure-identity: pip install 'aiolake[azure]'; or give "
                "creds={'account_key': ...} or {'sas_token': ...}"
            )

    @property
    def source(self) -> str:
        """Who it is, and by which way once that is known."""
        return f"{self._identity.source}{self._winner}"

    async def fetch(self) -> BearerCredential:
        """A new token.

        Raises:
            UnauthenticatedError: Nobody is logged in, or Entra refused.
            TransientStoreError: Entra, or the metadata service, could not be reached.

        Cancellation: goes on when what was begun has ended: commands like ``az`` cannot be left.
        """
        try:
            return await finish(self._fetch(), _LONGEST)
        except DeadlineError as error:
            raise TransientStoreError(
                f"{self.source} gave no token within {_LONGEST.seconds} s; try: "
                "az account get-access-token",
            ) from error

    async def _fetch(self) -> BearerCredential:
        loop = asyncio.get_running_loop()
        keep_off_the_screen("azure.identity")
        try:
            credential = await loop.run_in_executor(None, self._identity.make)
        except (ValueError, OSError) as error:
            raise self._translated(error) from error
        try:
            token = await _token(credential, getattr(self._identity, "tenant_id", None))
        except AiolakeError:
            raise
        except Exception as error:
            raise self._translated(error) from error
        finally:
            if not self._given:
                await credential.close()
        self._winner = _winner(credential)
        expires = datetime.fromtimestamp(token.expires_on, UTC)
        return BearerCredential(token.token, expires)

    def _translated(self, error: Exception) -> AiolakeError:
        """By name: a credential that is not azure-identity's may bring no such package."""
        message = str(getattr(error, "message", "") or error)
        if isinstance(error, FileNotFoundError | PermissionError):
            return UnauthenticatedError(
                f"{self.source} needs a file that cannot be read: {message:.300}; check its path "
                "in the environment (AZURE_FEDERATED_TOKEN_FILE ...), and that it is mounted",
                source=self.source,
            )
        names = {cls.__name__ for cls in type(error).__mro__}
        if names & {"ServiceRequestError", "ServiceResponseError", "OSError"}:
            return TransientStoreError(
                f"{self.source} could not ask for a token, see the network: {message:.300}",
                source=self.source,
            )
        return UnauthenticatedError(explain(message, self.source), source=self.source)


async def _token(credential: Any, tenant_id: str | None) -> Any:
    """Ask an object of either kind; one that blocks is asked in a thread."""
    get = getattr(credential, "get_token", None) or credential.get_token_info
    named = {} if tenant_id is None else {"tenant_id": tenant_id}
    if inspect.iscoroutinefunction(inspect.unwrap(get)):
        return await get(SCOPE, **named)
    loop = asyncio.get_running_loop()
    answer = await loop.run_in_executor(None, lambda: get(SCOPE, **named))
    return await answer if inspect.isawaitable(answer) else answer


def _winner(credential: Any) -> str:
    """Which of a chain gave the token, for people."""
    chosen = getattr(credential, "_successful_credential", None)
    return "" if chosen is None else f" ({type(chosen).__name__})"


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False
