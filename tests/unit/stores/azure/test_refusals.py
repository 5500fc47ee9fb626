"""What the service's refusals become; the bodies are those the service sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aiolake import urls
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
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
from aiolake.stores._azure.answers import Answer, read_answer
from aiolake.stores._azure.place import place_of
from aiolake.stores._azure.refusals import Asked, created, is_expired, is_misdated, refusal
from aiolake.stores.base import CreateOutcome
from aiolake.stores.transport.values import Tls

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DATE = "Wed, 25 Nov 2026 12:00:00 GMT"
PLACE = place_of(urls.parse("az://flowers1/box/set"), None, Tls())
KEY = AccountKeyCredential("flowers1", "c2VjcmV0")
TOKEN = BearerCredential("secret", NOW + timedelta(hours=1))
SAS = SasCredential("sv=2021-12-02&sp=rl&sig=secret", NOW + timedelta(hours=1))
ALL = [KEY, TOKEN, SAS, AnonymousCredential()]
IN_VAIN = "Server failed to authenticate the request. Make sure the value ..."


def answer(
    status: int, code: str = "", detail: str = "", message: str = "Words", **headers: str
) -> Answer:
    body = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><Error>'
        f"<Code>{code}</Code><Message>{message}\nRequestId:1\nTime:2026</Message>"
        f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(status, {"date": DATE, **named}, body.encode() if code else b"")


def error_of(
    answer: Answer, credential: Credential = KEY, verb: str = "read", needs: str = "r"
) -> AiolakeError:
    error = refusal(Asked(verb, "a/b", PLACE, needs), answer, credential, "the source")
    assert "secret" not in str(error)
    return error


class TestReading:
    def test_a_refusal_has_a_code_and_one_line(self) -> None:
        found = answer(403, "AuthenticationFailed", "The MAC signature ...")
        assert (found.code, found.message) == ("AuthenticationFailed", "Words")
        assert (found.detail, found.at) == ("The MAC signature ...", NOW)

    def test_an_answer_to_head_has_its_code_in_a_header(self) -> None:
        found = read_answer(404, {"x-ms-error-code": "BlobNotFound"}, b"")
        assert (found.code, found.message, found.at) == ("BlobNotFound", "", None)

    @pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"<Error", b"no", b"\xff\xfe<"])
    def test_a_proxys_page_has_no_code(self, body: bytes) -> None:
        assert read_answer(502, {"retry-after": "soon"}, body).code == ""

    def test_a_pause_is_in_seconds(self) -> None:
        assert answer(503, "ServerBusy", retry_after="7").retry_after_s == 7

    def test_the_tenant_of_the_account_is_in_the_challenge(self) -> None:
        challenge = (
            "Bearer authorization_uri=https://login.microsoftonline.com/72f9-88bf/oauth2/authorize "
            "resource_id=https://storage.azure.com"
        )
        assert answer(401, "X", www_authenticate=challenge).tenant == "72f9-88bf"


class TestExpiry:
    @pytest.mark.parametrize(
        ("status", "code", "detail"),
        [
            (401, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired."),
            (403, "AuthenticationFailed", "Lifetime validation failed. The token is expired."),
            (401, "ExpiredAuthenticationToken", ""),
        ],
    )
    def test_a_token_that_the_service_calls_expired(
        self, status: int, code: str, detail: str
    ) -> None:
        assert isinstance(error_of(answer(status, code, detail), TOKEN), CredentialExpiredError)

    def test_a_signature_out_of_its_span(self) -> None:
        def said(start: str, expiry: str) -> Answer:
            detail = (
                f"Signature not valid in the specified time frame: Start [{start}] - "
                f"Expiry [{expiry}] - Current [{DATE}]"
            )
            return answer(403, "AuthenticationFailed", detail, IN_VAIN)

        early, late = "Wed, 25 Nov 2026 11:00:00 GMT", "Wed, 25 Nov 2026 13:00:00 GMT"
        over = said("Tue, 24 Nov 2026 11:00:00 GMT", early)
        assert isinstance(error_of(over, SAS), CredentialExpiredError)
        not_yet = error_of(said(late, "Thu, 26 Nov 2026 11:00:00 GMT"), SAS)
        assert type(not_yet) is UnauthenticatedError
        assert "not good yet" in str(not_yet)

    def test_the_servers_clock_tells_where_words_do_not(self) -> None:
        refused = answer(403, "AuthorizationFailure")
        over = SasCredential("sp=r&sig=x", NOW)
        assert is_expired(refused, over)
        assert not is_expired(refused, SAS)
        assert not is_expired(answer(403, "AuthorizationPermissionMismatch"), over)
        assert not is_expired(answer(404, "BlobNotFound"), over)

    def test_a_token_refused_without_a_word_is_asked_for_once_more(self) -> None:
        wordless = read_answer(401, {"x-ms-error-code": "InvalidAuthenticationInfo"}, b"")
        assert is_expired(wordless, TOKEN)
        assert not is_expired(wordless, KEY)
        assert not is_expired(answer(401, "InvalidAuthenticationInfo", "Issuer ..."), TOKEN)

    def test_a_signature_of_another_time_is_signed_again(self) -> None:
        refused = answer(403, "AuthenticationFailed", "Request date header too old", IN_VAIN)
        assert is_misdated(refused, KEY, timedelta(minutes=20))
        assert is_misdated(refused, KEY, -timedelta(minutes=20))
        assert not is_misdated(refused, KEY, timedelta(minutes=4))
        assert not is_misdated(refused, SAS, timedelta(hours=1))


class TestAdvice:
    def test_a_wrong_key(self) -> None:
        error = error_of(answer(403, "AuthenticationFailed", "The MAC signature ...", IN_VAIN))
        assert type(error) is UnauthenticatedError
        assert "'a/b' in az://flowers1/box/set" in str(error)
        assert "keys list --account-name flowers1" in str(error)

    def test_a_wrong_tenant_is_told_the_right_one(self) -> None:
        challenge = "Bearer authorization_uri=https://login.microsoftonline.com/72f9/oauth2/x"
        detail = "Issuer validation failed. Issuer did not match."
        refused = answer(401, "InvalidAuthenticationInfo", detail, www_authenticate=challenge)
        assert "az login --tenant 72f9" in str(error_of(refused, TOKEN))

    def test_a_wrong_audience(self) -> None:
        detail = "Audience validation failed. Audience did not match."
        refused = answer(401, "InvalidAuthenticationInfo", detail)
        assert "https://storage.azure.com/.default" in str(error_of(refused, TOKEN))

    @pytest.mark.parametrize(
        ("verb", "role"), [("read", "Data Reader"), ("list", "Reader"), ("create", "Contributor")]
    )
    def test_a_missing_role_is_named(self, verb: str, role: str) -> None:
        error = error_of(answer(403, "AuthorizationPermissionMismatch"), TOKEN, verb)
        assert isinstance(error, PermissionDeniedError)
        assert role in str(error)

    def test_a_signature_without_the_permission_says_what_it_allows(self) -> None:
        refused = answer(403, "AuthorizationPermissionMismatch")
        text = str(error_of(refused, SAS, "create", "cw"))
        assert "allows only 'rl' (read, list)" in text
        assert "one of 'cw' (create, write)" in text

    def test_an_account_that_takes_no_keys(self) -> None:
        error = error_of(answer(403, "KeyBasedAuthenticationNotPermitted"))
        assert isinstance(error, PermissionDeniedError)
        assert "az login" in str(error)

    def test_a_missing_container_is_told_from_a_missing_object(self) -> None:
        missing = error_of(answer(404, "ContainerNotFound"))
        assert isinstance(missing, NotFoundError)
        assert "az storage container create --account-name flowers1 --name box" in str(missing)
        assert isinstance(error_of(answer(404, "BlobNotFound")), NotFoundError)

    def test_a_listing_of_what_is_no_container(self) -> None:
        error = error_of(answer(404, "BlobNotFound"), verb="list", needs="l")
        assert "endpoint_url ends with the account" in str(error)

    def test_a_private_container_refuses_who_gave_nothing(self) -> None:
        hidden = answer(404, "ResourceNotFound")
        assert isinstance(error_of(hidden, AnonymousCredential()), PermissionDeniedError)
        assert isinstance(error_of(hidden, KEY), NotFoundError)
        closed = answer(409, "PublicAccessNotPermitted")
        assert isinstance(error_of(closed, AnonymousCredential()), PermissionDeniedError)
        unknown = answer(401, "NoAuthenticationInformation")
        assert isinstance(error_of(unknown, AnonymousCredential()), UnauthenticatedError)

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (503, "ServerBusy", ThrottledError),
            (503, "", ThrottledError),
            (429, "TooManyRequests", ThrottledError),
            (500, "InternalError", TransientStoreError),
            (500, "OperationTimedOut", TransientStoreError),
            (502, "", TransientStoreError),
            (504, "", TransientStoreError),
            (408, "", TransientStoreError),
            (400, "Md5Mismatch", TransientStoreError),
            (409, "ContainerBeingDeleted", TransientStoreError),
            (409, "SomethingNew", TransientStoreError),
            (400, "InvalidResourceName", InvalidInputError),
            (400, "InvalidHeaderValue", StoreError),
            (302, "", StoreError),
            (401, "", UnauthenticatedError),
            (403, "", PermissionDeniedError),
            (404, "", NotFoundError),
            (409, "SnapshotsPresent", StoreError),
            (409, "BlobImmutableDueToPolicy", PermissionDeniedError),
            (412, "LeaseIdMissing", StoreError),
        ],
    )
    @pytest.mark.parametrize("credential", ALL, ids=lambda each: type(each).__name__)
    def test_kinds(
        self, status: int, code: str, kind: type[AiolakeError], credential: Credential
    ) -> None:
        assert type(error_of(answer(status, code), credential)) is kind

    def test_a_throttle_carries_its_pause(self) -> None:
        assert error_of(answer(503, "ServerBusy", retry_after="3")).retry_after_s == 3


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (409, "BlobAlreadyExists", CreateOutcome.EXISTS),
        (412, "ConditionNotMet", CreateOutcome.EXISTS),
        (412, "", CreateOutcome.EXISTS),
        (412, "LeaseIdMissing", CreateOutcome.EXISTS),
        (409, "BlobImmutableDueToPolicy", CreateOutcome.EXISTS),
        (409, "ContainerBeingDeleted", None),
        (409, "", None),
    ],
)
def test_what_a_create_learns_of_a_conflict(
    status: int, code: str, outcome: CreateOutcome | None
) -> None:
    assert created(answer(status, code)) is outcome
