"""Access tokens by gcloud-aio-auth; the only module of this layer that imports it."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gcloud.aio.auth import Token

from aiolake.credentials.google_json import GoogleJson, Metadata
from aiolake.credentials.google_refusals import refused_by
from aiolake.credentials.values import BearerCredential
from aiolake.errors import AiolakeError, TransientStoreError, UnauthenticatedError

__all__ = ["CLOUD_SCOPE", "STORAGE_SCOPE", "token_of"]

Now = Callable[[], datetime]

STORAGE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""What it takes to ask for a token of somebody else's."""

_TIMEOUT_S = 10
_BODY = re.compile(r"\{.*\}", re.DOTALL)


async def token_of(
    found: Any, source: str, now: Now, *, scope: str = STORAGE_SCOPE
) -> BearerCredential:
    """A new token, with its true expiry; one attempt.

    Args:
        found: A credential file, the metadata server, or a user's ``gcloud.aio.auth.Token``.
        source: Where it was found, for messages.
        now: Tells the time.
        scope: What a service account's token is good for.

    Raises:
        UnauthenticatedError: It was refused, or there is none to be had.
        TransientStoreError: Its endpoint could not be reached, or failed.
    """
    if not isinstance(found, GoogleJson | Metadata):
        return await _refreshed(found, source, now)
    async with aiohttp.ClientSession(trust_env=isinstance(found, GoogleJson)) as session:
        token = _vendor_token(found, source, session, scope)
        tried = found.tried if isinstance(found, Metadata) else None
        return await _refreshed(token, source, now, tried)


def _vendor_token(found: GoogleJson | Metadata, source: str, session: Any, scope: str) -> Token:
    if isinstance(found, Metadata):
        token = Token(service_file=io.StringIO("{}"), session=session)
        if found.host is not None:  # the vendor reads the environment once, when it is loaded
            token.token_uri = re.sub(r"//[^/]+", f"//{found.host}", token.token_uri, count=1)
        return token
    info = json.dumps(dict(found.info))
    token = Token(service_file=io.StringIO(info), session=session, scopes=[scope])
    if found.kind == "service_account":
        token.service_data["private_key"] = _key_of(found.info, source)
    return token


def _key_of(info: Mapping[str, Any], source: str) -> Any:
    """Parsed here, since the vendor checks an RSA key at each signature: 40 ms on the event loop.

    Signing with the key of a file that was tampered with gives a signature nobody accepts.
    """
    try:
        return load_pem_private_key(
            info["private_key"].encode(), None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError) as error:
        raise UnauthenticatedError(
            f"the private_key of {source} cannot be read as a PEM key: it is cut, or has lost "
            "its line breaks; download the JSON anew"
        ) from error


async def _refreshed(
    token: Any, source: str, now: Now, tried: str | None = None
) -> BearerCredential:
    """``refresh``, not ``get``, which keeps tokens; and not ``acquire_access_token``, which asks
    an endpoint that has refused four times more."""
    asked = now()
    try:
        response = await token.refresh(timeout=_TIMEOUT_S)
    except aiohttp.ClientResponseError as error:
        raise _refused(error, source) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _unreachable(error, source, tried) from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnauthenticatedError(
            f"the token endpoint of {source} answered without a token ({error!r}); is its "
            "token_uri right?"
        ) from error
    expires = asked + timedelta(seconds=response.expires_in)
    return BearerCredential(response.value, expires)


def _refused(error: aiohttp.ClientResponseError, source: str) -> AiolakeError:
    match = _BODY.search(error.message)
    return refused_by(error.status, match[0].encode() if match else b"", source)


def _unreachable(error: BaseException, source: str, tried: str | None) -> AiolakeError:
    cause = getattr(error, "os_error", None) or error
    if tried is not None and isinstance(cause, socket.gaierror):
        return UnauthenticatedError(
            f"no Google credentials were found: {tried}, and this machine has no metadata server; "
            "run 'gcloud auth application-default login', or give creds= (a service-account JSON, "
            "'browser', or 'anonymous' for a public bucket)"
        )
    host = getattr(error, "host", None)
    where = "" if host is None else f", {host}:{getattr(error, 'port', '')},"
    return TransientStoreError(
        f"the token endpoint of {source}{where} could not be reached ({_in_words(cause)}); check "
        "the network, its proxy (HTTPS_PROXY), and token_uri in the JSON"
    )


def _in_words(cause: BaseException) -> str:
    """Without the addresses that the loop and aiohttp put into their messages."""
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason}"
    if isinstance(cause, socket.gaierror):
        return f"its name is not known: {cause.strerror}"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return str(cause) or type(cause).__name__
