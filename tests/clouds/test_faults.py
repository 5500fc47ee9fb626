"""What networks and clouds do, done by a proxy to each cloud: no wrong byte, no failure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

import aiolake
from aiolake import StoreError
from aiolake.options import Options
from aiolake.stores.azure import AzureStore
from aiolake.stores.base import CostModel, Refused
from aiolake.stores.gcs import GcsStore
from aiolake.stores.network import Network
from aiolake.stores.s3 import S3Store
from aiolake.testing import (
    Answered,
    FaultProxy,
    Lost,
    ProxyRule,
    ResetBefore,
    Rewritten,
    Stripped,
)
from tests.clouds.faulty import (
    N_READS,
    OPTIONS,
    SCHEMA,
    THROTTLED,
    Reads,
    blob,
    filled,
    reads_hold,
)
from tests.clouds.places import CLOUDS, Cloud
from tests.scale import pick
from tests.servers.s3 import S3Server
from tests.stores.begun import begun


def through(cloud: Cloud, proxy: FaultProxy) -> Cloud:
    """The same root, reached by way of a proxy."""
    endpoint = cloud.creds["endpoint_url"]
    path = re.sub(r"https?://[^/]+", "", endpoint)
    return replace(cloud, creds={**cloud.creds, "endpoint_url": proxy.url + path})


def server_of(cloud: Cloud) -> str:
    match = re.match(r"http://[^/]+", cloud.creds["endpoint_url"])
    assert match is not None
    return match.group()


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 1_200))
@pytest.mark.parametrize("reads", Reads)
async def test_reads_under_faults_and_cancellations(
    cloud: Cloud, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows one at a time, or scattered ones in one call; begun, or of a store that throttles."""
    for store in (AzureStore, GcsStore, S3Store):  # neighbours stay apart
        monkeypatch.setattr(store, "cost", CostModel(gap_bytes=0))
    await filled(cloud.url, N_READS, cloud.creds)
    async with FaultProxy(server_of(cloud)) as proxy:
        bad = through(cloud, proxy)
        await reads_hold(proxy, bad.url, bad.creds, reads, monkeypatch)


@pytest.mark.timeout(120)
async def test_commits_whose_answers_are_lost_happen_once(cloud: Cloud) -> None:
    rules = [
        ProxyRule(Lost(), 0.25, "PUT"),
        ProxyRule(Lost(), 0.25, "POST"),
        ProxyRule(ResetBefore(), 0.1),
        ProxyRule(THROTTLED, 0.1),
    ]
    async with FaultProxy(server_of(cloud)) as proxy:
        bad = through(cloud, proxy)
        options = replace(OPTIONS, max_attempts=12)
        async with aiolake.create_dataset(bad.url, SCHEMA, creds=bad.creds, options=options) as ds:
            proxy.rules = rules
            for i in range(12):
                async with ds.transaction(str(i)) as tx:
                    await tx.append({"n": i, "blob": blob(i)})
            proxy.rules = []
            assert (await ds.read(slice(None), columns=["n"]))["n"].tolist() == list(range(12))
            assert proxy.faults["Lost"] > 0
            assert (await aiolake.verify(ds)).ok


async def test_a_store_that_ignores_create_only_is_found_out(cloud: Cloud) -> None:
    rules = {
        "s3": ProxyRule(Stripped("if-none-match")),
        "gcs": ProxyRule(Stripped("ifGenerationMatch")),
        # Azure signs the header, so that a store which ignores it is played by its answers.
        "az": ProxyRule(Answered(201), method="PUT", within="/log/"),
    }
    async with FaultProxy(server_of(cloud), [rules[scheme_of(cloud)]]) as proxy:
        bad = through(cloud, proxy)
        with pytest.raises(StoreError, match="lets a create-only put replace an object"):
            await aiolake.create_dataset(bad.url, SCHEMA, creds=bad.creds)


