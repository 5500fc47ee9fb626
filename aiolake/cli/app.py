"""The commands of ``aiolake``, and what runs them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter

import aiolake
from aiolake.cli.bench import bench
from aiolake.cli.cat import cat
from aiolake.cli.changes import diff, restore
from aiolake.cli.common import Common
from aiolake.cli.copy import cp
from aiolake.cli.create import create, rm
from aiolake.cli.demo.command import demo
from aiolake.cli.doctor.command import doctor
from aiolake.cli.exits import Exit
from aiolake.cli.ingest import ingest
from aiolake.cli.inspect import info, log, ls
from aiolake.cli.pictures import export_images
from aiolake.cli.refs import branch, merge, tag
from aiolake.cli.rewrite import expire, optimize
from aiolake.cli.sheet import show
from aiolake.cli.shells import completion
from aiolake.cli.stats import stats
from aiolake.cli.upkeep import gc, verify

__all__ = ["Command", "UsageError", "parse"]

app = App(
    name="aiolake",
    help="Datasets for AI on any object store. Begin with: aiolake demo",
    version=aiolake.__version__,
    default_parameter=Parameter(negative=()),
)
_SECTIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Begin": (demo, create, ingest),
    "Look": (info, stats, ls, cat, show, export_images, verify),
    "Versions": (log, diff, branch, tag, merge, restore),
    "Upkeep": (doctor, bench, optimize, expire, gc, cp, rm),
    "Shell": (completion,),
}
for number, (section, commands) in enumerate(_SECTIONS.items()):
    group = Group(section, sort_key=number)
    for command in commands:
        app.command(command, group=group)


class UsageError(Exception):
    """The command line makes no sense."""


class Command:
    """A command and its arguments, ready to run.

    Args:
        function: The command.
        bound: Its arguments.
    """

    def __init__(self, function: Callable[..., Any], bound: inspect.BoundArguments) -> None:
        self._function = function
        self._bound = bound

    @property
    def debug(self) -> bool:
        """Whether a traceback is wanted."""
        common = self._bound.arguments.get("common")
        return isinstance(common, Common) and common.debug

    def run(self) -> int:
        """Run it; returns the exit code."""
        result = self._function(*self._bound.args, **self._bound.kwargs)
        if inspect.iscoroutine(result):
            return int(asyncio.run(result))
        return Exit.OK


def parse(arguments: Sequence[str]) -> Command:
    """The command that a command line means.

    Raises:
        UsageError: It means none.
    """
    try:
        function, bound, *_ = app.parse_args(
            list(arguments), exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        words = ("aiolake", *(error.command_chain or ()), "--help")
        raise UsageError(f"{error}\nTry: {' '.join(words)}") from error
    return Command(function, bound)
