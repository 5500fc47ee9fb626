"""Who runs in AWS shows it to Google by a signed request, which Google sends on to AWS.

Source: https://google.aip.dev/auth/4117 (determining the subject token in AWS).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from aiolake.credentials.google_refusals import refused_by
from aiolake.credentials.oauth import exchange
from aiolake.errors import UnauthenticatedError

__all__ = ["AwsKeys", "signed_identity", "subject_token"]

Now = Callable[[], datetime]

_STS = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
_SESSION_S = "300"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys of AWS, and where they are good."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class _RoleKeys(msgspec.Struct):
    AccessKeyId: str
    SecretAccessKey: str
    Token: str

    def __repr__(self) -> str:
        return "<_RoleKeys>"


async def subject_token(
    given: Mapping[str, Any],
    audience: str,
    source: str,
    now: Now,
    environ: Mapping[str, str] | None = None,
) -> str:
    """The signed request, as Google takes it for a token.

    Args:
        given: ``credential_source`` of the file.
        audience: Of the file: the request is good for this pool alone.
        source: Where the file was found, for messages.
        now: Tells the time.
        environ: The environment; the process's own if ``None``.

    Raises:
        UnauthenticatedError: There are no keys of AWS, or no region.
        TransientStoreError: The metadata service could not be reached.
    """
    env = os.environ if environ is None else environ
    session = await _session(given, source)
    region = await _region(given, source, env, session)
    keys = await _keys(given, source, env, session)
    url = str(given.get("regional_cred_verification_url") or _STS).replace("{region}", region)
    return signed_identity(keys, region, url, audience, now())


def signed_identity(keys: AwsKeys, region: str, url: str, audience: str, at: datetime) -> str:
    """A GetCallerIdentity request, signed with SigV4 and written as a subject token."""
    date = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    headers = {"host": parts.netloc, "x-amz-date": date, "x-goog-cloud-target-resource": audience}
    if keys.session_token is not None:
        headers["x-amz-security-token"] = keys.session_token
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    query = "&".join(sorted(parts.query.split("&")))
    canonical = "\n".join(
        ["POST", parts.path or "/", query, lines, signed, hashlib.sha256(b"").hexdigest()]
    )
    scope = f"{date[:8]}/{region}/sts/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={signed}, "
        f"Signature={signature}"
    )
    listed = [{"key": name, "value": value} for name, value in sorted(headers.items())]
    value = {"headers": listed, "method": "POST", "url": url}
    return quote(msgspec.json.encode(value).decode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


async def _session(given: Mapping[str, Any], source: str) -> dict[str, str]:
    """The header of a session with the metadata service (IMDSv2), where one is asked for."""
    url = given.get("imdsv2_session_token_url")
    if not url:
        return {}
    asked = {"X-aws-ec2-metadata-token-ttl-seconds": _SESSION_S}
    return {"X-aws-ec2-metadata-token": await _asked("PUT", str(url), source, asked)}


async def _region(
    given: Mapping[str, Any], source: str, env: Mapping[str, str], session: Mapping[str, str]
) -> str:
    named = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if named:
        return named
    url = given.get("region_url")
    if not url:
        raise UnauthenticatedError(
            f"{source} takes its identity from AWS, and the region is not known: set AWS_REGION"
        )
    return (await _asked("GET", str(url), source, session))[:-1]  # a zone, such as eu-west-1b


async def _keys(
    given: Mapping[str, Any], source: str, env: Mapping[str, str], session: Mapping[str, str]
) -> AwsKeys:
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return AwsKeys(
            env["AWS_ACCESS_KEY_ID"],
            env["AWS_SECRET_ACCESS_KEY"],
            env.get("AWS_SESSION_TOKEN") or None,
        )
    url = given.get("url")
    if not url:
        raise UnauthenticatedError(
            f"{source} takes its identity from AWS, and there are no keys of AWS: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run on a machine with a role"
        )
    role = await _asked("GET", str(url), source, session)
    found = await _asked("GET", f"{url}/{role}", source, session)
    try:
        keys = msgspec.json.decode(found, type=_RoleKeys)
    except msgspec.MsgspecError as error:
        raise UnauthenticatedError(
            f"the metadata service of AWS gave no keys to {source}"
        ) from error
    return AwsKeys(keys.AccessKeyId, keys.SecretAccessKey, keys.Token)


async def _asked(method: str, url: str, source: str, headers: Mapping[str, str]) -> str:
    what = f"the metadata service of AWS that {source} names"
    answer = await exchange(method, url, what, headers=headers)
    if answer.status != 200:
        raise refused_by(answer.status, answer.body, what)
    return answer.body.decode("utf-8", "replace").strip()
