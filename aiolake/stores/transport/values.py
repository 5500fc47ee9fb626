"""Where a request goes, and what comes back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, runtime_checkable
from urllib.parse import urlsplit

import msgspec

from aiolake.errors import InvalidInputError, TransientStoreError
from aiolake.stores.base import Answer, Buffer, Refused
from aiolake.urls import without_user

__all__ = ["CutShortError", "Origin", "Response", "SupportsOrigin", "Tls", "TransportStatistics"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server's certificate is checked.

    Attributes:
        verify: Whether it is; ``False`` trusts anybody.
        ca_file: Certificates to trust, in PEM, instead of the system's.
    """

    verify: bool = True
    ca_file: str | None = None


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """A server; connections are kept by it.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Its name or address; IPv6 without brackets.
        port: Of TCP.
        tls: How its certificate is checked.
        public_only: Refuse an address that is private, of this machine or link-local, as judged
            on the connected socket: for hosts that a dataset names, not its opener.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    tls: Tls = Tls()
    public_only: bool = False

    @property
    def authority(self) -> str:
        """What the ``Host`` header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """``scheme://authority``."""
        return f"{self.scheme}://{self.authority}"

    @classmethod
    def parse(cls, url: str, *, tls: Tls | None = None, name: str = "") -> tuple[Origin, str]:
        """The origin of a URL, and its path without a slash at the end.

        Args:
            url: As it was given.
            tls: How the server's certificate is checked.
            name: Of the argument or variable it was given in, for messages.

        Raises:
            InvalidInputError: It is no http(s) URL with a host, or holds a user or a query.
        """
        shown = without_user(url)
        words = f"{name} {shown!r}".lstrip()
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidInputError(f"{words} is no URL: {error}", url=shown) from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidInputError(
                f"{words} must be of the form https://host or http://host:port", url=shown
            )
        if parts.username is not None or parts.query or parts.fragment:
            of = (
                f"{name}, the URL of {parts.hostname!r},"
                if name
                else f"the URL of {parts.hostname!r}"
            )
            raise InvalidInputError(
                f"{of} must hold no user, query or fragment", host=parts.hostname
            )
        scheme = cast(Literal["http", "https"], parts.scheme)
        host = parts.hostname
        origin = cls(scheme, host, port if port is not None else _PORTS[scheme], tls or Tls())
        return origin, parts.path.rstrip("/")


@runtime_checkable
class SupportsOrigin(Protocol):
    """A store whose requests go to a server."""

    async def origin(self) -> Origin:
        """The server.

        Raises:
            InvalidInputError: It cannot be told from what is configured.
        """
        ...


_SLOW_DOWN = (429, 503)


class Response(msgspec.Struct, frozen=True, eq=False):
    """An answer, whatever its status.

    Attributes:
        status: Of HTTP.
        headers: By names in lower case; of several of one name the last.
        body: All of it, in memory of its own.
    """

    status: int
    headers: Mapping[str, str]
    body: Buffer

    def bytes_or_refusal(self, found: Buffer | None) -> Answer:
        """The bytes that were looked for in it, or what its status says in their place."""
        return Refused.SLOW_DOWN if found is None and self.status in _SLOW_DOWN else found


class CutShortError(TransientStoreError):
    """The connection ended within the body of a good answer.

    Attributes:
        received: What had come of the body, in order; lost in a pickle.
        response: Status and headers of the answer.
    """

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.received: Buffer = b""
        self.response: Response | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStatistics:
    """What a transport is doing, and has done.

    Attributes:
        in_use: Requests being sent or answered.
        idle: Connections kept open for the next request.
        opened: Connections opened since it was made; of aiohttp's ones nothing is known.
        requests: Requests sent.
        bytes_read: Bytes of bodies received.
    """

    in_use: int
    idle: int
    opened: int
    requests: int
    bytes_read: int
