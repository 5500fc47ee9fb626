"""Server processes: started on a free port, waited for, ended, and never left behind."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

__all__ = ["LOCALHOST", "Running", "ServerFailedError", "free_port", "run", "serving"]

LOCALHOST = "127.0.0.1"
_LEASH = Path(__file__).with_name("leash.py")
_PORTS = range(20_000, 32_000)
"""Below those the kernel gives to outgoing connections, one of which could take ours."""
_ATTEMPTS = 3
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 15.0
_LOOK_EVERY_S = 0.03
_TAIL_NBYTES = 4000


class ServerFailedError(Exception):
    """A server did not start, or ended too early; the message ends with what it printed."""


class Running:
    """A process on its leash.

    Args:
        name: For messages.
        command: Its arguments.
        log: Where its output goes.
        variables: Added to the environment.
        directory: Where it runs.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        variables: Mapping[str, str],
        directory: Path,
    ) -> None:
        self._name = name
        self._log = log
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LEASH), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=_environment(variables),
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = _START_TIMEOUT_S) -> None:
        """Ask again and again.

        Raises:
            ServerFailedError: It ended, or was not ready in time.
        """
        until = time.monotonic() + timeout_s
        while not _answers(ready):
            if self.ended:
                raise self.failure(f"ended with {self._process.returncode} while it started")
            if time.monotonic() > until:
                raise self.failure(f"did not answer within {timeout_s:g} s")
            time.sleep(_LOOK_EVERY_S)
        if self.ended:
            raise self.failure("ended; another server answers at its port")

    def stop(self) -> None:
        """End it, by force if it must be."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # The server dies with its leash.
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def failure(self, what: str) -> ServerFailedError:
        """An error that says what happened and what it printed last."""
        tail = self._log.read_bytes()[-_TAIL_NBYTES:].decode(errors="replace").strip()
        return ServerFailedError(f"{self._name} {what}. It printed:\n{tail or '(nothing)'}")


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            # As servers do, or a port they could have would look taken for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOCALHOST, port))
            except OSError:
                continue
            return port


@contextmanager
def run(
    name: str,
    command: Sequence[str],
    ready: Callable[[], bool],
    *,
    variables: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Iterator[Running]:
    """A process that is ready, ended with the block.

    Args:
        name: For messages.
        command: Its arguments.
        ready: Whether it serves already; may fail with ``OSError`` while it does not.
        variables: Added to the environment.
        directory: Where it runs; a temporary one unless given.

    Raises:
        ServerFailedError: It did not start, or ended before the block did.
    """
    with tempfile.TemporaryDirectory(prefix=f"aiolake-{name}-") as scratch:
        log = Path(scratch, "log.txt")
        where = directory or Path(scratch)
        process = Running(name, command, log, variables=variables or {}, directory=where)
        try:
            process.wait_until(ready)
            yield process
            if process.ended:
                raise process.failure("ended before it was told to")
        finally:
            process.stop()


@contextmanager
def serving(
    name: str,
    command: Callable[[int], Sequence[str]],
    ready: Callable[[int], bool],
    *,
    variables: Callable[[int], Mapping[str, str]] = lambda port: {},
) -> Iterator[int]:
    """As ``run``, on a free port, which it gives; on another one if that was taken meanwhile."""
    with ExitStack() as stack:
        port = _entered(stack, name, command, ready, variables)
        yield port


def _entered(
    stack: ExitStack,
    name: str,
    command: Callable[[int], Sequence[str]],
    ready: Callable[[int], bool],
    variables: Callable[[int], Mapping[str, str]],
) -> int:
    for left in reversed(range(_ATTEMPTS)):
        port = free_port()
        answers = partial(ready, port)
        try:
            stack.enter_context(run(name, command(port), answers, variables=variables(port)))
        except ServerFailedError:
            if not left:
                raise
        else:
            return port
    raise AssertionError("the last attempt returns or raises")


def _answers(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a server sees: nothing of the tests' Python, and none of the user's keys or proxies."""
    kept = {name: value for name, value in os.environ.items() if _harmless(name)}
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


def _harmless(name: str) -> bool:
    return not name.startswith(("PYTHON", "AWS_", "AZURE_", "GOOGLE_", "COV_")) and not (
        name.lower().endswith("_proxy")
    )
