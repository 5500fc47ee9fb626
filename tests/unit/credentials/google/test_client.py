"""The OAuth client of a user."""

from __future__ import annotations

from typing import Any

import pytest

from aiolake.credentials.google_login import client_of
from aiolake.errors import InvalidInputError

INNER = {"client_id": "id", "client_secret": "hush"}


@pytest.mark.parametrize("info", [{"installed": INNER}, INNER, {**INNER, "refresh_token": "r"}])
def test_a_desktop_clients_file_is_taken(info: Any) -> None:
    client = client_of(info, "c.json")
    assert (client.client_id, client.client_secret) == ("id", "hush")
    assert client.token_uri.startswith("https://oauth2.googleapis.com/")
    assert "hush" not in repr(client)


@pytest.mark.parametrize(
    "info", [{}, [], None, {"web": INNER}, {"installed": []}, {"installed": {"client_id": "id"}}]
)
def test_other_files_are_refused(info: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"c\.json is no OAuth client .* 'Desktop app'"):
        client_of(info, "c.json")
