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
        creds: How to open a cloud: ENV, anonymous, browser, cache, google_default, profile:NAME,
            key=value of what is no secret, or the path of a JSON file.
    """

    json: bool = False
    debug: bool = False
    creds: str | None = None


DEFAULTS = Common()
