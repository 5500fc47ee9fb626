"""What an answer of Google Cloud Storage means to a user. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from aiolake.credentials.values import AnonymousCredential, Credential
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores.answers import retry_after_s
from aiolake.stores.transport.values import Response

__all__ = ["Attempt", "Said", "is_of_bucket", "read_error", "refusal"]

_RATE_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "slowDown"}
_TRANSIENT = {408, 409}
_LONGEST = 300
_PAYER = (
    "its requester pays: name the project that does with creds={'user_project': 'my-project', ...}"
)
_DENIED_PROJECT = "USER_PROJECT_DENIED"
_USE_PROJECT = "permission to use project"
_PERMISSION = re.compile(r"storage\.[A-Za-z]+\.[A-Za-z]+")
_ROLES = {
    "get": "storage.objects.get (roles/storage.objectViewer)",
    "head": "storage.objects.get (roles/storage.objectViewer)",
    "list": "storage.objects.list (roles/storage.objectViewer)",
    "create": "storage.objects.create (roles/storage.objectUser)",
    "put": "storage.objects.create and storage.objects.delete (roles/storage.objectUser)",
    "delete": "storage.objects.delete (roles/storage.objectUser)",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What the server said of a failure.

    Attributes:
        reason: Its word for it, such as ``rateLimitExceeded``; may be empty.
        message: A sentence; may be empty.
    """

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was attempted, for messages.

    Attributes:
        verb: Of the store: ``get``, ``head``, ``put``, ``create``, ``list``, ``delete``.
        key: The object's, or the prefix of a listing.
        url: The store's root.
        bucket: Its bucket.
        source: Where the credential came from.
    """

    verb: str
    key: str
    url: str
    bucket: str
    source: str

    def __str__(self) -> str:
        return f"cannot {self.verb} {self.key!r} in {self.url}"


def refusal(response: Response, attempt: Attempt, credential: Credential) -> AiolakeError:
    """The error to raise for an answer that is none of success.

    Args:
        response: The answer.
        attempt: To what.
        credential: What was shown.
    """
    said = read_error(response)
    status = response.status
    kind, words, facts = _meaning(response, said, attempt, credential)
    quoted = " ".join(part for part in (str(status), said.reason, said.message) if part)
    return kind(
        f"{attempt}: {words} [{quoted}]",
        key=attempt.key,
        url=attempt.url,
        status=status,
        reason=said.reason,
        **facts,
    )


_Meaning = tuple[type[AiolakeError], str, dict[str, Any]]


def _meaning(response: Response, said: Said, attempt: Attempt, credential: Credential) -> _Meaning:
    status = response.status
    if status == 401:
        return *_unauthenticated(attempt, credential), {}
    if status == 429 or said.reason in _RATE_REASONS:
        return ThrottledError, "Google asks for fewer requests", _retry_after(response.headers)
    if status == 403:
        return PermissionDeniedError, _denied(said, attempt), {}
    if status == 404:
        return NotFoundError, _missing(said, attempt), {}
    if status in _TRANSIENT or status >= 500:
        return TransientStoreError, "the server failed", _retry_after(response.headers)
    if status == 400 and _asks_for_payer(said):
        return InvalidInputError, _PAYER, {}
    if 300 <= status < 400:
        return StoreError, "the server sends elsewhere; is endpoint_url right?", {}
    return StoreError, "the server refused it", {}


def is_of_bucket(response: Response) -> bool:
    """Whether a 404 says that the bucket is missing, not the object."""
    return _is_of_bucket(read_error(response))


def _is_of_bucket(said: Said) -> bool:
    message = said.message.lower()
    return "bucket" in message and not message.startswith("no such object")  # it is named there


def read_error(response: Response) -> Said:
    """The server's own words: its JSON, or the text it answers where bytes were asked for."""
    text = bytes(response.body[: 64 << 10]).decode("utf-8", "replace").strip()
    try:
        found = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        found = None
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):  # as OAuth endpoints do
        return Said(error, str(found.get("error_description", "")))
    if not isinstance(error, dict):
        return Said("", "" if text.startswith("<") else _short(text))
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details else {}
    reason = first.get("reason", "") if isinstance(first, dict) else ""
    return Said(str(reason or error.get("status", "")), _short(str(error.get("message", ""))))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _unauthenticated(attempt: Attempt, credential: Credential) -> tuple[type[AiolakeError], str]:
    if isinstance(credential, AnonymousCredential):
        return UnauthenticatedError, (
            "the bucket is not public, and no credential was sent; leave creds='anonymous' out "
            "for the application default credentials, or give a service-account JSON"
        )
    return CredentialExpiredError, (
        f"Google does not accept the token of {attempt.source}: it expired, was revoked, or is "
        "none of Google's"
    )


def _denied(said: Said, attempt: Attempt) -> str:
    """Which permission lacks: the server names it, else what the verb needs."""
    if said.reason.startswith("accountDisabled"):
        return "the billing of the bucket's project is disabled"
    if said.reason == "retentionPolicyNotMet":
        return "the bucket's retention policy still keeps the object"
    if said.reason == _DENIED_PROJECT or _USE_PROJECT in said.message:
        return (
            f"the credential of {attempt.source} may not use the project that requests count "
            "against: have it granted roles/serviceusage.serviceUsageConsumer there, or name "
            "another in GOOGLE_CLOUD_QUOTA_PROJECT, 'quota_project_id' or 'user_project'"
        )
    named = _PERMISSION.search(said.message)
    lacks = named[0] if named is not None else _ROLES[attempt.verb]
    return (
        f"the credential of {attempt.source} lacks {lacks}; have it granted on the bucket "
        f"{attempt.bucket!r}, or use another credential{_or_missing(attempt)}"
    )


def _or_missing(attempt: Attempt) -> str:
    """What Google calls forbidden, though it is not there."""
    if attempt.verb not in ("get", "head"):
        return ""
    return (
        "; to who lacks storage.objects.list, Google says the same of what is not there: check the "
        "address too"
    )


def _missing(said: Said, attempt: Attempt) -> str:
    if _is_of_bucket(said) or attempt.verb in ("put", "create", "list"):
        return (
            f"there is no bucket {attempt.bucket!r}; check its spelling (the name is the whole "
            "address up to the next '/', whatever the project), or create it"
        )
    if "object" in said.message.lower():
        return "there is no such object"
    return f"there is no such object, or no bucket {attempt.bucket!r}"


def _asks_for_payer(said: Said) -> bool:
    return said.reason in ("required", "userProjectMissing") and "pay" in said.message.lower()


def _retry_after(headers: Mapping[str, str]) -> dict[str, Any]:
    pause = retry_after_s(headers)
    return {} if pause is None else {"retry_after_s": pause}
