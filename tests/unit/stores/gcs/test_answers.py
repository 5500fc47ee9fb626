"""What answers of Google Cloud Storage mean."""

from __future__ import annotations

import json

import pytest

from aiolake.credentials.values import AnonymousCredential, BearerCredential
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
from aiolake.stores._gcs.answers import Attempt, is_of_bucket, refusal
from aiolake.stores.transport.values import Response

TOKEN = BearerCredential("ya29.secret")


def answer(status: int, reason: str = "", message: str = "", **headers: str) -> Response:
    body = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}
    return Response(status, headers, json.dumps(body).encode())


def error_of(response: Response, verb: str = "get") -> AiolakeError:
    attempt = Attempt(verb, "log/1", "gcs://bucket/p", "bucket", "the file key.json")
    return refusal(response, attempt, TOKEN)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "invalid", StoreError),
        (401, "authError", CredentialExpiredError),
        (403, "forbidden", PermissionDeniedError),
        (403, "rateLimitExceeded", ThrottledError),
        (403, "userRateLimitExceeded", ThrottledError),
        (404, "notFound", NotFoundError),
        (408, "", TransientStoreError),
        (409, "conflict", TransientStoreError),
        (412, "conditionNotMet", StoreError),
        (429, "rateLimitExceeded", ThrottledError),
        (500, "backendError", TransientStoreError),
        (502, "", TransientStoreError),
        (503, "backendError", TransientStoreError),
        (504, "", TransientStoreError),
        (302, "", StoreError),
    ],
)
def test_each_status_has_its_error(status: int, reason: str, kind: type[Exception]) -> None:
    error = error_of(answer(status, reason, "words of Google's"))
    assert type(error) is kind
    assert "cannot get 'log/1' in gcs://bucket/p" in str(error)
    assert "words of Google's" in str(error)
    assert (error.status, error.reason) == (status, reason)
    assert "secret" not in str(error)


def test_a_pause_that_is_asked_for_is_kept() -> None:
    error = error_of(answer(429, "rateLimitExceeded", "", **{"retry-after": "7"}))
    assert error.retry_after_s == 7.0


def test_the_missing_permission_is_named() -> None:
    message = (
        "job@pro.iam.gserviceaccount.com does not have storage.objects.create access to the "
        "Google Cloud Storage object. Permission 'storage.objects.create' denied on resource"
    )
    text = str(error_of(answer(403, "forbidden", message), "put"))
    assert "the credential of the file key.json lacks storage.objects.create;" in text
    assert "'bucket'" in text
    text = str(error_of(answer(403, "forbidden", "Forbidden"), "list"))
    assert "lacks storage.objects.list (roles/storage.objectViewer)" in text


def test_a_bucket_that_is_not_there_is_not_called_an_object() -> None:
    bucket = answer(404, "notFound", "The specified bucket does not exist.")
    assert "there is no bucket 'bucket'" in str(error_of(bucket))
    assert is_of_bucket(bucket)
    thing = Response(404, {}, b"No such object: bucket/p/log/1")
    assert "there is no such object [" in str(error_of(thing))
    assert not is_of_bucket(thing)
    vague = Response(404, {}, b"Not Found")
    assert "no such object, or no bucket 'bucket'" in str(error_of(vague))
    assert "there is no bucket" in str(error_of(vague, "create"))
    assert "there is no bucket" in str(error_of(vague, "list"))


def test_nobody_is_told_to_log_in_who_reads_a_private_bucket_anonymously() -> None:
    attempt = Attempt("get", "log/1", "gcs://bucket/p", "bucket", "nothing")
    error = refusal(answer(401, "required", "Anonymous caller"), attempt, AnonymousCredential())
    assert type(error) is UnauthenticatedError
    assert "not public" in str(error)


def test_who_is_to_pay_is_asked_for() -> None:
    message = "Bucket is a requester pays bucket but no user project provided."
    error = error_of(answer(400, "required", message))
    assert type(error) is InvalidInputError
    assert "user_project" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Bad gateway</body></html>",
        b"\xff\xfe",
        b"[]",
        b'{"error": 3}',
        b"{" * 999,
    ],
)
def test_answers_that_are_no_json_make_words_too(body: bytes) -> None:
    error = error_of(Response(503, {}, body))
    assert type(error) is TransientStoreError
    assert len(str(error)) < 500


def test_a_project_that_may_not_be_used_is_told_from_a_permission_on_the_bucket() -> None:
    words = "Caller does not have required permission to use project pro. Grant the caller ..."
    for refused in (answer(403, "forbidden", words), answer(403, "USER_PROJECT_DENIED", "no")):
        error = error_of(refused)
        assert type(error) is PermissionDeniedError
        assert "roles/serviceusage.serviceUsageConsumer" in str(error)
        assert "storage.objects.get" not in str(error)
