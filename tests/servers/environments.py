"""Environments of the servers: each is built once into a cache directory, from pinned versions.

``AIOLAKE_SERVERS_DIR`` names the directory; without it ``aiolake/servers`` in the user's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BuildFailedError",
    "Environment",
    "UnavailableError",
    "called",
    "make_venv",
    "pip_command",
    "prepare",
    "python_environment",
    "ready",
]

_BUILD_TIMEOUT_S = 900
_TAIL_NCHARS = 4000
PIP_OPTIONS = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile")
_PIP_PROBE = "iniconfig"
"""A package of a few kilobytes, to see whether there is an index at all."""
_BENDING = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_CONSTRAINT")
"""Variables that would make pip or Python put or find things elsewhere."""


class BuildFailedError(Exception):
    """An environment could not be built, although there is an index to build it from."""


class UnavailableError(Exception):
    """A server cannot be had on this machine: no package index, or no binary for it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a server needs on disk.

    Attributes:
        name: Begins the name of its directory.
        pins: What is in it, to the version; another list is another directory.
        build: Fills a directory, which is renamed afterwards: nothing may hold its path.
        has_index: Whether what it is built from can be reached.
    """

    name: str
    pins: tuple[str, ...]
    build: Callable[[Path], None]
    has_index: Callable[[], bool]

    @property
    def home(self) -> Path:
        """Where it is, or will be."""
        facts = (*self.pins, sys.version, sys.base_prefix, platform.machine())
        digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
        return _cache() / f"{self.name}-{digest}"


def python_environment(name: str, *pins: str) -> Environment:
    """A virtual environment with these packages and what they need."""

    def build(where: Path) -> None:
        make_venv(where)
        called([*pip_command(where), "install", *PIP_OPTIONS, *pins])

    return Environment(name, pins, build, has_pip_index)


def ready(environment: Environment) -> Path:
    """The environment's directory, built if need be, by one process at a time.

    Raises:
        BuildFailedError: It could not be built.
        UnavailableError: It could not, for want of an index.
    """
    with _locked(environment, fcntl.LOCK_EX):
        return _built(environment)


def prepare(environments: Iterable[Environment]) -> None:
    """Build what is missing; what another process is building comes last, so that both work.

    A failure is left for who needs the environment: ``ready`` tries again and raises.
    """
    busy: list[Environment] = []
    for environment in environments:
        try:
            with _locked(environment, fcntl.LOCK_EX | fcntl.LOCK_NB):
                _tried(environment)
        except BlockingIOError:
            busy.append(environment)
    for environment in busy:
        with _locked(environment, fcntl.LOCK_EX):
            _tried(environment)


def _tried(environment: Environment) -> None:
    try:
        _built(environment)
    except (BuildFailedError, UnavailableError) as error:
        _failures[environment.home] = error


_failures: dict[Path, BuildFailedError | UnavailableError] = {}
"""What went wrong in this process, so that every test of a server does not try again."""


def _built(environment: Environment) -> Path:
    home = environment.home
    if home in _failures:
        raise _failures[home]
    if home.exists():
        return home
    half = home.with_name(f"{home.name}.half")
    shutil.rmtree(half, ignore_errors=True)  # of a process that was killed
    try:
        environment.build(half)
    except (OSError, subprocess.SubprocessError) as error:
        raise _explained(environment, error) from error
    half.rename(home)
    return home


def _explained(environment: Environment, error: Exception) -> BuildFailedError | UnavailableError:
    said = getattr(error, "stdout", None) or str(error)
    if environment.has_index():
        return BuildFailedError(
            f"{environment.name} ({', '.join(environment.pins)}) could not be built in "
            f"{environment.home}:\n{said[-_TAIL_NCHARS:]}"
        )
    return UnavailableError(
        f"{environment.name} is not in {_cache()}, and this machine reaches no index to install "
        f"{', '.join(environment.pins)} from. Run once where it does, or set AIOLAKE_SERVERS_DIR"
    )


@contextmanager
def _locked(environment: Environment, how: int) -> Iterator[None]:
    home = environment.home
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_name(f"{home.name}.lock"), "a") as file:
        fcntl.flock(file, how)
        yield


def _cache() -> Path:
    named = os.environ.get("AIOLAKE_SERVERS_DIR")
    if named:
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "aiolake" / "servers"


def make_venv(where: Path) -> None:
    """A virtual environment, without pip if the tests' own pip can fill it: that saves seconds."""
    without = [] if importlib.util.find_spec("pip") is None else ["--without-pip"]
    called([sys.executable, "-m", "venv", *without, str(where)])


def pip_command(where: Path) -> list[str]:
    """What runs pip for a virtual environment."""
    python = str(where / "bin" / "python")
    if importlib.util.find_spec("pip") is None:
        return [python, "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", python]


def called(command: Sequence[str], *, timeout_s: float = _BUILD_TIMEOUT_S) -> str:
    """Run a command; what it printed.

    Raises:
        OSError, subprocess.SubprocessError: It failed.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if name not in _BENDING},
        timeout=timeout_s,
        check=True,
        text=True,
        errors="replace",
    ).stdout


def has_pip_index() -> bool:
    """Whether pip finds an index."""
    with tempfile.TemporaryDirectory() as scratch:
        # An environment of its own: a package that is installed already would be found there.
        where = Path(scratch, "venv")
        try:
            make_venv(where)
            options = ("--no-deps", "--no-cache-dir", "--retries", "1", "--timeout", "15")
            called([*pip_command(where), "download", *options, "--dest", scratch, _PIP_PROBE])
        except (OSError, subprocess.SubprocessError):
            return False
    return True
