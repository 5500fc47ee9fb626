"""Refusals of token endpoints."""

from __future__ import annotations

import json

import pytest

from aiolake.credentials.google_refusals import refused_by
from aiolake.errors import TransientStoreError, UnauthenticatedError


@pytest.mark.parametrize(
    ("status", "code", "description", "words"),
    [
        (400, "invalid_grant", "Invalid JWT Signature.", "the key was deleted, or this machine's"),
        (400, "invalid_grant", "Invalid JWT: Token must be a short-lived token", "clock"),
        (400, "invalid_grant", "Invalid grant: account not found", "does not exist any more"),
        (400, "invalid_grant", "Token has been expired or revoked.", "log in again"),
        (401, "invalid_client", "The OAuth client was not found.", "OAuth client"),
        (400, "invalid_scope", "", "scope"),
        (404, "", "", "token_uri"),
        (403, "", "", "serviceAccountTokenCreator"),
    ],
)
def test_a_refusal_says_what_to_try(status: int, code: str, description: str, words: str) -> None:
    body = json.dumps({"error": code, "error_description": description}).encode()
    error = refused_by(status, body, "the service account x")
    assert type(error) is UnauthenticatedError
    assert words in str(error)
    assert "the service account x" in str(error)
    assert f"[{status}" in str(error)


def test_googles_apis_say_it_in_another_form() -> None:
    body = b'{"error": {"code": 403, "message": "Permission denied", "status": "DENIED"}}'
    assert "[403 DENIED Permission denied]" in str(refused_by(403, body, "x"))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "internal"}', b"[1]"])
def test_a_failure_of_the_endpoint_may_pass(status: int, body: bytes) -> None:
    assert type(refused_by(status, body, "x")) is TransientStoreError
