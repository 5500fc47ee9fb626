"""Commands that print a credential: run without a shell, and not left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from aiolake._aio import finish
from aiolake.errors import UnauthenticatedError

__all__ = ["Command", "Output", "output_of"]

_START = timedelta(seconds=10)
_END = timedelta(seconds=5)
_MOST_NBYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run.

    Attributes:
        argv: Its name and arguments, which may hold secrets.
        env: Its environment.
        timeout_s: How long it may take.
        what: In words, with its name alone.
    """

    argv: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    timeout_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a command ended with, and printed; at most 1 MiB of it.

    Attributes:
        status: 0 for success; of one that a signal ended, below 0.
        data: Its standard output, which may be a secret.
    """

    status: int
    data: bytes = field(repr=False)


async def output_of(command: Command) -> Output:
    """Run a command to its end; it reads nothing, and what it says on standard error is dropped,
    for that may hold secrets too.

    Raises:
        UnauthenticatedError: It cannot be run, or did not end in its time.

    Cancellation: it is killed, with all that it started in its session, and waited for.
    """
    try:
        async with _running(command) as run:
            async with asyncio.timeout(command.timeout_s):
                await run.ended.wait()
            return Output(run.status, bytes(run.data))
    except TimeoutError as error:
        raise UnauthenticatedError(
            f"{command.what} did not end within {command.timeout_s:g} s, and was killed"
        ) from error
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        raise UnauthenticatedError(
            f"{command.what} cannot be run: {words}; is its path whole, and is it executable?"
        ) from error


class _Run(asyncio.SubprocessProtocol):
    """What a command prints, up to a bound, and whether it has ended and said all."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = asyncio.Event()
        self.transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.data += data[: _MOST_NBYTES - len(self.data)]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    @property
    def status(self) -> int:
        assert self.transport is not None
        return self.transport.get_returncode() or 0

    async def end(self) -> None:
        """Kill what still runs, with all that it started, and wait for its end."""
        if self.transport is None:
            return
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.transport.get_pid(), signal.SIGKILL)
        self.transport.close()
        await self.ended.wait()


@contextlib.asynccontextmanager
async def _running(command: Command) -> AsyncIterator[_Run]:
    run = _Run()
    try:
        # A start that is cancelled half way would leave a child that nobody knows.
        await finish(_start(command, run), _START)
        yield run
    finally:
        await finish(run.end(), _END)


async def _start(command: Command, run: _Run) -> None:
    await asyncio.get_running_loop().subprocess_exec(
        lambda: run,
        *command.argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(command.env),
        start_new_session=True,
    )
