"""Whether what a user gave as ``creds=`` holds a secret itself, or says where one is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiolake.credentials.values import (
    AccountKeyCredential,
    AwsCredential,
    BearerCredential,
    SasCredential,
)

__all__ = ["has_secret"]

_KINDS = (AccountKeyCredential, AwsCredential, BearerCredential, SasCredential)
_NAMES = frozenset(
    {
        "account_key",
        "authorization",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "client_secret",
        "connection_string",
        "gcs_oauth_token",
        "headers",
        "password",
        "private_key",
        "query",
        "refresh_token",
        "sas_token",
        "token",
    }
)


def has_secret(creds: Any) -> bool:
    """Whether ``creds`` is, or holds, a secret value; words, paths and functions do not."""
    if isinstance(creds, _KINDS):
        return True
    if isinstance(creds, Mapping):
        return any(
            (str(name).lower() in _NAMES and value) or has_secret(value)
            for name, value in creds.items()
        )
    return False
