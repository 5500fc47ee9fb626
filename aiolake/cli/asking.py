"""Asking a person before something is removed."""

from __future__ import annotations

import asyncio
import sys

from aiolake.cli.output import is_terminal
from aiolake.errors import InvalidInputError

__all__ = ["ask"]


async def ask(question: str, otherwise: str) -> None:
    """Go on if the user says yes.

    Args:
        question: What is asked.
        otherwise: What did not happen, if they say anything else.

    Raises:
        InvalidInputError: They did not, or nobody is there to ask.
    """
    if not is_terminal(sys.stdin):
        raise InvalidInputError(f"{otherwise}: nobody is there to ask; add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if (await _typed_line()).strip().lower() not in ("y", "yes"):
        raise InvalidInputError(otherwise)


async def _typed_line() -> str:
    """A line from the terminal; waiting on the loop, so that Ctrl-C is heard."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()
