"""What a notebook shows of a handle: what is known without reading anything. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from aiolake.types import Column, summary

__all__ = ["described"]

_CELL = 'style="text-align: left; padding: 2px 16px 2px 0; vertical-align: top"'
_MAX_COLUMNS = 50


def described(title: str, facts: str, columns: Sequence[Column]) -> str:
    """A title, a line of facts and a table of the columns, as HTML."""
    rows = "".join(
        f"<tr><td {_CELL}><b>{escape(column.name)}</b></td>"
        f"<td {_CELL}>{escape(summary(column.type))}</td></tr>"
        for column in columns[:_MAX_COLUMNS]
    )
    more = len(columns) - _MAX_COLUMNS
    rest = f"<p>and {more:,} more columns</p>" if more > 0 else ""
    return (
        f"<div><p><b>{escape(title)}</b><br>{escape(facts)}</p><table>{rows}</table>{rest}"
        "<p>To see rows: <code>await aiolake.show(ds)</code></p></div>"
    )
