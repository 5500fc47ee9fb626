"""What users write as ``creds=`` for Google Cloud Storage."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiolake.credentials.google_creds import (
    Anonymous,
    Browser,
    Cached,
    Default,
    Environment,
    Function,
    Key,
    KeyFile,
    Static,
    bearer_of,
    parse,
)
from aiolake.credentials.values import AnonymousCredential, BearerCredential
from aiolake.errors import InvalidInputError

PEM = "-----BEGIN PRIVATE KEY-----\nsecret-key\n-----END PRIVATE KEY-----\n"
ACCOUNT: dict[str, Any] = {
    "type": "service_account",
    "project_id": "pro",
    "client_email": "job@pro.iam.gserviceaccount.com",
    "private_key": PEM,
    "token_uri": "https://oauth2.googleapis.com/token",
}


def some_function() -> BearerCredential:
    return BearerCredential("t")


@pytest.mark.parametrize(
    ("creds", "source"),
    [
        (None, Default()),
        ("google_default", Default()),
        ("anonymous", Anonymous()),
        ("browser", Browser()),
        ("cache", Cached()),
        ("ENV", Environment()),
        (some_function, Function(some_function)),
        (BearerCredential("t"), Static(BearerCredential("t"))),
        (AnonymousCredential(), Anonymous()),
        ("/keys/job.json", KeyFile("/keys/job.json")),
        (Path("/keys/job"), KeyFile("/keys/job")),
        ({"gcs_oauth_token": "ya29.x"}, Static(BearerCredential("ya29.x"))),
        ({}, Default()),
        ({"endpoint_url": "http://h"}, Default()),
        ({"credentials": "anonymous", "endpoint_url": "http://h"}, Anonymous()),
        ({"credentials": {"gcs_oauth_token": "t"}}, Static(BearerCredential("t"))),
        ({"credentials": "browser", "client_secrets": "/c.json"}, Browser("/c.json")),
        ({"client_secrets": {"installed": {}}}, Browser({"installed": {}})),
    ],
)
def test_every_form_has_its_source(creds: Any, source: object) -> None:
    assert parse(creds).source == source


def test_a_path_is_of_the_users_home_or_of_where_he_is() -> None:
    assert parse("~/job.json").source == KeyFile(os.path.expanduser("~/job.json"))
    assert parse("job.json").source == KeyFile(os.path.abspath("job.json"))


def test_a_service_account_may_have_our_keys_beside_its_own() -> None:
    given = parse({**ACCOUNT, "endpoint_url": "http://h", "user_project": "p", "verify": "/ca"})
    assert isinstance(given.source, Key)
    assert given.source.json.info == ACCOUNT
    assert (given.endpoint_url, given.user_project, given.verify) == ("http://h", "p", "/ca")
    assert parse({**ACCOUNT, "verify": None}).verify is True


def test_a_token_may_say_when_it_ends() -> None:
    until = datetime(2030, 1, 1, tzinfo=UTC)
    expected = BearerCredential("t", until)
    assert parse({"gcs_oauth_token": "t", "expires_at": until}).source == Static(expected)
    assert bearer_of({"gcs_oauth_token": "t", "expires_at": until}) == expected


@pytest.mark.parametrize(
    ("creds", "words"),
    [
        ({"GCS_OAUTH_TOKEN": "s3cret"}, "'gcs_oauth_token'"),
        ({"gcs_oauth_tokn": "s3cret"}, "did you mean 'gcs_oauth_token'"),
        ({"endpoint": "http://h"}, "did you mean 'endpoint_url'"),
        ({"aws_access_key_id": "s3cret"}, "there are "),
        ({1: "s3cret"}, "keys of creds= are text"),
        ({"gcs_oauth_token": ""}, "empty"),
        ({"gcs_oauth_token": "s3cret\n"}, "without spaces"),
        ({"gcs_oauth_token": b"s3cret"}, "bytes"),
        ({"gcs_oauth_token": "s3cretключ"}, "ASCII"),
        ({"gcs_oauth_token": "s3cret", "expires_at": "2030"}, "aware datetime"),
        ({"gcs_oauth_token": "s3cret", "expires_at": datetime(2030, 1, 1)}, "aware datetime"),
        ({"gcs_oauth_token": "s3cret", "credentials": "browser"}, "give one"),
        ({"expires_at": datetime(2030, 1, 1, tzinfo=UTC)}, "without 'gcs_oauth_token'"),
        ({"endpoint_url": ""}, "'endpoint_url'"),
        ({"user_project": 3}, "'user_project'"),
        ({"verify": 3}, "'verify'"),
        ({"verify": ""}, "'verify'"),
        ({"credentials": "anonymous", "client_secrets": "/c"}, "'browser' alone"),
        ({"credentials": "browser", "client_secrets": 3}, "'client_secrets'"),
        ("anonymus", "is it 'anonymous'"),
        ("Browser", "is it 'browser'"),
        ("env", "is it 'ENV'"),
        ("google-default", "is it 'google_default'"),
        ("s3cret" * 9, "a text of 54 characters"),
        ("a-s3cret", "a text of 8 characters"),
        ("ya29.s3cret", "gcs_oauth_token"),
        ('{"type": "s3cret"}', "json.loads"),
        (3, "type int"),
        (["s3cret"], "type list"),
    ],
)
def test_what_means_nothing_is_refused_with_the_nearest(creds: Any, words: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(creds)
    assert words in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (("private_key",), "'private_key'"),
        (("client_email", "private_key"), "'client_email', 'private_key'"),
    ],
)
def test_what_a_service_account_lacks_is_named(lacking: tuple[str, ...], words: str) -> None:
    broken = {key: value for key, value in ACCOUNT.items() if key not in lacking}
    with pytest.raises(InvalidInputError, match=f"lacks {words}"):
        parse(broken)


@pytest.mark.parametrize(
    ("creds", "words"),
    [
        ({"type": "authorized_user", "client_id": "c"}, "lacks 'client_secret', 'refresh_token'"),
        ({"type": "gdch_service_account"}, "'gdch_service_account', which is not known"),
        ({"type": 3, "private_key": PEM}, "not known"),
        ({**ACCOUNT, "private_key": "secret-key"}, "no PEM key"),
        ({"private_key": PEM}, "'type', 'client_email' is missing"),
        (
            {"type": "impersonated_service_account", "service_account_impersonation_url": "u",
             "source_credentials": {"type": "service_account"}},
            "'source_credentials' of the dict in creds=",
        ),
    ],
)  # fmt: skip
def test_other_jsons_are_called_by_their_kind(creds: Any, words: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(creds)
    assert words in str(refused.value)
    assert "secret-key" not in str(refused.value)


def test_no_repr_shows_a_secret() -> None:
    shown = repr([parse(ACCOUNT), parse({"gcs_oauth_token": "secret-key"})])
    assert "secret-key" not in shown
