"""What a token endpoint's refusal means to a user. Pure."""

from __future__ import annotations

import msgspec

from aiolake.errors import AiolakeError, TransientStoreError, UnauthenticatedError

__all__ = ["refused_by"]

_LONGEST = 300


def refused_by(status: int, body: bytes, source: str) -> AiolakeError:
    """The error for an answer of a token endpoint that is none of success.

    Args:
        status: Of HTTP.
        body: Of the answer; JSON as RFC 6749 says, or as Google's APIs do.
        source: Of the credential, in words.
    """
    code, description = _said(body)
    quoted = " ".join(part for part in (str(status), code, description) if part)
    if status >= 500 or status in (408, 429):
        return TransientStoreError(f"the token endpoint of {source} failed [{quoted}]")
    return UnauthenticatedError(
        f"the token endpoint refused {source}: {_advice(code, description, status)} [{quoted}]",
        reason=code,
    )


def _advice(code: str, description: str, status: int) -> str:
    text = description.lower()
    if code == "invalid_grant" and ("signature" in text or "jwt" in text or "token must" in text):
        return (
            "the key was deleted, or this machine's clock is wrong by minutes; compare 'date -u' "
            "with the time, and 'gcloud iam service-accounts keys list' with the key's id"
        )
    if code == "invalid_grant" and "account" in text:
        return "the service account does not exist any more"
    if code == "invalid_grant":
        return "the log-in was revoked, or has ended; log in again"
    if code in ("invalid_client", "unauthorized_client", "deleted_client"):
        return "the OAuth client is not known, was deleted, or its secret is another"
    if code == "invalid_scope":
        return "it may not have the scope of Cloud Storage"
    if status == 404:
        return "there is no such account or endpoint; is token_uri right, and the VM's account set?"
    if status == 403:
        return "it may not do that; is the role roles/iam.serviceAccountTokenCreator granted?"
    return "see the reason"


def _said(body: bytes) -> tuple[str, str]:
    """Error code and description of an answer."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return "", ""
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        return _short(error.get("status", "")), _short(error.get("message", ""))
    description = found.get("error_description", "") if isinstance(found, dict) else ""
    return _short(error or ""), _short(description)


def _short(value: object) -> str:
    return " ".join(str(value).split())[:_LONGEST]
