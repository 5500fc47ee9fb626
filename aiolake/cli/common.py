"""Options that all commands share."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

__all__ = ["DEFAULTS", "Common"]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """Options of every command.

    Attributes:
        json: Print one JSON document instead of text.
        debug: Show the traceback of an error.
    """

    json: bool = False
    debug: bool = False


DEFAULTS = Common()
