"""A worker process that asks for a credential when it is told to, and says what it got.

``python -m tests.credentials.sharing KIND CACHE ARGUMENT``; its commands are lines of its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.lease import Lease
from aiolake.credentials.provider import Provider, digest
from aiolake.credentials.values import BearerCredential, Credential

__all__ = ["SHORT_S", "SPIN_S", "main"]

SHORT_S = 0.7
SPIN_S = 2.0


class Source:
    """Counts its renewals in a file that all processes append to."""

    identity = ("test", "shared by processes")
    source = "the test's source"

    def __init__(self, log: Path, life_s: float) -> None:
        self._log = log
        self._life = timedelta(seconds=life_s)

    async def fetch(self) -> Credential:
        await asyncio.sleep(0.05)
        return BearerCredential(str(self.count()), datetime.now(UTC) + self._life)

    def count(self) -> int:
        with self._log.open("a") as file:
            n = file.tell() // 2
            file.write("x\n")
        return n


class Stuck(Source):
    """Never gets an answer; ``forks`` first, as what starts other processes may."""

    def __init__(self, log: Path, *, forks: bool) -> None:
        super().__init__(log, 3600)
        self._forks = forks

    async def fetch(self) -> Credential:
        if self._forks:
            child = os.fork()
            if child == 0:
                signal.pause()  # until the test kills it
            self._log.with_suffix(".child").write_text(str(child))
        self.count()
        await asyncio.sleep(600)
        raise AssertionError("it was to be killed")


def _aws(_: str) -> Provider:
    from aiolake.credentials.aws import aws_provider
    from aiolake.credentials.aws_creds import parse_aws_creds

    return aws_provider(parse_aws_creds(None))


def _google(account: str) -> Provider:
    from aiolake.credentials.google import provider_of
    from aiolake.credentials.google_creds import parse

    return provider_of(parse(json.loads(account)).source, now=lambda: datetime.now(UTC))


def _azure(_: str) -> Provider:
    from aiolake.credentials.azure_creds import read_azure_creds

    return read_azure_creds("flowers1", None, os.environ).provider


_PROVIDERS: dict[str, Callable[[str], Provider]] = {
    "source": lambda log: Source(Path(log), 3600),
    "short": lambda log: Source(Path(log), SHORT_S),
    "stuck": lambda log: Stuck(Path(log), forks=False),
    "stuck and forked": lambda log: Stuck(Path(log), forks=True),
    "aws": _aws,
    "google": _google,
    "azure": _azure,
}


def _shown(credential: Credential) -> str:
    """What tells it from others."""
    return digest(*(str(getattr(credential, name)) for name in credential.__struct_fields__))


async def _spin(lease: Lease) -> str:
    """Ask for it every 50 ms; all that came."""
    until, found = time.time() + SPIN_S, []
    while time.time() < until:
        credential = lease.current() or await lease.get()
        assert isinstance(credential, BearerCredential)
        found.append(credential.token)
        await asyncio.sleep(0.05)
    return " ".join(found)


async def main(kind: str, cache: Path, argument: str) -> None:
    """Do what is asked for: ``get``, ``renew`` (a server refused it), ``spin``."""
    async with Keeper(cache=HostCache(cache)) as keeper:
        lease = keeper.lease(_PROVIDERS[kind](argument))
        print("ready", flush=True)
        while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if command == "spin":
                print(await _spin(lease), flush=True)
                continue
            if command == "renew":
                await lease.renewed(await lease.get())
            print(_shown(await lease.get()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
    os._exit(0)
