"""What a command tells the shell."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


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