async def test_another_server_with_a_bucket_of_that_name_is_tried_too(moto: S3Server) -> None:
    """That one store keeps create-only says nothing of another that has the same address."""
    cloud = CLOUDS["s3"].make(moto)
    await filled(cloud.url, 1, cloud.creds)
    async with FaultProxy(moto.url, [ProxyRule(Stripped("if-none-match"))]) as proxy:
        bad = through(cloud, proxy)
        async with aiolake.open_dataset(bad.url, creds=bad.creds) as ds:
            with pytest.raises(StoreError, match="lets a create-only put replace an object"):
                async with ds.transaction() as tx:
                    await tx.append({"n": 1, "blob": b""})


LISTS = {"s3": "list-type=2", "gcs": "maxResults=", "az": "comp=list"}


def scheme_of(cloud: Cloud) -> str:
    return cloud.url.partition(":")[0]


async def test_where_listing_is_forbidden_datasets_open_and_commit(cloud: Cloud) -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    async with FaultProxy(server_of(cloud)) as proxy:
        proxy.rules = [ProxyRule(Answered(403, body), method="GET", within=LISTS[scheme_of(cloud)])]
        await _used(through(cloud, proxy))
        assert proxy.faults["Answered"] > 0


async def test_where_listing_is_in_no_order_datasets_open_and_commit(moto: S3Server) -> None:
    """As S3's directory buckets list."""
    cloud = CLOUDS["s3"].make(moto)
    async with FaultProxy(server_of(cloud)) as proxy:
        proxy.rules = [
            ProxyRule(Rewritten(_shuffled), method="GET", within=LISTS[scheme_of(cloud)])
        ]
        await _used(through(cloud, proxy), store_factory=_unordered)
        assert proxy.faults["Rewritten"] > 0


def _shuffled(body: bytes) -> bytes:
    """A page of S3's listing, its objects the other way round."""
    outer = ElementTree.fromstring(body)
    found = [item for item in outer if item.tag.endswith("Contents")]
    for item in found:
        outer.remove(item)
    for item in reversed(found):
        outer.append(item)
    return ElementTree.tostring(outer)


def _unordered(address: Any, **how: Any) -> Any:
    from aiolake.stores.base import Listing
    from aiolake.stores.factory import open_store

    store = open_store(address, **how)
    store.__class__ = type(
        "Directory", (type(store),), {"listing": property(lambda _: Listing.UNORDERED)}
    )
    return store


async def _used(cloud: Cloud, **session: Any) -> None:
    async with aiolake.Session(OPTIONS, **session) as shared:
        how: dict[str, Any] = {"creds": cloud.creds, "session": shared}
        async with aiolake.create_dataset(cloud.url, SCHEMA, **how) as ds:
            for i in range(3):
                async with ds.transaction() as tx:
                    await tx.append({"n": i, "blob": blob(i)})
        async with aiolake.open_dataset(cloud.url, **how) as again:
            assert (await again.read(slice(None), columns=["n"]))["n"].tolist() == [0, 1, 2]
            async with again.transaction() as tx:
                await tx.append({"n": 3, "blob": b""})
        async with aiolake.open_dataset(cloud.url, **how) as last:
            assert len(last) == 4


async def test_a_begun_read_that_is_refused_for_its_pace_says_so(cloud: Cloud) -> None:
    async with FaultProxy(server_of(cloud)) as proxy, Network(Options()) as network:
        store = through(cloud, proxy).store(network)
        await store.put("a", [b"0123456789"])
        assert bytes(await store.get_range("a", 0, 4)) == b"0123"
        assert await begun(store, "a", 2, 5) == b"234"
        proxy.rules = [ProxyRule(THROTTLED, 1.0, "GET")]
        assert await begun(store, "a", 2, 5) is Refused.SLOW_DOWN
        proxy.rules = []
        await store.get_range("a", 0, 4)  # a connection is at hand
        proxy.rules = [ProxyRule(Answered(500, b"", {}), 1.0, "GET")]
        assert await begun(store, "a", 2, 5) is None
