"""Where objects of a static server are, and where it may send a reader on to. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from aiolake.errors import InvalidInputError, StoreError
from aiolake.stores.transport.values import Origin, Tls

__all__ = ["Place", "place_of", "redirected", "shown"]

_UNRESERVED = "/-._~!$&'()*+,;=:@"
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of a server.

    Attributes:
        origin: The server.
        base: Its path, encoded; ``""`` or begins with ``/`` and ends with none.
        query: Added to every object's address; it may be a signature.
    """

    origin: Origin
    base: str
    query: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The root, without the query."""
        return self.origin.url + self.base

    def target(self, key: str) -> str:
        """Path and query of an object."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.base}/{quote(key, safe='/')}{query}"

    def linked(self, key: str) -> str:
        """The same of what follows in a URL's own text."""
        return f"{self.base}/{encoded(key.partition('#')[0], '?')}"


def encoded(text: str, also: str = "") -> str:
    """The path of a URL as people write it: what is encoded stays so, what may not be is."""
    return quote(_PERCENT.sub("%25", text), safe=f"{_UNRESERVED}%{also}")


def shown(key: str) -> str:
    """A key for messages, without what may be a signature."""
    return key.partition("?")[0].partition("#")[0]


def place_of(scheme: str, path: str, query: str, tls: Tls, *, public_only: bool) -> Place:
    """The place of an address.

    Args:
        scheme: ``http`` or ``https``.
        path: ``host/prefix``, or ``host:port/prefix``.
        query: Added to every object's address.
        tls: How the certificate is checked.
        public_only: Refuse private addresses.

    Raises:
        InvalidInputError: No host, or a port that is none.
    """
    host, _, prefix = path.partition("/")
    origin, _ = Origin.parse(f"{scheme}://{host}", tls=tls)
    base = f"/{encoded(prefix)}" if prefix else ""
    return Place(
        msgspec.structs.replace(origin, public_only=public_only), base, encoded(query, "?/")
    )


def redirected(origin: Origin, target: str, location: str | None, url: str) -> tuple[Origin, str]:
    """Where an answer sends on to, if that is the same server, or the same host with TLS.

    Args:
        origin: Who answered.
        target: What was asked for.
        location: The header; may be relative.
        url: The store's root, for messages.

    Raises:
        StoreError: It is elsewhere; only the host is named.
    """
    if not location:
        raise StoreError(f"{url}: the server sends elsewhere without saying where", url=url)
    parts = urlsplit(urljoin(origin.url + target, location))
    try:
        authority = parts.netloc
        there, _ = Origin.parse(f"{parts.scheme}://{authority}", tls=origin.tls)
    except (InvalidInputError, ValueError):
        raise StoreError(
            f"{url}: the server sends to an address of another kind ({parts.scheme!r:.20}), which "
            "is not followed",
            url=url,
        ) from None
    there = msgspec.structs.replace(there, public_only=origin.public_only)
    upgrade = origin.scheme == "http" and there.scheme == "https" and there.host == origin.host
    if there != origin and not upgrade:
        raise StoreError(
            f"{url}: the server sends to {there.url}, another server, which is not followed: "
            "credentials and trust are not its own; open the address there",
            url=url,
        )
    path = parts.path or "/"
    return there, f"{path}?{parts.query}" if parts.query else path
