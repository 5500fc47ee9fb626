"""What doctor says of credentials and clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aiolake.cli.doctor.access import clock_finding, credential_finding
from aiolake.cli.doctor.findings import Verdict
from aiolake.credentials.lease import CredentialState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def state(expires_at: datetime | None, last_error: str | None = None) -> CredentialState:
    return CredentialState(
        source="profile 'dev'",
        kind="AwsCredential",
        expires_at=expires_at,
        renewed_at=NOW - timedelta(minutes=5),
        n_renewals=1,
        n_failures=0 if last_error is None else 1,
        last_error=last_error,
    )


def test_a_credential_says_where_from_and_until_when() -> None:
    found = credential_finding(state(NOW + timedelta(minutes=30)), NOW)
    assert found.verdict is Verdict.OK
    assert found.detail == (
        "AwsCredential of profile 'dev'; good until 2026-11-25 12:30:00Z (30 min), got 11:55:00Z"
    )
    past = credential_finding(state(NOW - timedelta(minutes=30)), NOW)
    assert "ended 2026-11-25 11:30:00Z (30 min ago)" in past.detail
    assert "lasts" in credential_finding(state(None), NOW).detail


def test_a_renewal_that_failed_is_noted() -> None:
    found = credential_finding(state(NOW + timedelta(minutes=30), "no answer"), NOW)
    assert found.verdict is Verdict.NOTE
    assert found.advice == "renewing it failed: no answer"


@pytest.mark.parametrize(("skew_s", "words"), [(300.0, "300 s behind"), (-90.0, "90 s ahead")])
def test_a_clock_that_is_wrong_is_noted(skew_s: float, words: str) -> None:
    found = clock_finding(skew_s)
    assert found is not None
    assert words in found.detail
    assert clock_finding(skew_s / 100) is None
