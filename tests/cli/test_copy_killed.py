"""``cp`` killed at random moments between two clouds: it goes on, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

import aiolake
from aiolake import Bytes, Tensor, keys
from aiolake.testing import Delayed, FaultProxy, ProxyRule
from tests.cli.running import environment
from tests.clouds.places import CLOUDS, Cloud
from tests.scale import pick
from tests.servers.azure import AzureServer
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

N_KILLS = pick(2, 6)
SEEDS = range(pick(1, 10))
N_COMMITS = pick(14, 30)
ROWS = 20
N_ROWS = N_COMMITS * ROWS
SLOW = [ProxyRule(Delayed(timedelta(milliseconds=8)))]
PROGRAM = """
from aiolake.cli.main import main
from aiolake.dataset import copy_rows

copy_rows.COMMIT_BYTES, copy_rows._STEP_BYTES = 50_000, 20_000
main()
"""
"""The command, with commits as small as this dataset needs them."""

Identities = dict[str, str]
"""Of each object, by its whole name, what changes whenever it is written."""


def row(i: int) -> dict[str, Any]:
    return {"n": i, "blob": random.Random(i).randbytes(2_000)}


async def begin(cloud: Cloud) -> None:
    """A dataset of many commits; snapshot ``k + 1`` has ``k * ROWS`` rows."""
    schema: dict[str, aiolake.ColumnType | type] = {"n": Tensor("int64"), "blob": Bytes()}
    async with aiolake.create_dataset(cloud.url, schema, creds=cloud.creds) as ds:
        for k in range(N_COMMITS):
            async with ds.transaction() as tx:
                await tx.append([row(i) for i in range(k * ROWS, (k + 1) * ROWS)])


class Copying:
    """Runs ``cp`` in processes of their own, by way of a proxy before the target."""

    def __init__(
        self, source: Cloud, target: Cloud, proxy: FaultProxy, directory: Path, *how: str
    ) -> None:
        self.proxy = proxy
        endpoint = re.sub(r"http://[^/]+", proxy.url, target.creds["endpoint_url"])
        self._arguments = ["cp", source.url, target.url, *how, "--json"]
        for option, creds in {
            "--from-creds": source.creds,
            "--to-creds": {**target.creds, "endpoint_url": endpoint},
        }.items():
            file = directory / f"{option}.json"
            file.write_text(json.dumps(creds))
            self._arguments += [option, str(file)]

    async def start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, *self._arguments,
            env=environment(), stdout=PIPE, stderr=PIPE,
        )  # fmt: skip

    async def killed(self, rng: random.Random) -> bool:
        """Kill one some requests after its first; whether it was still running."""
        process = await self.start()
        until = self.proxy.requests.total() + rng.randint(2, pick(9, 15))
        while process.returncode is None and self.proxy.requests.total() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(rng.random() * 0.02)
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        return process.returncode != 0

    async def finished(self) -> dict[str, Any]:
        """Run one to its end; its document."""
        process = await self.start()
        out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        found: dict[str, Any] = json.loads(out)
        return found


def in_gcs(server: GcsServer, cloud: Cloud) -> Identities:
    """By generation."""
    bucket, _, prefix = cloud.url.removeprefix("gcs://").partition("/")
    path = f"/storage/v1/b/{bucket}/o?prefix={quote(prefix)}%2F&maxResults=1000"
    found = json.loads(server.request("GET", path).expect(200).body)
    assert "nextPageToken" not in found
    return {each["name"]: each["generation"] for each in found.get("items", ())}


def in_azure(server: AzureServer, cloud: Cloud) -> Identities:
    """By etag, which is another after every write."""
    _, container, prefix = cloud.url.removeprefix("az://").split("/")
    path = f"/{container}?restype=container&comp=list&prefix={quote(prefix)}%2F"
    found = ElementTree.fromstring(server.request("GET", path).expect(200).body)
    assert not found.findtext("NextMarker")
    return {
        each.findtext("Name", ""): each.findtext("Properties/Etag", "")
        for each in found.iter("Blob")
    }


def sent(before: Identities, after: Identities) -> int:
    """How many objects are new; those that were there are as they were."""
    before, after = (
        {name: value for name, value in each.items() if not name.endswith(keys.HINT)}
        for each in (before, after)
    )
    assert before.items() <= after.items()
    return len(after) - len(before)


async def readable(cloud: Cloud, branch: str = "main") -> tuple[int, int] | None:
    """The snapshot and number of rows that can be opened; all of them are read."""
    try:
        opened = await aiolake.open_dataset(cloud.url, branch=branch, creds=cloud.creds)
    except aiolake.NotFoundError:
        return None
    async with opened as ds:
        batch = await ds.read(slice(None))
        assert batch["n"].tolist() == list(range(len(ds)))
        assert batch["blob"] == [row(i)["blob"] for i in range(len(ds))]
        return ds.snapshot, len(ds)


async def check_exact(target: Cloud) -> None:
    found = await readable(target)
    assert found is not None
    assert found[1] == N_ROWS
    checked = await aiolake.verify(target.url, depth="samples", creds=target.creds)
    assert checked.ok, checked.problems
    assert checked.n_samples > 0


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_history_goes_on_after_kills(
    moto: S3Server, fake_gcs: GcsServer, seed: int, tmp_path: Path
) -> None:
    source, target = CLOUDS["s3"].make(moto), CLOUDS["gcs"].make(fake_gcs)
    await begin(source)
    rng = random.Random(seed)
    async with FaultProxy(fake_gcs.url, SLOW) as proxy:
        copying = Copying(source, target, proxy, tmp_path, "--history")
        there: Identities = {}
        for _ in range(N_KILLS):
            if not await copying.killed(rng):
                break
            now = in_gcs(fake_gcs, target)
            sent(there, now)
            there = now
            found = await readable(target)
            if found is not None:  # an older snapshot, whole
                assert found[1] == (found[0] - 1) * ROWS
        proxy.requests.clear()
        document = await copying.finished()
        n_sent = sent(there, in_gcs(fake_gcs, target))
        assert document["copied"] == n_sent == proxy.requests["POST"]
    await check_exact(target)


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_snapshot_goes_on_after_kills(
    moto: S3Server, azurite: AzureServer, seed: int, tmp_path: Path
) -> None:
    source, target = CLOUDS["s3"].make(moto), CLOUDS["azure"].make(azurite)
    await begin(source)
    rng = random.Random(seed)
    async with FaultProxy(azurite.root, SLOW) as proxy:
        copying = Copying(source, target, proxy, tmp_path)
        there: Identities = {}
        n_there = 0
        for _ in range(N_KILLS):
            if not await copying.killed(rng):
                break
            now = in_azure(azurite, target)
            sent(there, now)
            there = now
            found = await readable(target)
            if found is None:
                continue
            assert found[1] in (0, N_ROWS)
            begun = await branches(target)
            for branch in begun - {"main"}:
                part = await readable(target, branch)
                assert part is not None
                assert part[1] >= n_there
                n_there = part[1]
        document = await copying.finished()
        sent(there, in_azure(azurite, target))
        assert (document["rows"], document["copied"]) == (N_ROWS, N_ROWS - n_there)
    assert await branches(target) == {"main"}
    await check_exact(target)


async def branches(cloud: Cloud) -> set[str]:
    async with aiolake.open_dataset(cloud.url, creds=cloud.creds) as ds:
        return {*await ds.branches.list()}
