"""Datasets on a static server, and links to objects of one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import (
    Bytes,
    CorruptDataError,
    InvalidInputError,
    Link,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    Reference,
    Tensor,
    Text,
)
from aiolake.dataset.links import Links
from aiolake.dataset.session import Session
from aiolake.format.manifest import Source
from tests.stores.http.server import Site, served, without_ranges


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def written(site: Site, n_commits: int = 3) -> list[datetime]:
    """A dataset of a few commits of 40 rows; when each was made."""
    times = []
    async with aiolake.create_dataset(
        site.root / "flowers", {"x": Tensor("int32", (64,)), "t": Text()}
    ) as ds:
        for i in range(n_commits):
            rows = [np.full(64, 40 * i + j, np.int32) for j in range(40)]
            async with ds.transaction() as tx:
                await tx.append(columns={"x": rows, "t": [f"row {i}/{j}" for j in range(40)]})
            times.append(datetime.now(UTC))
    return times


@pytest.mark.parametrize("handler", [None, without_ranges])
async def test_a_dataset_is_opened_read_and_verified(site: Site, handler: Any) -> None:
    site.handler = handler or site.handler
    times = await written(site)
    async with served(site), aiolake.open_dataset(f"{site.url}/flowers") as ds:
        assert len(ds) == 120
        assert (await ds.read(77))["t"] == "row 1/37"
        got = await ds.read([3, 50, 119], columns=["x"])
        assert got["x"][:, 0].tolist() == [3, 50, 119]
        assert (await aiolake.verify(ds)).problems == ()
        assert [info.id for info in await ds.history.list()] == [4, 3, 2, 1]
        async with aiolake.open_dataset(ds.url, snapshot=3) as old:
            assert len(old) == 80
        async with aiolake.open_dataset(ds.url, time=times[0]) as oldest:
            assert len(oldest) == 40


@pytest.mark.parametrize("n_commits", [0, 1, 2, 7, 70])
async def test_the_head_is_found_without_a_listing(site: Site, n_commits: int) -> None:
    async with aiolake.create_dataset(site.root / "d", {"x": Tensor("int32")}) as ds:
        for i in range(n_commits):
            async with ds.transaction() as tx:
                await tx.append({"x": i})
    async with served(site), aiolake.open_dataset(f"{site.url}/d") as there:
        assert there.snapshot == n_commits + 1
        assert len(there) == n_commits
        n_requests = len(site.asked)
        assert n_requests <= 20
        async with aiolake.open_dataset(site.root / "d") as ds, ds.transaction() as tx:
            await tx.append({"x": 99})
        assert await there.refresh()
        assert len(there) == n_commits + 1


async def test_it_is_not_written(site: Site) -> None:
    await written(site, 1)
    async with served(site):
        async with aiolake.open_dataset(f"{site.url}/flowers") as ds:
            with pytest.raises(ReadOnlyError, match="read-only"):
                async with ds.transaction() as tx:
                    await tx.append({"x": np.zeros(64, np.int32), "t": "no"})
        with pytest.raises(ReadOnlyError):
            await aiolake.create_dataset(f"{site.url}/new", {"x": Text()})
        with pytest.raises(NotFoundError, match="no dataset"):
            await aiolake.open_dataset(f"{site.url}/other")
        assert not await aiolake.dataset_exists(f"{site.url}/other")


async def test_a_signature_in_the_address_is_shown_nowhere(site: Site) -> None:
    await written(site, 1)
    site.query = {"sig": "s3cret"}
    async with served(site):
        async with aiolake.open_dataset(f"{site.url}/flowers?sig=s3cret") as ds:
            assert (await ds.read(7))["t"] == "row 0/7"
            assert ds.url == f"{site.url}/flowers"
            assert "s3cret" not in f"{ds!r} {ds.spec!r} {ds._core!r}"
        with pytest.raises(PermissionDeniedError) as caught:
            await aiolake.open_dataset(f"{site.url}/flowers?sig=wr0ng")
        assert "wr0ng" not in f"{caught.value} {caught.value.context}"
    with pytest.raises(InvalidInputError) as refused:
        await aiolake.open_dataset("https://ann:s3cret@example.com/flowers")
    assert "s3cret" not in str(refused.value)


async def linked(path: Path, *references: Reference) -> None:
    async with aiolake.create_dataset(path, {"x": Link(Bytes())}) as ds, ds.transaction() as tx:
        await tx.append(columns={"x": list(references)})


async def test_links_are_followed_under_a_prefix(site: Site) -> None:
    site.put("images/a b.bin", b"first")
    site.put("tar", b"0123456789")
    async with served(site):
        await linked(
            site.root / "d",
            Reference(f"{site.url}/images/a%20b.bin?x=1"),
            Reference(f"{site.url}/tar", offset=2, length=3),
        )
        async with aiolake.open_dataset(site.root / "d") as ds:
            with pytest.raises(PermissionDeniedError, match="links="):
                await ds.read(0)
        assert site.asked == []
        async with aiolake.open_dataset(site.root / "d", links=[site.url]) as ds:
            assert (await ds.read(0))["x"] == b"first"
            assert (await ds.read(1))["x"] == b"234"
        prefix = f"{site.url}/images"
        async with aiolake.open_dataset(site.root / "d", links=[prefix]) as ds:
            assert (await ds.read(0))["x"] == b"first"
            with pytest.raises(PermissionDeniedError):
                await ds.read(1)


async def test_an_object_that_changed_is_not_taken_for_the_old_one(site: Site) -> None:
    site.put("a", b"old")
    async with served(site):
        await linked(site.root / "d", Reference(f"{site.url}/a", etag="none-of-it"))
        async with aiolake.open_dataset(site.root / "d", links=[site.url]) as ds:
            with pytest.raises(CorruptDataError, match="etag"):
                await ds.read(0)


async def read_with(site: Site, prefixes: tuple[str, ...], creds: dict[str, Any]) -> bytes:
    """A link of a dataset, by credentials of names."""
    async with Session() as session:
        links = Links(
            "file",
            prefixes,
            lambda root, secret: session._open_store(root, secret, session.options),
            creds,
        )
        try:
            outside = links.resolve(Source(f"{site.url}/a", None, "team"))
            return bytes(await outside.store.get(outside.key))
        finally:
            await links.aclose()


async def test_a_token_goes_to_no_host_that_the_dataset_alone_names(site: Site) -> None:
    site.put("a", b"private")
    site.token = "t0ken"
    creds = {"team": {"token": "t0ken"}}
    async with served(site):
        with pytest.raises(PermissionDeniedError, match="links="):
            await read_with(site, (), creds)
        assert site.asked == []
        assert await read_with(site, (site.url,), creds) == b"private"


async def test_without_a_token_any_public_host_will_do(site: Site) -> None:
    site.put("a", b"public")
    async with served(site):
        with pytest.raises(PermissionDeniedError, match="private address"):
            await read_with(site, (), {"team": "anonymous"})
        assert site.asked == []
