"""A worker process that needs a credential of a second's life for three seconds."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.values import BearerCredential, Credential

LIFE = timedelta(seconds=1)


class Source:
    """Counts its renewals in a file that all processes append to."""

    identity = ("test", "shared by processes")
    source = "the test's source"

    def __init__(self, log: Path) -> None:
        self._log = log

    async def fetch(self) -> Credential:
        await asyncio.sleep(0.05)
        with self._log.open("a") as file:
            n = file.tell() // 2
            file.write("x\n")
        return BearerCredential(str(n), datetime.now(UTC) + LIFE)


async def main(cache: Path, log: Path, start: float) -> None:
    """Ask for it every 50 ms, and print what came."""
    async with Keeper(cache=HostCache(cache)) as keeper:
        lease = keeper.lease(Source(log))
        await asyncio.sleep(start - time.time())
        until = time.time() + 3
        while time.time() < until:
            credential = lease.current() or await lease.get()
            assert isinstance(credential, BearerCredential)
            print(credential.token)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
    os._exit(0)
