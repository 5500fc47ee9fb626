"""What the clouds' own libraries log."""

from __future__ import annotations

import functools
import logging

__all__ = ["keep_off_the_screen"]


@functools.cache
def keep_off_the_screen(library: str) -> None:
    """Let what a library logs go to the handlers that somebody has set up, and nowhere else.

    Without any, Python writes warnings and their tracebacks to standard error; what failed is told
    by the error that is raised.
    """
    logging.getLogger(library).addHandler(logging.NullHandler())
