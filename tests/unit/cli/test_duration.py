"""Texts that mean durations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aiolake import InvalidInputError
from aiolake.cli.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(minutes=1.5)),
        ("2h", timedelta(hours=2)),
        ("1d12h", timedelta(days=1.5)),
        ("1w2d3h4m5s", timedelta(9, 3 * 3600 + 4 * 60 + 5)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "1", "h", "-1h", "1.5h", "1 h", "1h ", "2x", "999999999w", "²h"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is no duration"):
        parse_duration(text)
