from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.credentials.azure_sas import (
    parse_sas,
    permissions_in_words,
    sas_credential,
    sas_field,
)
from aiolake.errors import InvalidInputError

SIGNATURES = st.binary(min_size=32, max_size=32)


@given(SIGNATURES, st.booleans(), st.sampled_from(["", "?"]))
def test_a_signature_is_encoded_once_however_it_was_pasted(
    raw: bytes, encoded: bool, start: str
) -> None:
    text = base64.b64encode(raw).decode()
    pasted = f"{start}sv=2021-12-02&sp=r&sig={quote(text, safe='') if encoded else text}"
    credential = sas_credential(pasted)
    assert credential.sas_token == f"sv=2021-12-02&sp=r&sig={quote(text, safe='')}"
    assert sas_credential(credential.sas_token) == credential
    assert parse_sas(credential.sas_token)["sig"] == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T10:00:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T10%3A00%3A00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T10:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T12:00:00%2B02:00", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T10:00:00.1234567Z", datetime(2026, 11, 25, 10, 0, 0, 123456, tzinfo=UTC)),
        ("soon", None),
    ],
)
def test_its_end_is_read(text: str, expected: datetime | None) -> None:
    assert sas_credential(f"se={text}&sig=x").expires_at == expected


def test_an_end_that_is_known_better_wins() -> None:
    end = datetime(2026, 1, 1, tzinfo=UTC)
    assert sas_credential("se=2027-01-01&sig=x", end).expires_at == end
    assert sas_credential("si=policy&sig=x").expires_at is None


def test_what_it_allows() -> None:
    credential = sas_credential("?sp=racwdl&sr=c&sig=x")
    assert sas_field(credential, "sp") == "racwdl"
    assert sas_field(credential, "se") == ""
    assert permissions_in_words("rlx") == "'rlx' (read, list, x)"


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("https://a.blob.core.windows.net/c?sp=r&sig=hidden", "only what follows its '\\?'"),
        ("sv=2021&sp=r", "holds no 'sig='"),
        ("hidden", "holds no 'sig='"),
        ("", "holds no 'sig='"),
    ],
)
def test_what_is_no_signature_is_refused_without_showing_it(token: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        sas_credential(token)
    assert "hidden" not in str(caught.value)
