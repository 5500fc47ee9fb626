"""``cp`` from one cloud to another, to the end; and killed on the way, and started again."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import aiolake
from tests.cli.running import Cli
from tests.clouds.places import CLOUDS, Cloud
from tests.dataset.past import assert_same, made
from tests.servers.azure import AzureServer
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

Servers = dict[str, S3Server | GcsServer | AzureServer]
Place = tuple[Cloud, tuple[str, ...]]
"""Where a dataset is, and what ``--creds`` is there, if anything."""


@pytest.fixture
def servers(moto: S3Server, fake_gcs: GcsServer, azurite: AzureServer) -> Servers:
    return {"s3": moto, "gcs": fake_gcs, "azure": azurite}


@pytest.fixture
def place(servers: Servers, tmp_path: Path) -> Callable[[str], Cloud]:
    """Makes empty roots, on a cloud or in a directory."""

    def new(name: str) -> Cloud:
        if name == "local":
            return Cloud(str(tmp_path / "local"), {})
        return CLOUDS[name].make(servers[name])

    return new


def creds(option: str, cloud: Cloud, directory: Path) -> tuple[str, ...]:
    """An option that opens a cloud."""
    if not cloud.creds:
        return ()
    file = directory / f"{cloud.url.replace('/', '_')}.json"
    file.write_text(json.dumps(cloud.creds))
    return (option, str(file))


async def begin(cloud: Cloud) -> None:
    """A dataset with a past."""
    ds = await made(cloud.url, creds=cloud.creds, key="key", row_metadata=True)
    await ds.aclose()


async def check_same(first: Cloud, last: Cloud, *, history: bool) -> None:
    """The same rows, and where the history came along, the same log and names."""
    async with (
        aiolake.open_dataset(first.url, creds=first.creds) as one,
        aiolake.open_dataset(last.url, creds=last.creds or None) as other,
    ):
        await assert_same(one, other)
        if history:
            assert await one.history.list() == await other.history.list()
            assert await one.branches.list() == await other.branches.list()
            assert await one.tags.list() == await other.tags.list()


@pytest.mark.parametrize("how", [(), ("--history",)])
def test_a_dataset_goes_round_the_clouds_and_comes_back_the_same(
    cli: Cli, place: Callable[[str], Cloud], how: tuple[str, ...], tmp_path: Path
) -> None:
    hops = [place(name) for name in ("s3", "gcs", "azure", "local", "s3")]
    asyncio.run(begin(hops[0]))
    for source, target in itertools.pairwise(hops):
        opening = (
            *creds("--from-creds", source, tmp_path),
            *creds("--to-creds", target, tmp_path),
        )
        document = cli.ok("cp", source.url, target.url, *opening, *how, "--json").document
        assert document["rows"] == 190
        if not how:
            assert document["copied"] == 190
    asyncio.run(check_same(hops[0], hops[-1], history=bool(how)))
    checked = cli.ok(
        "verify", hops[-1].url, "--deep", *creds("--creds", hops[-1], tmp_path), "--json"
    )
    assert checked.document["ok"]


@pytest.fixture
def twins(moto: S3Server, moto_checked: S3Server) -> tuple[Cloud, Cloud]:
    """One address on two servers."""
    first = CLOUDS["s3"].make(moto)
    bucket = first.url.split("/")[2]
    moto_checked.request("PUT", f"/{bucket}").expect(200)
    keys = {
        "aws_access_key_id": moto_checked.access_key,
        "aws_secret_access_key": moto_checked.secret_key,
        "endpoint_url": moto_checked.url,
    }
    return first, Cloud(first.url, {**first.creds, **keys})


@pytest.mark.parametrize("how", [(), ("--history",)])
def test_one_address_on_two_servers_is_two_places(
    cli: Cli, twins: tuple[Cloud, Cloud], how: tuple[str, ...], tmp_path: Path
) -> None:
    first, other = twins
    asyncio.run(begin(first))
    start = ("cp", first.url, *creds("--from-creds", first, tmp_path))
    there = creds("--to-creds", replace(other, url="other"), tmp_path)
    cli.ok(*start, first.url, *there, *how)
    asyncio.run(check_same(first, other, history=bool(how)))


@pytest.mark.parametrize("how", [(), ("--history",)])
def test_a_copy_onto_itself_is_refused_by_whatever_name_the_server_is_reached(
    cli: Cli, place: Callable[[str], Cloud], how: tuple[str, ...], tmp_path: Path
) -> None:
    here = place("s3")
    asyncio.run(begin(here))
    endpoint = here.creds["endpoint_url"].replace("127.0.0.1", "localhost")
    alias = Cloud("alias", {**here.creds, "endpoint_url": endpoint})
    for to in (here, alias):
        opening = (
            *creds("--from-creds", here, tmp_path),
            *creds("--to-creds", to, tmp_path),
            *how,
        )
        done = cli("cp", here.url, here.url, *opening)
        assert (done.code, "is the dataset that is to be copied" in done.err) == (1, True)
        for target in (f"{here.url}/inside", here.url.rpartition("/")[0]):
            done = cli("cp", here.url, target, *opening)
            assert (done.code, "lies within the other" in done.err) == (1, True)


async def test_another_snapshot_of_an_open_dataset_is_copied_with_its_credentials(
    place: Callable[[str], Cloud], tmp_path: Path
) -> None:
    cloud = place("s3")
    async with await made(cloud.url, creds=cloud.creds) as ds:
        copied = await aiolake.copy_dataset(ds, tmp_path / "copy", tag="t1")
    assert copied.n_rows == 200
