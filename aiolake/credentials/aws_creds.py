"""What users write as ``creds=`` of ``s3://``. Pure.

Source: https://docs.deeplake.ai/en/latest/Storage-and-Credentials.html, for the spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from aiolake.credentials.dicts import alternative, check_keys, text_of, trust_of
from aiolake.credentials.values import AwsCredential
from aiolake.errors import InvalidInputError
from aiolake.urls import without_user

__all__ = ["AwsCreds", "aws_credential_of", "parse_aws_creds"]

_SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_REGIONS = ("region_name", "aws_region", "region")
_STORE = (
    "endpoint_url",
    "addressing_style",
    "verify",
    "request_payer",
    "server_side_encryption",
    "sse_kms_key_id",
    "storage_class",
)
_ROLE = ("role_arn", "role_session_name", "external_id", "duration_seconds")
_KNOWN = (*_SECRETS, *_REGIONS, *_STORE, *_ROLE, "credentials", "profile_name", "expires_at")
_STYLES = ("path", "virtual", "auto")
_WORDS = ("ENV", "anonymous")


@dataclass(frozen=True, slots=True)
class AwsCreds:
    """How to get a credential, and what is to be known of the store.

    Attributes:
        kind: Where the credential comes from: the provider's own ``chain``, ``env`` alone, given
            ``keys``, a ``function``, or ``anonymous``.
        keys: For ``keys``.
        function: For ``function``.
        profile: Of the files that ``aws configure`` writes.
        role: To assume: its ARN.
        role_session_name: Shown in AWS's own log.
        external_id: As the role's owner asks.
        duration_seconds: How long a session of the role lasts.
        endpoint_url: Of an S3-compatible store.
        region: Of the bucket; found out where it is not given.
        style: ``path``, ``virtual`` or ``auto``.
        verify: Whether certificates are checked.
        ca_file: Certificates to trust.
        put_headers: To be sent with every object that is written.
        all_headers: To be sent with every request.
    """

    kind: Literal["chain", "env", "keys", "function", "anonymous"] = "chain"
    keys: AwsCredential | None = None
    function: Callable[[], Any] | None = None
    profile: str | None = None
    role: str | None = None
    role_session_name: str | None = None
    external_id: str | None = None
    duration_seconds: int = 3600
    endpoint_url: str | None = None
    region: str | None = None
    style: str = "auto"
    verify: bool = True
    ca_file: str | None = None
    put_headers: tuple[tuple[str, str], ...] = ()
    all_headers: tuple[tuple[str, str], ...] = ()


def parse_aws_creds(creds: Any) -> AwsCreds:
    """What ``creds=`` of an ``s3://`` address says.

    Raises:
        InvalidInputError: It says nothing that is known; no value is shown.
    """
    if creds is None:
        return AwsCreds()
    if isinstance(creds, str):
        return _of_word(creds)
    if isinstance(creds, AwsCredential):
        return AwsCreds(kind="keys", keys=creds)
    if isinstance(creds, Mapping):
        return _of_dict(creds)
    if callable(creds):
        return AwsCreds(kind="function", function=creds)
    raise InvalidInputError(
        "creds= of s3:// is a dict such as {'aws_access_key_id': ..., 'aws_secret_access_key': "
        "...}, 'ENV', 'anonymous', or a function that returns an aiolake.AwsCredential; got "
        f"{type(creds).__name__}",
        scheme="s3",
    )


def _of_word(word: str) -> AwsCreds:
    if word == "ENV":
        return AwsCreds(kind="env")
    if word == "anonymous":
        return AwsCreds(kind="anonymous")
    near = next((known for known in _WORDS if known.lower() == word.lower()), None)
    advice = (
        f"did you mean {near!r}?"
        if near
        else "there are 'ENV' and 'anonymous'; a profile is {'profile_name': ...}"
    )
    raise InvalidInputError(f"creds= of s3:// is no word that is known; {advice}", scheme="s3")


def _of_dict(creds: Mapping[Any, Any]) -> AwsCreds:
    given = check_keys(creds, _KNOWN, "s3")
    keys = _keys(given)
    profile = text_of(given, "profile_name", "s3")
    if keys is not None and profile is not None:
        raise InvalidInputError(
            "creds= of s3:// has both keys and 'profile_name'; give one", scheme="s3"
        )
    trust = trust_of(given, "s3")
    payer = text_of(given, "request_payer", "s3")
    creds_of_store = AwsCreds(
        kind="chain" if keys is None else "keys",
        keys=keys,
        profile=profile,
        role=_role(given),
        role_session_name=text_of(given, "role_session_name", "s3"),
        external_id=text_of(given, "external_id", "s3"),
        duration_seconds=_duration(given.get("duration_seconds", 3600)),
        endpoint_url=_endpoint(text_of(given, "endpoint_url", "s3")),
        region=alternative(given, _REGIONS, "s3"),
        style=_style(text_of(given, "addressing_style", "s3")),
        verify=trust is not False,
        ca_file=trust if isinstance(trust, str) else None,
        put_headers=_put_headers(given),
        all_headers=() if payer is None else (("x-amz-request-payer", payer),),
    )
    return _with_source(creds_of_store, given)


def _with_source(creds: AwsCreds, given: Mapping[str, Any]) -> AwsCreds:
    """The same with what ``'credentials'`` says of where keys come from."""
    if "credentials" not in given:
        return creds
    if creds.kind == "keys" or creds.profile is not None:
        other = "keys" if creds.kind == "keys" else "'profile_name'"
        raise InvalidInputError(
            f"creds= of s3:// has both 'credentials' and {other}; give one", scheme="s3"
        )
    source = given["credentials"]
    if isinstance(source, Mapping):
        raise InvalidInputError(
            "'credentials' in creds= of s3:// is 'ENV', 'anonymous', a function or an "
            "aiolake.AwsCredential; the keys of a dict stand beside it",
            scheme="s3",
        )
    found = parse_aws_creds(source)
    if found.kind == "anonymous" and creds.role is not None:
        raise InvalidInputError(
            "creds= of s3:// has 'role_arn' and is anonymous: a role is assumed with keys",
            scheme="s3",
        )
    return replace(creds, kind=found.kind, keys=found.keys, function=found.function)


def _keys(given: Mapping[str, Any]) -> AwsCredential | None:
    key_id, secret, token = (text_of(given, name, "s3") for name in _SECRETS)
    if key_id is None and secret is None and token is None:
        return None
    if key_id is None or secret is None:
        missing = _SECRETS[0] if key_id is None else _SECRETS[1]
        raise InvalidInputError(f"creds= of s3:// lacks {missing!r}", scheme="s3")
    expires = given.get("expires_at")
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise InvalidInputError("'expires_at' in creds= must be an aware datetime", scheme="s3")
    return AwsCredential(key_id, secret, token, expires)


def _role(given: Mapping[str, Any]) -> str | None:
    role = text_of(given, "role_arn", "s3")
    if role is not None and not role.startswith("arn:"):
        raise InvalidInputError(
            f"'role_arn' in creds= is of the form arn:aws:iam::ACCOUNT:role/NAME, got {role!r}",
            scheme="s3",
        )
    if role is None and any(name in given for name in _ROLE):
        raise InvalidInputError(
            "creds= of s3:// says how to assume a role, but not which: give 'role_arn'", scheme="s3"
        )
    return role


def _duration(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(
            f"'duration_seconds' in creds= is a number of seconds, got {value!r}", scheme="s3"
        )
    return value


def _endpoint(url: str | None) -> str | None:
    if url is not None and not url.lower().startswith(("http://", "https://")):
        raise InvalidInputError(
            f"'endpoint_url' in creds= is of the form https://host:port, got {without_user(url)!r}",
            scheme="s3",
        )
    return url


def _style(style: str | None) -> str:
    if style is not None and style not in _STYLES:
        raise InvalidInputError(
            f"'addressing_style' in creds= is one of {', '.join(_STYLES)}; got {style!r}",
            scheme="s3",
        )
    return style or "auto"


def _put_headers(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    key = text_of(given, "sse_kms_key_id", "s3")
    encryption = text_of(given, "server_side_encryption", "s3")
    if key is not None:
        encryption = encryption or "aws:kms"
    named = {
        "x-amz-server-side-encryption": encryption,
        "x-amz-server-side-encryption-aws-kms-key-id": key,
        "x-amz-storage-class": text_of(given, "storage_class", "s3"),
    }
    return tuple((name, value) for name, value in named.items() if value is not None)


def aws_credential_of(answer: Mapping[str, Any]) -> AwsCredential:
    """A credential out of what a user's function returned as a dict.

    Raises:
        InvalidInputError: Keys are missing or unknown.
    """
    given = check_keys(answer, (*_SECRETS, "expires_at"), "s3")
    keys = _keys(given)
    if keys is None:
        raise InvalidInputError(
            "the dict that a function for creds= returns has 'aws_access_key_id', "
            "'aws_secret_access_key', perhaps 'aws_session_token' and 'expires_at'",
            scheme="s3",
        )
    return keys
