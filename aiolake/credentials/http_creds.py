"""What users give as ``creds=`` for ``http(s)://``, as values. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiolake.credentials.dicts import check_keys, text_of, trust_of
from aiolake.credentials.provider import CallableProvider, Provider, StaticProvider
from aiolake.credentials.values import AnonymousCredential, BearerCredential, Credential
from aiolake.errors import InvalidInputError

__all__ = ["HttpCreds", "Linked", "parse", "provider_of", "with_query"]

_KEYS = (
    "ca_bundle",
    "expires_at",
    "headers",
    "password",
    "query",
    "token",
    "username",
    "verify",
)
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "if-match", "range"}
    | {"te", "transfer-encoding", "upgrade"}
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class HttpCreds:
    """How to reach a server, and as whom.

    Attributes:
        headers: Sent with every request to it; of a user and password too.
        bearer: A token at hand.
        fn: A user's function that returns one.
        query: Added to the address of every object.
        verify: Whether its certificate is checked.
        ca_bundle: A file of certificates to trust instead of the system's.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    bearer: BearerCredential | None = None
    fn: Callable[[], Any] | None = None
    query: str = field(default="", repr=False)
    verify: bool = True
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class Linked:
    """``creds=`` of a server that objects outside a dataset are read from: keys there are what
    follows in the text of their URLs, queries included.

    Attributes:
        creds: As whom.
        public_only: The dataset named the host, not its opener: it must have a public address.
    """

    creds: Any = field(default=None, repr=False)
    public_only: bool = False


def parse(creds: Any, query: str = "") -> HttpCreds:
    """What ``creds=`` means.

    Args:
        creds: A dict, a function, ``"anonymous"`` or ``None``.
        query: Of the dataset's address.

    Raises:
        InvalidInputError: It makes no sense; no value is shown.
    """
    if creds is None or creds == "anonymous":
        return HttpCreds(query=query)
    if isinstance(creds, BearerCredential):
        return HttpCreds(bearer=creds, query=query)
    if callable(creds):
        return HttpCreds(fn=creds, query=query)
    if not isinstance(creds, Mapping):
        what = repr(creds) if creds in ("ENV", "browser", "cache") else type(creds).__name__
        raise InvalidInputError(
            f"creds= of http:// is a dict with {', '.join(map(repr, _KEYS))}, a function that "
            f"returns aiolake.BearerCredential, or 'anonymous'; got {what}",
            scheme="http",
        )
    return _of_dict(check_keys(creds, _KEYS, "http"), query)


def with_query(creds: Any, query: str) -> Any:
    """``creds=`` that say the same without the query of an address, for an address without it."""
    if not query:
        return creds
    if creds is None or creds == "anonymous":
        return {"query": query}
    return {**creds, "query": query} if isinstance(creds, Mapping) else creds


def _of_dict(given: dict[str, Any], query: str) -> HttpCreds:
    own_query = (text_of(given, "query", "http") or "").lstrip("?")
    if query and own_query and query != own_query:
        raise InvalidInputError("both the address and creds= hold a query; give one", scheme="http")
    headers = _headers(given.get("headers"))
    basic = _basic(given)
    token = text_of(given, "token", "http")
    names = [name.lower() for name, _ in (*headers, *basic)]
    if names.count("authorization") + (token is not None) > 1:
        raise InvalidInputError(
            "creds= of http:// names the Authorization header twice: give one of 'token', "
            "'username' with 'password', and that header",
            scheme="http",
        )
    verify, ca_bundle = _trust(given)
    return HttpCreds(
        headers=(*headers, *basic),
        bearer=None if token is None else BearerCredential(_plain(token), _expiry(given)),
        query=own_query or query,
        verify=verify,
        ca_bundle=ca_bundle,
    )


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"'headers' in creds= of http:// is a dict of text, got {type(given).__name__}"
        )
    return tuple(_header(name, value) for name, value in given.items())


def _header(name: Any, value: Any) -> tuple[str, str]:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise InvalidInputError(f"{name!r:.80} cannot be a header's name")
    if name.lower() in _OURS:
        raise InvalidInputError(f"the header {name!r} is set by aiolake; leave it out of creds=")
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise InvalidInputError(
            f"the header {name!r} in creds= must be text on one line, and not empty"
        )
    return name, value


def _basic(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    user, password = (text_of(given, name, "http") for name in ("username", "password"))
    if user is None and password is None:
        return ()
    if user is None or password is None:
        missing = "username" if user is None else "password"
        raise InvalidInputError(f"creds= of http:// lacks {missing!r}", scheme="http")
    if ":" in user:
        raise InvalidInputError("'username' in creds= of http:// holds no ':'", scheme="http")
    return (("Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"),)


def _plain(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInputError(
            "'token' in creds= of http:// is text without spaces, and without 'Bearer'",
            scheme="http",
        )
    return token


def _expiry(given: dict[str, Any]) -> datetime | None:
    expires = given.get("expires_at")
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise InvalidInputError("'expires_at' in creds= of http:// is an aware datetime")
    return expires


def _trust(given: dict[str, Any]) -> tuple[bool, str | None]:
    verify, bundle = (trust_of(given, "http", name) for name in ("verify", "ca_bundle"))
    if not isinstance(bundle, str) and "ca_bundle" in given:
        raise InvalidInputError(
            "'ca_bundle' in creds= of http:// is the path of a file", scheme="http"
        )
    if isinstance(verify, str) and isinstance(bundle, str):
        raise InvalidInputError(
            "creds= of http:// has both 'verify' and 'ca_bundle' with a path; give one",
            scheme="http",
        )
    path = next((each for each in (verify, bundle) if isinstance(each, str)), None)
    return verify is not False, path


def provider_of(creds: HttpCreds) -> Provider | None:
    """Where the token comes from; ``None`` where none is sent."""
    if creds.fn is not None:
        kinds = (BearerCredential, AnonymousCredential)
        return CallableProvider(creds.fn, _bearer_of, kinds)
    if creds.bearer is not None:
        return StaticProvider(creds.bearer, "'token' in creds=")
    return None


def _bearer_of(answer: Mapping[str, Any]) -> Credential:
    found = check_keys(answer, ("expires_at", "token"), "http")
    token = text_of(found, "token", "http")
    if token is None:
        raise InvalidInputError("the function of creds= returned a dict without 'token'")
    return BearerCredential(_plain(token), _expiry(found))
