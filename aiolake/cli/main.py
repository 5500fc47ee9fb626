"""The program ``aiolake``: finds the command, runs it, and says in one paragraph what failed."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, Parameter

import aiolake
from aiolake.cli.cat import cat
from aiolake.cli.common import Common, Exit
from aiolake.cli.demo.command import demo
from aiolake.cli.inspect import info, log, ls
from aiolake.cli.show import printable
from aiolake.cli.upkeep import gc, verify
from aiolake.errors import AiolakeError

__all__ = ["main", "run"]

app = App(
    name="aiolake",
    help="Datasets for AI on any object store. Begin with: aiolake demo",
    version=aiolake.__version__,
    default_parameter=Parameter(negative=()),
)
for command in (demo, info, log, ls, cat, verify, gc):
    app.command(command)


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
        command, bound, *_ = app.parse_args(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _fail(f"{error}\nTry: aiolake --help", Exit.USAGE)
    return _guarded(lambda: _run(command, bound), debug=_is_debug(bound))


def _run(command: Callable[..., Any], bound: inspect.BoundArguments) -> int:
    result = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        return int(asyncio.run(result))
    return Exit.OK


def _is_debug(bound: inspect.BoundArguments) -> bool:
    common = bound.arguments.get("common")
    return isinstance(common, Common) and common.debug


def _guarded(work: Callable[[], int], *, debug: bool) -> int:
    try:
        return work()
    except KeyboardInterrupt:
        return _fail(
            "interrupted; what was committed stays, the rest is not visible", Exit.INTERRUPTED
        )
    except BrokenPipeError:
        # The interpreter would complain when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(_explained(_first(error)), Exit.FAILED)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explained(error: BaseException) -> str:
    if isinstance(error, AiolakeError | OSError):
        return str(error)
    name = type(error).__name__
    return f"unexpected {name}: {error}; --debug shows where, please report it"


def _fail(message: str, code: Exit) -> int:
    print(f"aiolake: {printable(message, keep=chr(10))}", file=sys.stderr, flush=True)
    return code
