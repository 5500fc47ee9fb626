"""Tokens for identities of other clouds, and of service accounts one may act as."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec

from aiolake.credentials.google_aws import subject_token as aws_subject_token
from aiolake.credentials.google_executable import subject_token as executable_subject_token
from aiolake.credentials.google_json import GoogleJson, read
from aiolake.credentials.google_refusals import refused_by
from aiolake.credentials.google_tokens import CLOUD_SCOPE, STORAGE_SCOPE
from aiolake.credentials.google_tokens import token_of as vendor_token_of
from aiolake.credentials.oauth import Answer, exchange
from aiolake.credentials.values import BearerCredential
from aiolake.errors import TransientStoreError, UnauthenticatedError

__all__ = ["token_of"]

Now = Callable[[], datetime]

_LIFE_S = 3600


async def token_of(found: GoogleJson, source: str, now: Now) -> BearerCredential:
    """A new token, with its true expiry; one attempt.

    gcloud-aio-auth knows both kinds of file, but takes the first token's expiry for that of the
    account's it exchanges it for, reads no JSON from a file, and ignores delegates.

    Args:
        found: Of the kind ``external_account`` or ``impersonated_service_account``.
        source: Where it was found, for messages.
        now: Tells the time.

    Raises:
        UnauthenticatedError: It was refused, or what it names is not there.
        TransientStoreError: An endpoint could not be reached, or failed.
    """
    info = found.info
    url = info.get("service_account_impersonation_url")
    if found.kind == "external_account":
        token = await _exchanged(info, source, now, CLOUD_SCOPE if url else STORAGE_SCOPE)
        details = info.get("service_account_impersonation") or {}
        life_s = details.get("token_lifetime_seconds", _LIFE_S)
    else:
        inner = read(info["source_credentials"], f"'source_credentials' of {source}")
        token = await _of_source(inner, source, now)
        life_s = _LIFE_S
    if not url:
        return token
    return await _impersonated(url, token, info.get("delegates", []), life_s, source, now)


async def _of_source(inner: GoogleJson, source: str, now: Now) -> BearerCredential:
    if inner.kind in ("service_account", "authorized_user"):
        return await vendor_token_of(inner, source, now, scope=CLOUD_SCOPE)
    return await token_of(inner, source, now)


async def _exchanged(
    info: Mapping[str, Any], source: str, now: Now, scope: str
) -> BearerCredential:
    """A token of Google's for one of another identity provider's.

    Source: RFC 8693; https://google.aip.dev/auth/4117
    """
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": info["audience"],
        "scope": scope,
        "subject_token_type": info["subject_token_type"],
        "subject_token": await _subject_token(info, source, now),
    }
    headers = {}
    if info.get("client_id"):
        pair = f"{info['client_id']}:{info.get('client_secret', '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif info.get("workforce_pool_user_project"):
        project = {"userProject": info["workforce_pool_user_project"]}
        form["options"] = msgspec.json.encode(project).decode()
    asked = now()
    what = f"the token endpoint of {source}"
    answer = await exchange("POST", info["token_url"], what, form=form, headers=headers)
    found = _granted(answer, source)
    life_s = found.get("expires_in", _LIFE_S)
    return BearerCredential(_text(found, "access_token", what), asked + timedelta(seconds=life_s))


async def _impersonated(
    url: str, token: BearerCredential, delegates: list[str], life_s: int, source: str, now: Now
) -> BearerCredential:
    """A service account's token, for who may act as it.

    Source: https://cloud.google.com/iam/docs/reference/credentials/rest (generateAccessToken)
    """
    body = {"scope": [STORAGE_SCOPE], "lifetime": f"{life_s}s", "delegates": delegates}
    headers = {"Authorization": f"Bearer {token.token}"}
    asked = now()
    what = f"the service account that {source} acts as"
    answer = await exchange("POST", url, what, json=body, headers=headers)
    found = _granted(answer, what)
    expires = _expiry(_text(found, "expireTime", what), answer, asked)
    return BearerCredential(_text(found, "accessToken", what), expires)


def _expiry(expires: str, answer: Answer, asked: datetime) -> datetime:
    """The server's time of expiry on this machine's clock, which may be another."""
    try:
        until = datetime.fromisoformat(expires)
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return asked + timedelta(seconds=_LIFE_S / 2)
    return asked + (until.astimezone(UTC) - there.astimezone(UTC))


async def _subject_token(info: Mapping[str, Any], source: str, now: Now) -> str:
    """The token of the other identity provider."""
    given = info["credential_source"]
    if not isinstance(given, Mapping):
        raise UnauthenticatedError(f"'credential_source' of {source} is no object with keys")
    if "file" in given:
        path = str(given["file"])
        data = await asyncio.get_running_loop().run_in_executor(None, _read, path, source)
        return _in_format(data, given, f"the file {path} of {source}")
    if str(given.get("environment_id", "")).startswith("aws"):
        return await aws_subject_token(given, info["audience"], source, now)
    if "executable" in given:
        return await executable_subject_token(info, source, now)
    if "url" in given:
        headers = given.get("headers") or {}
        what = f"the source of the subject token of {source}"
        answer = await exchange("GET", str(given["url"]), what, headers=headers)
        if answer.status != 200:
            raise refused_by(answer.status, answer.body, what)
        return _in_format(answer.body, given, what)
    kinds = ", ".join(sorted(map(str, given)))
    raise UnauthenticatedError(
        f"'credential_source' of {source} has {kinds}; known are those with 'file', 'url' or "
        "'executable', and of AWS. For others give creds= a function that returns "
        "{'gcs_oauth_token': ..., 'expires_at': ...}"
    )


def _read(path: str, source: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnauthenticatedError(
            f"the subject token of {source} cannot be read from {path}: {error.strerror}; is its "
            "volume mounted?"
        ) from error


def _in_format(data: bytes, given: Mapping[str, Any], what: str) -> str:
    form = given.get("format") or {}
    if form.get("type", "text") != "json":
        return data.decode("utf-8", "replace").strip()
    return _text(_object(data, what), form.get("subject_token_field_name", ""), what)


def _granted(answer: Answer, source: str) -> Mapping[str, Any]:
    if answer.status != 200:
        raise refused_by(answer.status, answer.body, source)
    return _object(answer.body, f"the token endpoint of {source}")


def _object(data: bytes, what: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise TransientStoreError(f"{what} did not answer a JSON object") from error
    return found


def _text(found: Mapping[str, Any], key: str, what: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise UnauthenticatedError(f"{what} gave no {key!r}")
    return value
