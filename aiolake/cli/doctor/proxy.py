"""What a proxy of the environment means for an address. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from aiolake.cli.doctor.findings import Finding, Verdict
from aiolake.stores.transport.values import Origin

__all__ = ["Proxy", "proxy_finding", "read_proxy", "tunnel_finding", "usable"]

_IGNORED = ("https", "wss")
"""Schemes of proxies that the HTTP client passes over, and asks the server itself."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who passes requests on.

    Attributes:
        scheme: As it was written; ``""`` where there was none.
        host: Its name or address; ``""`` where it cannot be told.
        port: Of TCP.
        authorization: What ``Proxy-Authorization`` says; a secret.
        variable: Where it was named.
    """

    scheme: str
    host: str
    port: int
    authorization: str | None = field(repr=False)
    variable: str

    @property
    def url(self) -> str:
        """Without a user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def read_proxy(text: str, origin: Origin) -> Proxy:
    """The proxy that the environment names for a server."""
    variable = f"{origin.scheme}_proxy"
    if "://" not in text:
        return Proxy("", "", 0, None, variable)
    try:
        parts = urlsplit(text)
        port = parts.port or 80
    except ValueError:
        return Proxy("", "", 0, None, variable)
    authorization = None
    if parts.username is not None:
        shown = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(shown.encode()).decode()}"
    return Proxy(parts.scheme, parts.hostname or "", port, authorization, variable)


def usable(proxy: Proxy | None) -> Proxy | None:
    """The proxy, unless requests go past it."""
    return None if proxy is None or proxy.scheme in _IGNORED else proxy


def proxy_finding(proxy: Proxy, origin: Origin) -> Finding:
    """Where requests go instead of to the server."""
    if proxy.scheme in _IGNORED:
        return Finding(
            "proxy",
            Verdict.NOTE,
            f"{proxy.url} of {proxy.variable} is not used: only http:// proxies are",
            f"write it with http:// if it speaks that, or leave it out by no_proxy={origin.host}",
        )
    if proxy.scheme != "http" or not proxy.host:
        return Finding(
            "proxy",
            Verdict.FAILED,
            f"the proxy of {proxy.variable} is no http:// proxy, the only kind that can be used",
            f"write it as http://host:port, or leave it out by no_proxy={origin.host}",
        )
    return Finding(
        "proxy",
        Verdict.NOTE,
        f"requests to {origin.host} go by {proxy.url} of {proxy.variable}",
        f"where the server can be reached directly, no_proxy={origin.host} is faster",
    )


def tunnel_finding(proxy: Proxy, origin: Origin, answer: str) -> Finding | None:
    """What is wrong with a proxy's answer to CONNECT.

    Args:
        proxy: Who was asked.
        origin: To whom it was to lead.
        answer: The first line.
    """
    status = answer.split(" ")[1] if answer.startswith("HTTP/") and " " in answer else ""
    if status.startswith("2"):
        return None
    detail = f"{proxy.url} does not lead to {origin.authority}: it says {answer[:80]!r}"
    if status == "407":
        # Requests may show one of ~/.netrc, so where the URL has none they are still to be tried.
        verdict = Verdict.NOTE if proxy.authorization is None else Verdict.FAILED
        advice = f"write user and password into {proxy.variable}: http://user:password@host:port"
        return Finding("proxy", verdict, detail, advice)
    advice = (
        f"have the proxy allow it, name another in {proxy.variable}, or go without: "
        f"no_proxy={origin.host}"
    )
    return Finding("proxy", Verdict.FAILED, detail, advice)
