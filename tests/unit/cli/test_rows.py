"""Texts that mean rows."""

from __future__ import annotations

import pytest

from aiolake import InvalidInputError
from aiolake.cli.rows import parse_rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0:20", slice(0, 20)),
        (":", slice(None)),
        ("-5:", slice(-5, None)),
        ("::-1", slice(None, None, -1)),
        ("1:9:2", slice(1, 9, 2)),
        ("7", [7]),
        ("3,1,-4", [3, 1, -4]),
        (" 3, 1", [3, 1]),
    ],
)
def test_rows(text: str, rows: slice | list[int]) -> None:
    assert parse_rows(text) == rows


@pytest.mark.parametrize("text", ["", ",", "a", "1:b", "1:2:0", "::::", "1.0", "1;2"])
def test_no_rows(text: str) -> None:
    with pytest.raises(InvalidInputError, match="names no rows"):
        parse_rows(text)
