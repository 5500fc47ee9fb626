"""Programs of Debian's packages, unpacked beside the system rather than installed into it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.servers.environments import Environment, called, ready
from tests.servers.processes import ServerFailedError

__all__ = ["Unpacked", "debian_environment", "unpacked"]

_TAIL_NCHARS = 4000
_WHAT_IT_TAKES = ("apt-get", "-qq", "install", "--simulate", "--no-install-recommends")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A tree of packages.

    Attributes:
        root: What would be ``/``.
    """

    root: Path

    def program(self, name: str) -> str:
        """The path of a program."""
        (found,) = self.root.glob(f"usr/*bin/{name}")
        return str(found)

    def folder(self, pattern: str) -> Path:
        """The folder of that pattern among those of libraries."""
        (found,) = self.root.glob(f"usr/lib/*-linux-gnu/{pattern}")
        return found

    @property
    def variables(self) -> Mapping[str, str]:
        """What its programs need in their environment to find its libraries."""
        folders = {str(library.parent) for library in self.root.rglob("lib*.so.*")}
        return {"LD_LIBRARY_PATH": os.pathsep.join(sorted(folders))}

    def call(self, name: str, *arguments: str) -> str:
        """Run a program to its end; what it printed.

        Raises:
            ServerFailedError: It failed; the message ends with what it printed.
        """
        given = [f"{name}={value}" for name, value in self.variables.items()]
        try:
            return called(["env", *given, self.program(name), *arguments])
        except subprocess.CalledProcessError as error:
            command = " ".join((name, *arguments))
            said = error.stdout[-_TAIL_NCHARS:]
            raise ServerFailedError(f"{command} ended with {error.returncode}:\n{said}") from error


def debian_environment(name: str, *packages: str) -> Environment:
    """These packages and what of their dependencies the system lacks, as its release has them.

    There is no pin: a release keeps one version of a package, and withdraws it when it is mended.
    """

    def build(where: Path) -> None:
        archives = where / "archives"
        archives.mkdir(parents=True)
        planned = called([*_WHAT_IT_TAKES, *packages])
        wanted = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
        # Those that are installed are unpacked as well: their files are looked for in the tree.
        called(["env", "-C", str(archives), "apt-get", "-qq", "download", *{*wanted, *packages}])
        for archive in archives.iterdir():
            called(["dpkg-deb", "--extract", str(archive), str(where / "root")])
            archive.unlink()

    def has_index() -> bool:
        try:
            called(["apt-cache", "show", *packages])
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    return Environment(name, (*_release(), *packages), build, has_index)


def unpacked(environment: Environment) -> Unpacked:
    """The tree, built if need be.

    Raises:
        BuildFailedError, UnavailableError: As ``ready`` does.
    """
    return Unpacked(ready(environment) / "root")


def _release() -> Iterator[str]:
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return
    yield f"{found.get('ID')} {found.get('VERSION_ID')}"
