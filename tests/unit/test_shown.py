"""Numbers and tables as people read them."""

from __future__ import annotations

from aiolake.shown import table


def test_a_plain_table_is_aligned() -> None:
    lines = table(("name", "n"), [("a", "1"), ("long name", "1,000")], right=("n",)).splitlines()
    assert lines == ["name           n", "a              1", "long name  1,000"]


def test_a_plain_table_without_rows_is_its_header() -> None:
    assert table(("a", "bb"), []) == "a  bb"
