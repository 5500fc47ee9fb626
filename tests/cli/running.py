"""Runs commands: in this process, or as the installed program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    stdout: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.stdout)


class Cli:
    """Calls ``main`` as the shell would."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Done:
        """Run one command."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        assert isinstance(exited.value.code, int)
        return Done(exited.value.code, out, err.decode())

    def ok(self, *arguments: object) -> Done:
        """Run one command that must succeed and complain of nothing."""
        done = self(*arguments)
        assert (done.code, done.err) == (0, "")
        return done


def program() -> list[str]:
    """The installed ``aiolake``."""
    return [str(Path(sys.executable).parent / "aiolake")]


def environment() -> dict[str, str]:
    """An environment in which the program finds the package that is tested."""
    return {**os.environ, "PYTHONPATH": str(Path(aiolake.__path__[0]).parent)}


def run_program(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed program to its end."""
    return subprocess.run(
        [*program(), *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
