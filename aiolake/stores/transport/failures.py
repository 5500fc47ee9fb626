"""What went wrong with a connection, in words. Knows aiohttp's and the loop's exceptions."""

from __future__ import annotations

import errno
import socket
import ssl

from aiolake.errors import AiolakeError, StoreError, TransientStoreError
from aiolake.stores.transport.values import Origin
from aiolake.urls import without_user

__all__ = [
    "connection_failure",
    "innermost",
    "is_tls_mismatch",
    "not_public",
    "proxy_failure",
]

_TLS_TO_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


def connection_failure(error: BaseException, origin: Origin, what: str) -> AiolakeError:
    """An error of ours for one that connecting, sending or receiving raised.

    Args:
        error: As it was raised, perhaps wrapped.
        origin: The server.
        what: What was being done: ``"GET"``.
    """
    cause = innermost(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return StoreError(
            f"{what}: the certificate of {origin.url} is not trusted ({cause.verify_message}); "
            "name its CA's file with verify='/path/ca.pem' in creds=, or check the host's name",
            host=origin.host,
        )
    if is_tls_mismatch(cause):
        return StoreError(
            f"{what}: {origin.url} does not speak TLS; is it http://{origin.authority}?",
            host=origin.host,
        )
    if isinstance(cause, socket.gaierror | UnicodeError):  # or a part of it is too long
        why = cause.strerror if isinstance(cause, socket.gaierror) else "it can be no host's"
        return TransientStoreError(
            f"{what}: the name {origin.host!r} is not known ({why}); check the "
            "address's spelling, endpoint_url (of AWS: the region) in creds=, and the network",
            host=origin.host,
        )
    if isinstance(cause, ConnectionRefusedError) or _errno(cause) == errno.ECONNREFUSED:
        return TransientStoreError(
            f"{what}: nothing listens at {origin.url}; is the server running, and the port right "
            "(endpoint_url in creds=)?",
            host=origin.host,
        )
    if _errno(cause) in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return TransientStoreError(
            f"{what}: {origin.url} cannot be reached from here; check the network",
            host=origin.host,
        )
    words = str(cause) or type(cause).__name__
    hint = "; if the server speaks TLS, its address is https://" if origin.scheme == "http" else ""
    return TransientStoreError(
        f"{what}: the connection to {origin.url} was lost ({words}){hint}", host=origin.host
    )


def proxy_failure(
    error: BaseException, named: str, origin: Origin, what: str
) -> TransientStoreError:
    """An error of ours for a proxy that is not there, refuses, or is none.

    Args:
        error: As it was raised.
        named: What the environment says.
        origin: To whom it was to lead.
        what: What was being done.
    """
    cause = innermost(error)
    status = getattr(error, "status", None)
    why = f"it answers {status}" if status else str(getattr(cause, "strerror", None) or "no URL")
    return TransientStoreError(
        f"{what}: {origin.url} cannot be reached by the proxy {without_user(named)!r} of "
        f"{origin.scheme}_proxy in the environment ({why}); it must be http://host:port, or "
        f"http://user:password@host:port: is it right, and running? no_proxy={origin.host} goes "
        "without it",
        host=origin.host,
    )


def not_public(origin: Origin, what: str) -> str:
    """Words for an address that a dataset may not lead to."""
    return (
        f"{what}: {origin.host!r} is at a private address, or of this machine: a dataset may not "
        "lead there; name the prefix in links=[...] if you mean it"
    )


def is_tls_mismatch(error: BaseException) -> bool:
    """Whether a plain server was spoken to in TLS."""
    reason = getattr(error, "reason", None)
    return isinstance(error, ssl.SSLError) and reason in _TLS_TO_PLAIN


def innermost(error: BaseException) -> BaseException:
    """The operating system's or TLS's own error inside a client library's."""
    # aiohttp's error is a certificate's too, but says nothing of it.
    found: BaseException = getattr(error, "certificate_error", error)
    for _ in range(8):
        inner = getattr(found, "os_error", None) or found.__cause__ or found.__context__
        if inner is None or isinstance(found, ssl.SSLCertVerificationError):
            break
        found = inner
    return found


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
