"""Values as people read them in a terminal, and as JSON. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["json_value", "shown_value"]

_MAX_CHARS = 32


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
