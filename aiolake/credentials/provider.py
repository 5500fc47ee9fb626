"""How to get a credential."""

from __future__ import annotations

import hashlib
import inspect
import secrets
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from aiolake.credentials.values import Credential
from aiolake.errors import InvalidInputError

__all__ = ["PROCESS", "CallableProvider", "Provider", "StaticProvider", "digest", "from_user"]

PROCESS = secrets.token_hex(8)
"""Stands before ``id(object)`` in identities: another process has another object at that address,
and a host cache must not take the one's credential for the other's."""

FromMapping = Callable[[Mapping[str, Any]], Credential]
"""Makes a credential of what a user's function returned as a dict; raises InvalidInputError."""


class Provider(Protocol):
    """Gets a credential, again and again.

    Providers of one identity get the same credential; their leases share one cell.
    """

    @property
    def identity(self) -> Hashable:
        """What is the same for providers of the same credential. Holds no secret (``digest``)."""
        ...

    @property
    def source(self) -> str:
        """Where it comes from, for people: ``profile 'dev' of ~/.aws/credentials``."""
        ...

    async def fetch(self) -> Credential:
        """Get one now, past every cache of the vendor's.

        Raises:
            UnauthenticatedError: There is none, or the source refused; says what to try next.
            TransientStoreError: The source could not be reached, or failed.
        """
        ...


def digest(*parts: str | None) -> str:
    """A fingerprint of secrets, for identities."""
    data = b"\0".join(b"" if part is None else part.encode() for part in parts)
    return hashlib.sha256(data).hexdigest()[:32]


class StaticProvider:
    """A credential that is at hand, and lasts or ends: nobody can renew it.

    Args:
        credential: What ``fetch`` gives.
        source: Where it was found.
    """

    renews = False

    def __init__(self, credential: Credential, source: str) -> None:
        self._credential = credential
        self.source = source
        values = [getattr(credential, name) for name in credential.__struct_fields__]
        self.identity = ("static", digest(type(credential).__name__, *map(str, values)))

    async def fetch(self) -> Credential:
        """The credential."""
        return self._credential


class CallableProvider:
    """A user's function, sync or async, that returns a credential, or a dict of its parts.

    Args:
        fn: Called without arguments; a sync one must not block for long.
        from_mapping: Makes a credential of a dict.
        expected: The kinds of credential the store can use, for messages.
    """

    def __init__(
        self,
        fn: Callable[[], Any],
        from_mapping: FromMapping,
        expected: tuple[type[Credential], ...],
    ) -> None:
        self._fn = fn
        self._from_mapping = from_mapping
        self._expected = expected
        name = getattr(fn, "__qualname__", type(fn).__name__)
        self.source = f"the function {name}"
        self.identity = ("callable", PROCESS, id(fn))

    async def fetch(self) -> Credential:
        """What the function returns."""
        answer = self._fn()
        if inspect.isawaitable(answer):
            answer = await _awaited(answer)
        return from_user(answer, self._from_mapping, self._expected, self.source)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def from_user(
    answer: Any, from_mapping: FromMapping, expected: tuple[type[Credential], ...], source: str
) -> Credential:
    """Check what a user's function returned.

    Raises:
        InvalidInputError: It is no credential of a kind that is expected, or its ``expires_at`` is
            no aware time.
    """
    credential = from_mapping(answer) if isinstance(answer, Mapping) else answer
    if not isinstance(credential, expected):
        names = " or ".join(f"aiolake.{kind.__name__}" for kind in expected)
        raise InvalidInputError(
            f"{source} must return {names}, or a dict, got {type(answer).__name__}"
        )
    expires = credential.expires_at
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise InvalidInputError(
            f"{source} returned expires_at={expires!r}; it must be an aware datetime, such as "
            f"datetime.now(UTC) + timedelta(hours=1) ({datetime.now(UTC):%Y-%m-%d %H:%MZ} now)"
        )
    return credential
