"""Credential files of Google's, and others that users take for one."""

from __future__ import annotations

from typing import Any

import pytest

from aiolake.credentials.google_json import read
from aiolake.errors import InvalidInputError


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ([], "it holds a list"),
        ("text", "it holds a text"),
        (None, "it holds null"),
        ({}, "it holds nothing"),
        ({"installed": {"client_id": "c"}}, "an OAuth client's file"),
        ({"web": {"client_id": "c"}}, "'desktop app'"),
        ({"project_info": {}}, "Firebase"),
        ({"aws_access_key_id": "a", "aws_secret_access_key": "hush"}, "keys of AWS"),
        ({"account_key": "hush"}, "keys of Azure"),
        ({"colour": "red"}, "it holds 'colour'"),
        ({"refresh_token": "hush"}, "a saved log-in"),
    ],
)
def test_what_is_no_service_account_is_called_what_it_seems(info: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=r"key\.json is no service-account JSON") as refused:
        read(info, "key.json")
    assert words in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_file_that_has_what_it_needs_is_taken() -> None:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "hush"}
    found = read({**info, "refresh_token": "hush"}, "adc.json")
    assert found.kind == "authorized_user"
    assert "hush" not in repr(found)
