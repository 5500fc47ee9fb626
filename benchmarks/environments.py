"""A virtual environment for each peer, so that no peer's dependencies bend another's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.meters import pss_bytes
from benchmarks.peers import PEERS, PeerSpec

__all__ = ["Environments", "ModuleFailedError"]

_ROOT = Path(__file__).resolve().parent.parent
_MARK = "benchmark-requirements.txt"
_TREE = "."
_LOOK_EVERY_S = 0.1
_IMPORT_TIMEOUT_S = 300.0
_VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "HF_HUB_OFFLINE": "1",  # MosaicML imports transformers, which need not ask for updates
    "TOKENIZERS_PARALLELISM": "false",
}


class ModuleFailedError(Exception):
    """A module run in a peer's environment failed; the message ends with what it printed."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments in a cache directory.

    Attributes:
        cache: One directory per environment.
        scratch: Home of the processes, and where they find this package, but not the tree's
            ``aiolake``.
    """

    cache: Path
    scratch: Path

    def prepare(self, peers: Iterable[str]) -> dict[str, str]:
        """Install what is missing and the tree's own wheel anew; import each peer once.

        The first import compiles modules, and some peers ask then whether there is a newer one.

        Returns:
            Peers that cannot be had, and why.
        """
        (self.scratch / "home").mkdir(parents=True, exist_ok=True)
        link = self.scratch / "benchmarks"
        link.unlink(missing_ok=True)
        link.symlink_to(_ROOT / "benchmarks")
        return dict(filter(None, map(self._prepared, peers)))

    def run(self, environment: str, module: str, arguments: Sequence[str], timeout_s: float) -> int:
        """Run a module of this package.

        Returns:
            Most memory it was seen to hold, its children included: PSS, in bytes.

        Raises:
            ModuleFailedError: It failed, or took too long and was ended with its children.
        """
        command = [str(self.cache / environment / "bin/python"), "-m", module, *arguments]
        said = self.scratch / "said.txt"
        with open(said, "wb") as file, _process(command, self.scratch, file.fileno()) as process:
            peak = _watched(process, time.monotonic() + timeout_s)
        if process.returncode:
            words = said.read_text(errors="replace")[-2000:].strip()
            reason = words or f"it ended with {process.returncode}"
            raise ModuleFailedError(reason)
        return peak

    def _prepared(self, peer: str) -> tuple[str, str] | None:
        spec = PEERS[peer]
        job = json.dumps({"workload": "import", "peer": peer, "kind": "pictures"})
        try:
            self._install(spec)
            self.run(spec.environment, "benchmarks.worker", [job], _IMPORT_TIMEOUT_S)
        except (subprocess.CalledProcessError, ModuleFailedError) as error:
            return peer, f"cannot be installed or imported: {error}"
        return None

    def _install(self, spec: PeerSpec) -> None:
        directory = self.cache / spec.environment
        if not (directory / "bin/python").exists():
            venv.create(directory, with_pip=True)
        wanted = "\n".join(map(" ".join, spec.requirements))
        mark = directory / _MARK
        of_tree = any(_TREE in group for group in spec.requirements)
        if of_tree or not mark.exists() or mark.read_text() != wanted:
            for group in spec.requirements:
                _pip(directory, group)
        if of_tree:
            # Same version, new code: without this the last run's code could be measured.
            _pip(directory, ("--no-deps", "--force-reinstall", _TREE))
        mark.write_text(wanted)


@contextmanager
def _process(
    command: Sequence[str], directory: Path, said: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is ended if it is still there at the end."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**kept, **_VARIABLES, "HOME": str(directory / "home")},
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _watched(process: subprocess.Popen[bytes], until: float) -> int:
    peak = 0
    while True:
        try:
            process.wait(_LOOK_EVERY_S)
            return peak
        except subprocess.TimeoutExpired:
            peak = max(peak, pss_bytes(process.pid))
        if time.monotonic() > until:
            raise ModuleFailedError("it took too long and was ended")


def _pip(directory: Path, arguments: Sequence[str]) -> None:
    command = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", *arguments]
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    subprocess.run(command, cwd=_ROOT, env=variables, check=True, stdout=sys.stderr)
