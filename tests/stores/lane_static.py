"""Datasets and objects on a real static server: plain, by TLS, 20 ms to the first byte.

Not collected with the tests: the lane ``nginx`` names this file.
"""

from __future__ import annotations

import random
from time import perf_counter, process_time
from typing import Any

import pytest

import aiolake
from aiolake import Bytes, urls
from aiolake._aio import map_concurrently
from aiolake.options import Options
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from tests.servers.nginx import LATE_S, NginxServer

N_SAMPLES = 64
STRIDE = 24
"""Rows from one sample to about the next: further apart than what is fetched as one range."""
N_ROWS = N_SAMPLES * STRIDE
NBYTES = 16 << 10
N_READS = 8000
ATTEMPTS = 5


def blob(i: int) -> bytes:
    return random.Random(i).randbytes(NBYTES)


def opened(server: NginxServer, url: str) -> Any:
    creds = {"ca_bundle": str(server.ca)} if url.startswith("https:") else None
    options = Options(cache_bytes=0)
    return aiolake.open_dataset(f"{url}/set", creds=creds, options=options)


@pytest.fixture
async def addresses(nginx: NginxServer) -> dict[str, str]:
    """Where the files are, by how they are reached; a dataset ``set`` is among them."""
    if not (nginx.root / "set").exists():
        async with (
            aiolake.create_dataset(nginx.root / "set", {"blob": Bytes()}) as ds,
            ds.transaction() as tx,
        ):
            await tx.append({"blob": blob(i)} for i in range(N_ROWS))
    return {
        "plain": nginx.url,
        "tls": nginx.tls_url,
        "late": nginx.late_url,
        "late tls": nginx.late_tls_url,
    }


@pytest.mark.parametrize("how", ["plain", "tls", "late", "late tls"])
async def test_a_dataset_is_read_and_verified(
    nginx: NginxServer, addresses: dict[str, str], how: str
) -> None:
    async with opened(nginx, addresses[how]) as ds:
        assert (await ds.read(N_ROWS - 1))["blob"] == blob(N_ROWS - 1)
        assert (await aiolake.verify(ds)).problems == ()


async def test_64_scattered_samples_are_64_requests_and_one_wait(
    nginx: NginxServer, addresses: dict[str, str]
) -> None:
    took = []
    async with opened(nginx, addresses["late"]) as ds:
        statistics = ds._core.session.statistics
        await ds.read(scattered(0))  # the table of samples, and the connections
        for seed in range(1, 1 + ATTEMPTS):
            wanted, before = scattered(seed), statistics().requests["get_range"]
            began = perf_counter()
            got = await ds.read(wanted)
            took.append(perf_counter() - began)
            assert statistics().requests["get_range"] - before == N_SAMPLES
            assert got["blob"] == [blob(i) for i in wanted]
    shown = ", ".join(f"{each * 1000:.1f}" for each in sorted(took))
    print(f"64 scattered samples of 16 KiB, 20 ms to the first byte: {shown} ms")
    # Rounds of sixteen would wait four times; the rest is room for a busy machine.
    assert LATE_S <= min(took) < 4 * LATE_S


def scattered(seed: int) -> list[int]:
    """Rows, in any order, no two of which lie near each other."""
    rng = random.Random(seed)
    rows = [STRIDE * i + rng.randrange(4) for i in range(N_SAMPLES)]
    rng.shuffle(rows)
    return rows


@pytest.mark.parametrize("how", ["plain", "tls", "late"])
async def test_signed_ranges_of_16_kib(
    nginx: NginxServer, addresses: dict[str, str], how: str
) -> None:
    folder = nginx.root / "bucket"
    folder.mkdir(exist_ok=True)
    data = b"".join(blob(i) for i in range(64))
    (folder / "object").write_bytes(data)
    creds: dict[str, Any] = {
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing-secret",
        "region_name": "us-east-1",
        "endpoint_url": addresses[how],
        "addressing_style": "path",
        "verify": str(nginx.ca) if how.endswith("tls") else True,
    }
    n_wrong = 0

    async with Network(Options()) as network:
        store = open_store(urls.parse("s3://bucket"), creds=creds, network=network)

        async def read(i: int) -> None:
            nonlocal n_wrong
            start = i * 7919 * 64 % (len(data) - NBYTES)
            n_wrong += (
                bytes(await store.get_range("object", start, start + NBYTES))
                != (data[start : start + NBYTES])
            )

        await map_concurrently(read, range(128), limit=64)
        began, cpu = perf_counter(), process_time()
        await map_concurrently(read, range(N_READS), limit=64)
        seconds, cpu = perf_counter() - began, process_time() - cpu
    rate, cpu_s = N_READS / seconds, cpu * 1000 / N_READS
    print(f"{how}: {rate:.0f} signed requests/s, {cpu_s:.3f} CPU-s per 1000")
    assert n_wrong == 0
