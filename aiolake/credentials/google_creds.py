"""What users give as ``creds=`` for Google Cloud Storage, as values. Pure."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from aiolake.credentials.dicts import check_keys, text_of, trust_of
from aiolake.credentials.google_json import GoogleJson, looks_like, read
from aiolake.credentials.values import AnonymousCredential, BearerCredential, Credential, is_token
from aiolake.errors import InvalidInputError

__all__ = [
    "Anonymous",
    "Browser",
    "Cached",
    "Default",
    "Environment",
    "Function",
    "GoogleCreds",
    "Key",
    "KeyFile",
    "Source",
    "Static",
    "VendorToken",
    "bearer_of",
    "parse",
]


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Requests are sent without a credential."""


@dataclass(frozen=True, slots=True)
class Default:
    """Application default credentials, wherever they are."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The file that ``GOOGLE_APPLICATION_CREDENTIALS`` names, and nothing else."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A credential file."""

    path: str


@dataclass(frozen=True, slots=True)
class Key:
    """A credential file's content."""

    json: GoogleJson


@dataclass(frozen=True, slots=True)
class Static:
    """A token at hand, or none."""

    credential: BearerCredential


@dataclass(frozen=True, slots=True)
class Function:
    """A user's function that returns a credential."""

    fn: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class VendorToken:
    """A ``gcloud.aio.auth.Token``, or what renews itself as one does."""

    token: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Browser:
    """Log in with a browser where no log-in is saved.

    Attributes:
        client_secrets: The OAuth client's file, or its content; looked for if ``None``.
    """

    client_secrets: str | Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Cached:
    """The log-in that ``"browser"`` saved."""


Source: TypeAlias = (
    Anonymous
    | Default
    | Environment
    | KeyFile
    | Key
    | Static
    | Function
    | VendorToken
    | Browser
    | Cached
)


@dataclass(frozen=True, slots=True)
class GoogleCreds:
    """How to reach Google Cloud Storage, and as whom.

    Attributes:
        source: Where tokens come from.
        endpoint_url: Of the API; Google's own if ``None``.
        user_project: The project that pays for requests, of buckets where the requester does.
        verify: Whether the server's certificate is checked, or a file of CAs to check it with.
    """

    source: Source
    endpoint_url: str | None = None
    user_project: str | None = None
    verify: bool | str = True


_WORDS: dict[str, Source] = {
    "anonymous": Anonymous(),
    "browser": Browser(),
    "cache": Cached(),
    "google_default": Default(),
    "ENV": Environment(),
}
_OPTIONS = ("endpoint_url", "user_project", "verify")
_KEYS = ("credentials", "gcs_oauth_token", "expires_at", "client_secrets", *_OPTIONS)
_FORMS = (
    "a service-account JSON (its path, or as a dict), {'gcs_oauth_token': ...}, 'google_default', "
    "'browser', 'cache', 'ENV', 'anonymous', or a function that returns a credential"
)


def parse(creds: Any) -> GoogleCreds:
    """What ``creds=`` of a ``gcs://`` address means.

    Raises:
        InvalidInputError: It means nothing; the message names what is nearest.
    """
    if isinstance(creds, Mapping):
        return _from_mapping(creds)
    return GoogleCreds(_source(creds))


def bearer_of(answer: Mapping[str, Any]) -> Credential:
    """The credential a user's function returned as a dict.

    Raises:
        InvalidInputError: It holds other keys than ``gcs_oauth_token`` and ``expires_at``.
    """
    return _static(check_keys(answer, ("gcs_oauth_token", "expires_at"), "gcs")).credential


def _source(creds: Any) -> Source:
    if creds is None:
        return Default()
    if isinstance(creds, AnonymousCredential):
        return Anonymous()
    if isinstance(creds, BearerCredential):
        return Static(creds)
    if isinstance(creds, str):
        return _from_text(creds)
    if isinstance(creds, os.PathLike):
        return KeyFile(_absolute(os.fspath(creds)))
    if callable(getattr(creds, "refresh", None)) and hasattr(creds, "ensure_token"):
        return VendorToken(creds)
    if callable(creds):
        return Function(creds)
    raise InvalidInputError(
        f"creds= of type {type(creds).__name__} mean nothing to gcs://; give {_FORMS}"
    )


