"""How long a text like ``2h`` or ``1d12h`` is. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from aiolake.errors import InvalidInputError

__all__ = ["parse_duration"]

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """The duration that is meant.

    Raises:
        InvalidInputError: It is not of this form, or longer than a ``timedelta``.
    """
    parts = _PART.findall(text)
    try:
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum((timedelta(**{_UNITS[u]: int(n)}) for n, u in parts), timedelta())
    except OverflowError:
        pass
    raise InvalidInputError(f"{text!r} is no duration; write 2h, 7d, 1d12h or 0s")
