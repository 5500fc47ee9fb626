"""Reading Google Cloud Storage for longer than a token lives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from aiolake.options import Options
from aiolake.stores.gcs import GcsStore
from aiolake.stores.network import Network
from aiolake.stores.scheduled import ScheduledStore
from aiolake.stores.scheduler import Scheduler
from tests.credentials.google.cloud import Cloud, running_cloud
from tests.scale import pick
from tests.servers.gcs import GcsServer
from tests.stores.gcs import opened

LIFE_S = 4.0
DURATION_S = pick(9.0, 60.0)
SHORT_LIFE_S = pick(2.0, LIFE_S)
SHORT_S = pick(5.0, 60.0)
N_READERS = 32


@pytest.fixture
def cloud(fake_gcs: GcsServer) -> Iterator[Cloud]:
    with running_cloud(fake_gcs.url) as cloud:
        cloud.life_s = LIFE_S
        yield cloud


@dataclass(frozen=True)
class Run:
    store: GcsStore
    n_reads: int

    @property
    def n_renewals(self) -> int:
        return self.store.lease.state().n_renewals


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with Network(Options()) as network:
        yield network


async def read(cloud: Cloud, network: Network, bucket: str, duration_s: float) -> Run:
    """32 readers at once; any failure, and any wrong byte, ends the run."""
    store = opened(cloud, network, bucket)
    scheduled = ScheduledStore(store, Scheduler(Options()))
    data = bytes(range(256)) * 64
    await scheduled.put("a", [data])
    until = time.monotonic() + duration_s
    counts = [0] * N_READERS

    async def reader(n: int) -> None:
        while time.monotonic() < until:
            start = (n * 331 + counts[n] * 17) % 10_000
            got = await scheduled.get_range("a", start, start + 4096)
            assert bytes(got) == data[start : start + 4096]
            counts[n] += 1

    async with asyncio.TaskGroup() as group:
        for n in range(N_READERS):
            group.create_task(reader(n))
    assert min(counts) > 0
    return Run(store, sum(counts))


@pytest.mark.soak
async def test_tokens_are_renewed_before_they_end(
    cloud: Cloud, network: Network, fake_gcs: GcsServer
) -> None:
    run = await read(cloud, network, fake_gcs.new_bucket(), DURATION_S)
    periods = DURATION_S / LIFE_S
    assert periods <= run.n_renewals <= 2 * periods + 2
    assert cloud.asked["jwt-bearer"] == run.n_renewals
    assert cloud.refused <= run.n_renewals  # one on its way when it ends; it is sent again
    assert run.n_reads > 50 * DURATION_S


@pytest.mark.soak
async def test_an_endpoint_that_fails_half_the_time_fails_no_read(
    cloud: Cloud, network: Network, fake_gcs: GcsServer, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.every_other_fails, cloud.life_s = True, SHORT_LIFE_S
    with caplog.at_level(logging.WARNING, "aiolake.credentials"):
        run = await read(cloud, network, fake_gcs.new_bucket(), SHORT_S)
    state = run.store.lease.state()
    assert state.n_failures >= SHORT_S / SHORT_LIFE_S - 1
    assert run.n_renewals >= SHORT_S / SHORT_LIFE_S - 1
    assert cloud.refused <= N_READERS
    assert "the old one serves until" in caplog.text
    assert "ya29" not in caplog.text


@pytest.mark.soak
async def test_an_endpoint_that_lies_about_the_life_fails_no_read(
    cloud: Cloud, network: Network, fake_gcs: GcsServer
) -> None:
    cloud.said_life_s, cloud.life_s = 3600.0, SHORT_LIFE_S
    run = await read(cloud, network, fake_gcs.new_bucket(), SHORT_S)
    assert SHORT_S / SHORT_LIFE_S - 1 <= run.n_renewals <= SHORT_S / SHORT_LIFE_S + 2
    # Of each reader once as it begins a read, and once as it is told why nothing came.
    assert 0 < cloud.refused <= 2 * N_READERS * run.n_renewals
