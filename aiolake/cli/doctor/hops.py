"""The steps to a server: its name, a connection, TLS; what was measured, and what it means."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiolake.cli.doctor.findings import Finding, Verdict, milliseconds
from aiolake.errors import AiolakeError
from aiolake.render.text import count
from aiolake.stores.transport.failures import is_tls_mismatch
from aiolake.stores.transport.values import Origin

__all__ = [
    "Attempt",
    "Handshake",
    "Resolved",
    "Target",
    "answering",
    "dns_finding",
    "is_address",
    "plain_finding",
    "server_of",
    "tcp_finding",
    "tls_finding",
]

_FEW_DAYS = 14
_MOST_SHOWN = 4
_NO_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_NAMES = (62, 64)
"""``X509_V_ERR_...`` of OpenSSL's x509_vfy.h: another host's certificate, another address's."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is connected to: the server, or a proxy before it.

    Attributes:
        host: Name or address.
        port: Of TCP.
        name_from: Where to look if the name is wrong.
        port_from: Where to look if the port is.
    """

    host: str
    port: int
    name_from: str
    port_from: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name stands for, or why that is not known."""

    addresses: tuple[str, ...]
    seconds: float
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection to one address that was there, or why it was not."""

    address: str
    seconds: float
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was agreed on with a server, or why nothing was.

    Attributes:
        seconds: Taken.
        version: Of TLS.
        not_after: When its certificate expires; ``None`` where it is not looked at.
        error: What was raised.
    """

    seconds: float
    version: str = ""
    not_after: datetime | None = None
    error: Exception | None = None


def server_of(origin: Origin) -> Target:
    """The server, as what is connected to."""
    return Target(
        origin.host,
        origin.port,
        name_from="the address, and of the endpoint, account and region that are used",
        port_from="the address, or in endpoint_url",
    )


