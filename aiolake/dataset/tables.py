"""Values as people read them in a terminal: tables, sizes, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["json_value", "shown_bytes", "shown_value", "table"]

_MAX_CHARS = 32


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Rows under a header, two spaces apart; those named in ``right`` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = (
        "  ".join(
            text.rjust(width) if name in right else text.ljust(width)
            for text, width, name in zip(row, widths, header, strict=True)
        ).rstrip()
        for row in (header, *rows)
    )
    return "\n".join(lines)


def shown_bytes(nbytes: float) -> str:
    """A number of bytes with its unit: ``18.2 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} TiB"


def shown_value(value: Any) -> str:
    """One value, short; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_CHARS else text[: _MAX_CHARS - 3] + "..."


def json_value(value: Any) -> Any:
    """A value as JSON can say it: times as ISO 8601, infinities as text."""
    if isinstance(value, np.timedelta64):
        return str(value)
    if isinstance(value, np.datetime64):
        return np.datetime_as_string(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
