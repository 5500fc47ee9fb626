"""Values as people read them in a terminal, and as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from aiolake.errors import NotFoundError

__all__ = ["column_named", "json_value", "shown_value"]

_MAX_CHARS = 32


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


def column_named(columns: Sequence[T], name: str) -> T:
    """The one of some columns that has a name.

    Raises:
        NotFoundError: None has.
    """
    for column in columns:
        if column.name == name:
            return column
    shown = ", ".join(column.name for column in columns[:10])
    raise NotFoundError(f"there is no column {name!r}; columns are: {shown}", column=name)


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