def is_address(host: str) -> bool:
    """Whether a host is written as numbers, so that there is no name to look up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def dns_finding(target: Target, found: Resolved) -> Finding:
    """What a name stands for."""
    took = milliseconds(found.seconds)
    if found.error is None:
        shown = ", ".join(found.addresses[:_MOST_SHOWN])
        more = len(found.addresses) - _MOST_SHOWN
        others = f" and {more} more" if more > 0 else ""
        return Finding("dns", Verdict.OK, f"{target.host} is {shown}{others}; found in {took}")
    if isinstance(found.error, socket.gaierror) and found.error.errno in _NO_NAME:
        detail = f"the name {target.host} is not known ({found.error.strerror})"
        return Finding("dns", Verdict.FAILED, detail, f"check the spelling of {target.name_from}")
    detail = f"{target.host} could not be looked up in {took} ({_words(found.error)})"
    advice = "check this machine's network, and that its name servers answer"
    return Finding("dns", Verdict.FAILED, detail, advice)


def answering(attempts: Sequence[Attempt]) -> str | None:
    """The first address that could be connected to."""
    return next((attempt.address for attempt in attempts if attempt.error is None), None)


def tcp_finding(target: Target, attempts: Sequence[Attempt]) -> Finding:
    """Which address can be connected to.

    Args:
        target: Whose.
        attempts: One for each address, in the order in which the store tries them.
    """
    connected = next((each for each in attempts if each.error is None), None)
    if connected is None:
        return _not_connected(target, attempts)
    took = milliseconds(connected.seconds)
    detail = f"connected to {connected.address} port {target.port} in {took}"
    earlier = attempts[: attempts.index(connected)]
    silent = [each.address for each in earlier if isinstance(each.error, TimeoutError)]
    if not silent:
        return Finding("tcp", Verdict.OK, detail)
    return Finding(
        "tcp",
        Verdict.NOTE,
        f"{detail}; no answer from {', '.join(silent)}",
        "addresses are tried in order, so connecting waits for those first: mend the route to "
        "them, or name the server by an address that answers",
    )


def _not_connected(target: Target, attempts: Sequence[Attempt]) -> Finding:
    errors = [attempt.error for attempt in attempts]
    each = [f"{attempt.address} {_why_not(attempt)}" for attempt in attempts[:_MOST_SHOWN]]
    detail = f"no connection to port {target.port}: {', '.join(each)}"
    if any(isinstance(error, ConnectionRefusedError) for error in errors):
        advice = f"see whether the server runs, and check the port in {target.port_from}"
    elif any(isinstance(error, TimeoutError) for error in errors):
        advice = (
            "a firewall may drop this: have it allowed, go by a proxy (https_proxy), and check the "
            f"port in {target.port_from}"
        )
    else:
        advice = "check this machine's network: cable, VPN, routes, and IPv6 if the address is one"
    return Finding("tcp", Verdict.FAILED, detail, advice)


def _why_not(attempt: Attempt) -> str:
    if isinstance(attempt.error, TimeoutError):
        return f"does not answer within {attempt.seconds:.0f} s"
    if isinstance(attempt.error, ConnectionRefusedError):
        return "refuses it (nothing listens there)"
    if isinstance(attempt.error, OSError) and attempt.error.errno in _NO_ROUTE:
        return "cannot be reached from here"
    return f"fails ({_words(attempt.error)})"


def tls_finding(origin: Origin, shaken: Handshake, now: datetime) -> Finding:
    """Which TLS is spoken, and for how long the certificate is good."""
    if shaken.error is not None:
        return Finding("tls", Verdict.FAILED, *_no_tls(origin, shaken.error))
    spoken = f"{shaken.version} in {milliseconds(shaken.seconds)}"
    if shaken.not_after is None:
        return Finding(
            "tls",
            Verdict.NOTE,
            f"{spoken}; the certificate is not checked (verify=False)",
            "let verify be the path of the CA's certificate: as it is, anybody may be the server",
        )
    left = count((shaken.not_after - now).days, "more day")
    detail = f"{spoken}; the certificate is good for {left}, until {shaken.not_after:%Y-%m-%d}"
    if (shaken.not_after - now).days >= _FEW_DAYS:
        return Finding("tls", Verdict.OK, detail)
    advice = "renew the server's certificate: nothing can be read once it has expired"
    return Finding("tls", Verdict.NOTE, detail, advice)


def _no_tls(origin: Origin, error: Exception) -> tuple[str, str]:
    """What went wrong, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the certificate of {origin.url} is not trusted ({error.verify_message})"
        return detail, _mistrusted(origin, error.verify_code)
    if is_tls_mismatch(error):
        plain = f"http://{origin.authority}"
        return f"{origin.url} does not speak TLS", f"name it as {plain}, or the port that does"
    if isinstance(error, TimeoutError):
        detail = f"{origin.url} does not answer the TLS handshake"
        return detail, "see whether this port is for TLS, and what a firewall does between"
    if isinstance(error, AiolakeError):
        return str(error), "let verify (or AWS_CA_BUNDLE) be the path of a file in PEM"
    detail = f"{origin.url} ended the TLS handshake ({_words(error)})"
    return detail, "see whether this port is for TLS, and whether a firewall or proxy forbids it"


def _mistrusted(origin: Origin, code: int) -> str:
    if code in (_EXPIRED, _NOT_YET_VALID):
        return "renew the server's certificate, or set this machine's clock if that is wrong"
    if code in _OTHER_NAMES:
        return f"name the server as its certificate does: {origin.host} is not in it"
    if origin.tls.ca_file is not None:
        return f"let verify be the path of the CA that signed it: {origin.tls.ca_file} did not"
    return "let verify in creds= (--creds verify=/path/ca.pem) be the path of the CA's certificate"


def plain_finding(origin: Origin, address: str) -> Finding | None:
    """That a connection is not encrypted, unless it stays on this machine."""
    if is_address(address) and ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return None
    return Finding(
        "tls",
        Verdict.NOTE,
        f"the connection to {origin.authority} is not encrypted (http://)",
        "use https:// if the server has it: on the way all can be read and changed",
    )


def _words(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    strerror = getattr(error, "strerror", None)
    return str(strerror or error) or type(error).__name__
