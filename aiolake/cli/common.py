"""What all commands share: their common options, and the exit codes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cyclopts import Parameter

__all__ = ["DEFAULTS", "Common", "Exit"]


class Exit(enum.IntEnum):
    """What a command tells the shell."""

    OK = 0
    FAILED = 1
    """Refused, failed, or found damage."""
    USAGE = 2
    """The command line itself makes no sense."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the number of SIGINT, as shells do."""
    PIPE_CLOSED = 141
    """The reader of our output went away: 128 and the number of SIGPIPE."""


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
