"""Sending a request with a leased credential: once more with a new one where it had expired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiolake.credentials.lease import Lease
from aiolake.credentials.values import Credential
from aiolake.errors import CredentialExpiredError

__all__ = ["send_leased"]

T = TypeVar("T")


async def send_leased(lease: Lease, send: Callable[[Credential], Awaitable[T]]) -> T:
    """The answer to a request; a refusal of its expired credential costs one replay.

    A server that calls a credential expired has done nothing, so every request may be replayed,
    create-only ones too.

    Args:
        lease: Of the credential.
        send: Sends the request; raises ``CredentialExpiredError`` where the server says so.

    Raises:
        CredentialExpiredError: Nothing newer is to be had, or that was refused as well.
    """
    credential = lease.current() or await lease.get()
    try:
        return await send(credential)
    except CredentialExpiredError as refusal:
        credential = await _another(lease, credential, refusal)
    return await send(credential)


async def _another(
    lease: Lease, refused: Credential, refusal: CredentialExpiredError
) -> Credential:
    """One that is newer; where there is none, the server's words are told too."""
    try:
        return await lease.renewed(refused)
    except CredentialExpiredError as error:
        words = f"{refusal.message}; {error.message}"
        raise CredentialExpiredError(words, **refusal.context) from error
