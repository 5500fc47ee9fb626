"""Google's credential files: what kind one is, and what it lacks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiolake.errors import InvalidInputError

__all__ = ["KINDS", "GoogleJson", "Metadata", "looks_like", "read"]

KINDS: dict[str, tuple[str, ...]] = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
    "external_account": ("audience", "subject_token_type", "token_url", "credential_source"),
    "impersonated_service_account": ("service_account_impersonation_url", "source_credentials"),
}
"""The kinds of file there are, and the keys that each must have."""

_LOOK_LIKE = (
    (
        ("installed",),
        "an OAuth client's file: creds={'credentials': 'browser', 'client_secrets': "
        "PATH} logs in with it",
    ),
    (
        ("web",),
        "the file of an OAuth client for web servers; make one of the type 'desktop app', "
        "for creds={'credentials': 'browser', 'client_secrets': PATH}",
    ),
    (("refresh_token",), "a saved log-in"),
    (("project_info",), "the configuration of a Firebase app"),
    (("credential_source",), "a configuration of workload identity federation"),
    (("aws_access_key_id",), "keys of AWS"),
    (("account_key",), "keys of Azure"),
    (("private_key",), "a service-account JSON"),
    (("client_email",), "a service-account JSON"),
)


@dataclass(frozen=True, slots=True)
class GoogleJson:
    """A credential file that has what its kind needs.

    Attributes:
        kind: One of ``KINDS``.
        info: All of it; holds secrets, and is in no repr.
    """

    kind: str
    info: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata server of a machine in Google's cloud.

    Attributes:
        host: ``host:port``, where it is not at its usual name.
        tried: What was not there, that would have been taken before it.
    """

    host: str | None
    tried: str


def read(info: Any, where: str) -> GoogleJson:
    """What a parsed JSON is, or words for what it is instead.

    Args:
        info: As parsed.
        where: Its path, or ``creds=``, for messages.

    Raises:
        InvalidInputError: It is none of the kinds, or keys of its kind are missing.
    """
    if not isinstance(info, Mapping):
        raise InvalidInputError(
            f"{where} is no service-account JSON: it holds {_named(info)}, not an object with keys"
        )
    kind = info.get("type")
    needed = KINDS.get(kind) if isinstance(kind, str) else None
    if needed is None:
        raise InvalidInputError(_what_it_is(info, where))
    missing = [key for key in needed if not info.get(key)]
    if missing:
        raise InvalidInputError(
            f"{where} says that it is of type {kind!r}, but lacks {_listed(missing)}; download "
            "the key anew, or copy all of it"
        )
    _check_private_key(info, where)
    if kind == "impersonated_service_account":
        read(info["source_credentials"], f"'source_credentials' of {where}")
    return GoogleJson(str(kind), info)


def looks_like(info: Mapping[Any, Any]) -> str | None:
    """What a parsed JSON seems to be, in words."""
    return next((words for keys, words in _LOOK_LIKE if all(key in info for key in keys)), None)


def _what_it_is(info: Mapping[str, Any], where: str) -> str:
    kind = info.get("type")
    lacks = [key for key in ("type", *KINDS["service_account"]) if not info.get(key)]
    if kind is not None and "type" not in lacks:
        known = ", ".join(map(repr, KINDS))
        return f"{where} is of the type {str(kind)[:60]!r}, which is not known; known are {known}"
    message = f"{where} is no service-account JSON: {_listed(lacks)} is missing"
    looks = looks_like(info)
    if looks is not None:
        return f"{message}; it seems to be {looks}"
    shown = _listed(sorted(map(str, info))[:6]) if info else "nothing"
    return (
        f"{message}, and it holds {shown}; the file is made by 'gcloud iam service-accounts keys "
        "create', or by the console under IAM, Service accounts, Keys"
    )


def _check_private_key(info: Mapping[str, Any], where: str) -> None:
    key = info.get("private_key")
    if info.get("type") == "service_account" and "PRIVATE KEY-----" not in str(key):
        raise InvalidInputError(
            f"the private_key of {where} is no PEM key: it must begin with '-----BEGIN PRIVATE "
            "KEY-----' and have its line breaks (as \\n in JSON)"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names)


def _named(info: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(info), "a single value")
