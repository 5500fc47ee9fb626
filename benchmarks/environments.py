"""A virtual environment for each peer, so that no peer's dependencies bend another's."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import PEERS, PeerSpec

__all__ = ["Environments", "ModuleFailedError"]

_ROOT = Path(__file__).resolve().parent.parent
_MARK = "benchmark-requirements.txt"
_TREE = "."


class ModuleFailedError(Exception):
    """A module run in a peer's environment failed; the message ends with what it printed."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments in a cache directory.

    Attributes:
        cache: One directory per environment.
        scratch: An empty directory: home of the processes, and where they find this package,
            but not the tree's ``aiolake``.
    """

    cache: Path
    scratch: Path

    def prepare(self, peers: Iterable[str]) -> None:
        """Install what is missing, and the tree's own wheel anew."""
        (self.scratch / "home").mkdir()
        (self.scratch / "benchmarks").symlink_to(_ROOT / "benchmarks")
        for spec in {PEERS[peer].environment: PEERS[peer] for peer in peers}.values():
            self._install(spec)

    def run(
        self, environment: str, module: str, arguments: Sequence[str], timeout_s: float
    ) -> None:
        """Run a module of this package.

        Raises:
            ModuleFailedError: It failed, or took too long.
        """
        command = [str(self.cache / environment / "bin/python"), "-m", module, *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.scratch,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise ModuleFailedError(f"{module} {arguments} took over {timeout_s} s") from error
        if done.returncode:
            raise ModuleFailedError(f"{module} {arguments} failed:\n{done.stderr[-2000:]}")

    def _variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return {**kept, "HOME": str(self.scratch / "home")}

    def _install(self, spec: PeerSpec) -> None:
        directory = self.cache / spec.environment
        if not (directory / "bin/python").exists():
            venv.create(directory, with_pip=True)
        wanted = "\n".join(spec.requirements)
        mark = directory / _MARK
        if spec.requirements and (not mark.exists() or mark.read_text() != wanted):
            _pip(directory, spec.requirements)
        if _TREE in spec.requirements:
            # Same version, new code: without this the last run's code would be measured.
            _pip(directory, ("--no-deps", "--force-reinstall", _TREE))
        mark.write_text(wanted)


def _pip(directory: Path, arguments: Sequence[str]) -> None:
    command = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", *arguments]
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    subprocess.run(command, cwd=_ROOT, env=variables, check=True, stdout=sys.stderr)
