"""What counts as a secret in ``creds=``."""

from __future__ import annotations

from typing import Any

import pytest

from aiolake.credentials.secrets import has_secret
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    AwsCredential,
    BearerCredential,
    SasCredential,
)

SECRET: list[Any] = [
    {"aws_access_key_id": "a", "aws_secret_access_key": "b"},
    {"AWS_SECRET_ACCESS_KEY": "b"},
    {"account_key": "x"},
    {"AZURE_STORAGE_KEY": "x", "account_key": "x"},
    {"connection_string": "x"},
    {"token": "x"},
    {"headers": {"Cookie": "x"}},
    {"query": "sig=x"},
    {"type": "service_account", "private_key": "x"},
    {"credentials": {"private_key": "x"}},
    {"team": {"sas_token": "x"}},
    AwsCredential("a", "b"),
    BearerCredential("a"),
    AccountKeyCredential("a", "b"),
    SasCredential("a"),
    {"team": BearerCredential("a")},
]
PLAIN: list[Any] = [
    None,
    "ENV",
    "anonymous",
    "~/key.json",
    {},
    {"profile_name": "dev", "endpoint_url": "http://x", "region": "y"},
    {"token": None, "role_arn": "arn:x"},
    {"verify": False},
    AnonymousCredential(),
    lambda: None,
]


@pytest.mark.parametrize("creds", SECRET)
def test_values_that_open_something(creds: Any) -> None:
    assert has_secret(creds)


@pytest.mark.parametrize("creds", PLAIN)
def test_what_says_where_they_are(creds: Any) -> None:
    assert not has_secret(creds)