def _from_text(text: str) -> Source:
    word = _WORDS.get(text)
    if word is not None:
        return word
    if text.lstrip().startswith("{"):
        raise InvalidInputError(
            "creds= holds a JSON as text; give it as a dict, creds=json.loads(text), or its path"
        )
    if text.startswith("ya29."):
        raise InvalidInputError(
            "creds= is an access token; write creds={'gcs_oauth_token': TOKEN}, which ends when "
            "it does, or a function that fetches one"
        )
    if text.endswith(".json") or "/" in text or os.sep in text or text.startswith("~"):
        return KeyFile(_absolute(text))
    near = difflib.get_close_matches(text.lower(), [word.lower() for word in _WORDS], 1, 0.6)
    hint = f"; is it {_spelled(near[0])!r}?" if near else ""
    shown = repr(text) if near or not text else f"a text of {len(text)} characters"
    raise InvalidInputError(f"creds= is {shown}, which gcs:// does not know{hint}; give {_FORMS}")


def _spelled(lower: str) -> str:
    return next(word for word in _WORDS if word.lower() == lower)


def _absolute(path: str | bytes) -> str:
    text = os.fsdecode(path)
    return os.path.abspath(os.path.expanduser(text))


def _from_mapping(given: Mapping[Any, Any]) -> GoogleCreds:
    return GoogleCreds(
        _source_in(given),
        text_of(given, "endpoint_url", "gcs"),
        text_of(given, "user_project", "gcs"),
        trust_of(given, "gcs"),
    )


def _source_in(given: Mapping[Any, Any]) -> Source:
    """The source of tokens in a dict: a service-account JSON with our keys beside its own, or
    our keys alone."""
    if "type" in given or "private_key" in given:
        json = {key: value for key, value in given.items() if key not in _OPTIONS}
        return Key(read(json, "the dict in creds="))
    keys = check_keys(given, _KEYS, "gcs", others=_or_an_account(given))
    if "gcs_oauth_token" in given:
        if "credentials" in keys:
            raise InvalidInputError(
                "creds= of gcs:// has both 'credentials' and 'gcs_oauth_token'; give one"
            )
        return _static(given)
    if "expires_at" in keys:
        raise InvalidInputError("creds= of gcs:// has 'expires_at' without 'gcs_oauth_token'")
    inner = keys.get("credentials")
    source = _source_in(inner) if isinstance(inner, Mapping) else _source(inner)
    return _with_client(source, keys)


def _or_an_account(given: Mapping[Any, Any]) -> str:
    """What a dict may have been meant for."""
    seems = looks_like(given)
    if seems is not None:
        return f"; it seems to be {seems}"
    return "; or all of a service account's JSON, which has 'type': 'service_account'"


def _with_client(source: Source, given: Mapping[str, Any]) -> Source:
    if "client_secrets" not in given:
        return source
    client = given["client_secrets"]
    if isinstance(source, Default):
        source = Browser()
    if not isinstance(source, Browser):
        raise InvalidInputError("'client_secrets' in creds= serve 'credentials': 'browser' alone")
    if isinstance(client, str | os.PathLike) and os.fspath(client):
        return Browser(_absolute(os.fspath(client)))
    if isinstance(client, Mapping):
        return Browser(client)
    raise InvalidInputError(
        "'client_secrets' in creds= is the path of an OAuth client's JSON, or its dict; got "
        f"{type(client).__name__}"
    )


def _static(given: Mapping[str, Any]) -> Static:
    token = given.get("gcs_oauth_token")
    if not isinstance(token, str) or not token.strip() or not is_token(token):
        raise InvalidInputError(
            "'gcs_oauth_token' in creds= must be an access token, ASCII without spaces or line "
            f"breaks, as 'gcloud auth print-access-token' prints it; got {_seen(token)}"
        )
    expires = given.get("expires_at")
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise InvalidInputError(
            "'expires_at' in creds= must be an aware datetime, such as "
            f"datetime.now(UTC) + timedelta(hours=1); got {type(expires).__name__}"
        )
    return Static(BearerCredential(token, expires))


def _seen(token: Any) -> str:
    if not isinstance(token, str):
        return type(token).__name__
    return "one with others; copy it anew, or strip it" if token.strip() else "an empty one"
