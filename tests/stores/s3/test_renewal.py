"""Keys of five seconds by a real STS, lent by a container's endpoint: reads never notice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import aiolake
from aiolake import Bytes
from aiolake._aio import map_concurrently
from aiolake.errors import UnauthenticatedError
from aiolake.options import Options
from tests.scale import pick
from tests.servers.containers import TOKEN, Lender, container_endpoint
from tests.servers.s3 import ROLE, S3Server
from tests.stores.s3 import renewing
from tests.stores.s3.test_contract import creds_of

LIFE_S = 5
SECONDS = pick(12, 60)
N_ROWS = 200
N_PROCESSES = pick(8, 32)


def blob(i: int) -> bytes:
    return b"%05d" % i * 400


@pytest.fixture
def lender(ministack: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lender]:
    """The endpoint, which botocore's chain finds in the environment."""
    with container_endpoint(Lender(lambda: ministack.session(LIFE_S))) as lender:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", lender.url)
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN)
        yield lender


async def filled(server: S3Server) -> str:
    url = f"s3://{server.new_bucket()}/set"
    create = aiolake.create_dataset(url, {"blob": Bytes()}, creds=creds_of(server))
    async with create as ds, ds.transaction() as tx:
        await tx.append({"blob": blob(i)} for i in range(N_ROWS))
    return url


async def read_for(ds: aiolake.Dataset, seconds: float) -> int:
    """Read rows, 32 at once; every one is right. How many."""
    until, n = monotonic() + seconds, 0

    async def work(worker: int) -> None:
        nonlocal n
        i = worker
        while monotonic() < until:
            i = (i + 7) % N_ROWS
            assert (await ds.read(i))["blob"] == blob(i)
            n += 1

    await map_concurrently(work, range(32))
    return n


OPTIONS = Options(cache_bytes=0)
CASES: dict[str, dict[str, Any]] = {
    "all is well": {},
    "the endpoint fails half the time": {"fails": 0.5},
    "the endpoint lies about the expiry": {"lies_by": timedelta(hours=1)},
}


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 300))
@pytest.mark.parametrize("case", CASES)
async def test_reads_outlive_their_keys(ministack: S3Server, lender: Lender, case: str) -> None:
    url = await filled(ministack)
    for name, value in CASES[case].items():
        setattr(lender, name, value)
    async with aiolake.open_dataset(
        url, creds={"endpoint_url": ministack.url, "region_name": "us-east-1"}, options=OPTIONS
    ) as ds:
        n_read = await read_for(ds, SECONDS)
        state = ds._core.store.inner.lease.state()  # type: ignore[attr-defined]
        statistics = ds._core.session.statistics()
    n_requests = statistics.requests["get_range"]
    print(f"{case}: {n_read} reads, {n_requests} requests in {SECONDS} s, {state}, {lender}")
    assert n_requests > 100
    assert SECONDS / LIFE_S - 1 <= state.n_renewals <= 3 * SECONDS / LIFE_S + 3
    assert state.n_renewals == lender.n_lent
    assert "container-role" in state.source
    assert statistics.retries == 0
    assert (lender.n_failed > 0) == (case == "the endpoint fails half the time")
    assert state.expires_at is not None
    assert state.expires_at.utcoffset() == timedelta(0)


async def test_sixteen_tasks_that_need_keys_at_once_cause_one_renewal(
    ministack: S3Server, lender: Lender
) -> None:
    url = await filled(ministack)
    creds = {"endpoint_url": ministack.url}
    async with aiolake.open_dataset(url, creds=creds, options=OPTIONS) as ds:
        assert lender.n_lent == 1
        await asyncio.sleep(0.1)
        lease = ds._core.store.inner.lease  # type: ignore[attr-defined]
        lease._cell.refuse(lease.current())
        await map_concurrently(ds.read, range(16))
        assert lender.n_lent == 2


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 300))
async def test_processes_with_a_host_cache_share_renewals(
    ministack: S3Server, lender: Lender, tmp_path: Path
) -> None:
    url = await filled(ministack)
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])}
    command = [sys.executable, "-m", renewing.__name__, url, ministack.url, str(tmp_path / "c")]
    lender.n_lent = 0
    workers = [
        await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE)
        for _ in range(N_PROCESSES)
    ]
    told = [(await worker.communicate())[0].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * N_PROCESSES, told
    assert all(int(each) > 10 for each in told)
    # Each for 8 s with keys of 5 s: alone they would have fetched three times each, or more.
    assert 2 <= lender.n_lent <= pick(8, 16)


async def test_a_role_is_assumed_and_renewed(
    ministack: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await filled(ministack)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ministack.url)
    creds = creds_of(
        ministack, role_arn=f"arn:aws:iam::000000000000:role/{ROLE}", duration_seconds=3
    )
    async with aiolake.open_dataset(url, creds=creds, options=OPTIONS) as ds:
        await read_for(ds, 7)
        state = ds._core.store.inner.lease.state()  # type: ignore[attr-defined]
    assert state.n_renewals >= 3
    assert state.source.startswith("the role arn:aws:iam::000000000000:role/lake, assumed with")
    wrong = {**creds, "aws_secret_access_key": "wrong", "role_arn": "arn:aws:iam::0:role/none"}
    with pytest.raises(UnauthenticatedError, match="trust policy") as caught:
        await aiolake.open_dataset(url, creds=wrong)
    assert ministack.secret_key not in str(caught.value)


async def test_an_endpoint_that_refuses_is_told(
    ministack: S3Server, lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong")
    began = monotonic()
    with pytest.raises(UnauthenticatedError, match="AWS's default chain was refused") as caught:
        await aiolake.open_dataset("s3://b/x", creds={"endpoint_url": ministack.url})
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in str(caught.value)
    assert monotonic() - began < 20  # botocore asks three times; that is not done again and again
