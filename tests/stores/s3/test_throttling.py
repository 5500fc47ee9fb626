"""A store that takes only so many requests at once, and answers the others with 503 SlowDown."""

from __future__ import annotations

import asyncio

import pytest

from aiolake import urls
from aiolake._aio import map_concurrently
from aiolake.options import Options
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler
from tests.transport.server import Request, Writer, ok, serving

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
N_READS = 1_500


class Limited:
    """Answers reads, ``capacity`` at a time."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.n_now = self.n_refused = 0

    async def __call__(self, request: Request, writer: Writer) -> None:
        self.n_now += 1
        try:
            if self.n_now > self.capacity:
                self.n_refused += 1
                answer = ok(SLOW_DOWN)
                writer.write(answer.replace(b"200 OK", b"503 Slow Down"))
            else:
                await asyncio.sleep(0.005)
                writer.write(ok(b"x" * 100, "206 Partial Content"))
            await writer.drain()
        finally:
            self.n_now -= 1


@pytest.mark.parametrize("capacity", [4, 16])
async def test_the_limit_settles_at_what_the_store_takes(capacity: int) -> None:
    limited, options = Limited(capacity), Options(max_attempts=10)
    async with serving(limited) as server, Network(options) as network:
        creds = {
            "aws_access_key_id": "A",
            "aws_secret_access_key": "s",
            "endpoint_url": server.origin.url,
            "region_name": "us-east-1",
        }
        scheduler, limits = Scheduler(options), list[int]()
        inner = open_store(urls.parse("s3://bucket"), creds=creds, network=network)
        store = ScheduledStore(inner, scheduler)

        async def read(i: int) -> None:
            assert len(await store.get_range("key", 100 * i, 100 * i + 100)) == 100
            limits.append(scheduler.statistics().limit)

        await map_concurrently(read, range(N_READS), limit=options.max_inflight)
        assert scheduler.statistics().throttles == limited.n_refused
        # At first all 64 go; then it halves at each refusal, and grows by one each round.
        assert limited.n_refused < N_READS / 4
        settled = limits[N_READS // 3 :]
        assert capacity / 3 <= sum(settled) / len(settled) <= 1.25 * capacity
