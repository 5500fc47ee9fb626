"""Numbers and tables as people read them in a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count", "size", "table"]


def count(n: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``6,000 rows``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def size(nbytes: float) -> str:
    """A number of bytes in decimal units: ``512 B``, ``1.2 kB``, ``38.4 MB``."""
    if nbytes < 1000:
        return f"{nbytes:.0f} B"
    value = float(nbytes)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} PB"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Rows under a header, two spaces apart; those named in ``right`` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if name in right else text.ljust(width)
            for text, width, name in zip(row, widths, header, strict=True)
        ).rstrip()
        for row in (header, *rows)
    )
