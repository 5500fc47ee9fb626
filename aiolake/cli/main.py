"""The program ``aiolake``: runs a command and says in one paragraph what failed.

What a command needs is imported when it runs, so that Ctrl-C is answered meanwhile too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from aiolake.cli.exits import Exit
from aiolake.cli.words import in_words_of_the_shell
from aiolake.errors import AiolakeError

__all__ = ["main", "run"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 a wrong command line.

    Args:
        arguments: Those of the process by default.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _fail(
            "interrupted; what was committed stays, nothing else is visible", Exit.INTERRUPTED
        )
    except BrokenPipeError:
        # The interpreter would complain when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED


def _run(arguments: Sequence[str]) -> int:
    from aiolake.cli.app import UsageError, parse

    try:
        command = parse(arguments)
    except UsageError as error:
        return _fail(str(error), Exit.USAGE)
    try:
        return command.run()
    except BrokenPipeError:
        raise
    except Exception as error:
        if command.debug:
            _print_traceback()
        return _fail(_explained(_first(error)), Exit.FAILED)


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explained(error: BaseException) -> str:
    if isinstance(error, AiolakeError):
        return in_words_of_the_shell(str(error))
    if isinstance(error, OSError):
        return str(error)
    name = type(error).__name__
    return f"unexpected {name}: {error}; --debug shows where, please report it"


def _fail(message: str, code: Exit) -> int:
    from aiolake.render.text import printable

    print(f"aiolake: {printable(message, keep=chr(10))}", file=sys.stderr, flush=True)
    return code
