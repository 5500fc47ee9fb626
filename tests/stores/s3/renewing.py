"""A worker process that reads for eight seconds, from its opening on, with keys of five."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

import aiolake
from aiolake.options import Options


async def main(url: str, endpoint: str, cache: str) -> None:
    """Read, and print how often."""
    options = Options(cache_bytes=0, credential_cache=cache, decode_threads=1)
    creds = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    n = 0
    async with aiolake.open_dataset(url, creds=creds, options=options) as ds:
        until = monotonic() + 8
        while monotonic() < until:
            await ds.read(n % len(ds))
            n += 1
            await asyncio.sleep(0.05)
    print(n)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
