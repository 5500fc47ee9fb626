"""Which rows a text like ``0:20``, ``7`` or ``3,1,4`` means. Pure."""

from __future__ import annotations

from aiolake.errors import InvalidInputError

__all__ = ["parse_rows"]


def parse_rows(text: str) -> slice | list[int]:
    """The rows that are meant; negative numbers count from the end.

    Raises:
        InvalidInputError: It has none of these forms.
    """
    try:
        if ":" not in text:
            return [int(part) for part in text.split(",")]
        bounds = [int(part) if part.strip() else None for part in text.split(":")]
        if len(bounds) <= 3 and 0 not in bounds[2:]:
            return slice(*bounds)
    except ValueError:
        pass
    raise InvalidInputError(f"{text!r} names no rows; write 0:20, 7, -5: or 3,1,4")
