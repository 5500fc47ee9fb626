"""What a handle says of its credential, and what becomes of it in a pickle."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import Bytes, DatasetSpec, InvalidInputError, Link, Reference, Text
from tests.stores.http.server import Site, served

TOKEN = "s3cret-t0ken"


def from_a_function() -> dict[str, Any]:
    """A credential that is renewed: pickled by its name."""
    return {"token": TOKEN, "expires_at": datetime.now(UTC) + timedelta(hours=1)}


@asynccontextmanager
async def flowers(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a dataset that wants a token."""
    async with (
        aiolake.create_dataset(tmp_path / "flowers", {"t": Text()}) as ds,
        ds.transaction() as tx,
    ):
        await tx.append({"t": "rose"})
    async with served(Site(tmp_path, token=TOKEN)) as site:
        yield f"{site.url}/flowers"


async def test_a_handle_says_where_its_credential_is_from(tmp_path: Path) -> None:
    async with flowers(tmp_path) as url, aiolake.open_dataset(url, creds=from_a_function) as ds:
        state = ds.credentials()
        assert isinstance(state, aiolake.CredentialState)
        assert "from_a_function" in state.source
        assert state.kind == "BearerCredential"
        assert state.expires_at is not None
        assert state.n_renewals == 1
        assert TOKEN not in repr(state)
    async with aiolake.open_dataset(tmp_path / "flowers") as ds:
        assert ds.credentials() is None


async def test_a_secret_is_in_no_repr_and_no_plain_pickle(tmp_path: Path) -> None:
    how = {"token": TOKEN}
    async with flowers(tmp_path) as url, aiolake.open_dataset(url, creds=how) as ds:
        assert TOKEN not in f"{ds!r} {ds.spec!r} {ds._core!r} {ds._state!r}"
        for handle in (ds, ds.spec):
            with pytest.raises(InvalidInputError, match="creds='ENV'") as caught:
                pickle.dumps(handle)
            assert TOKEN not in str(caught.value)


async def test_how_to_get_one_travels(tmp_path: Path) -> None:
    async with flowers(tmp_path) as url:
        async with aiolake.open_dataset(url, creds=from_a_function) as ds:
            data = pickle.dumps(ds)
        assert TOKEN.encode() not in data
        async with aiolake.open_dataset(pickle.loads(data)) as again:
            assert (await again.read(0))["t"] == "rose"


async def test_a_query_of_the_address_is_a_secret_too(tmp_path: Path) -> None:
    async with flowers(tmp_path) as url, served(Site(tmp_path, query={"sig": TOKEN})) as site:
        address = f"{site.url}/flowers?sig={TOKEN}"
        async with aiolake.open_dataset(address) as ds:
            with pytest.raises(InvalidInputError, match="secret"):
                pickle.dumps(ds)
            async with aiolake.open_dataset(ds.spec) as again:
                assert (await again.read(0))["t"] == "rose"
        assert url != address


def _read(spec: DatasetSpec, answers: Any) -> None:
    async def read() -> None:
        async with aiolake.open_dataset(spec) as ds:
            answers.put((await ds.read(0))["t"])

    asyncio.run(read())


async def test_a_process_that_is_spawned_gets_it(tmp_path: Path) -> None:
    async with flowers(tmp_path) as url:
        async with aiolake.open_dataset(url, creds={"token": TOKEN}) as ds:
            spec = ds.spec
        spawning = multiprocessing.get_context("spawn")
        answers = spawning.SimpleQueue()
        child = spawning.Process(target=_read, args=(spec, answers))
        child.start()
        while child.is_alive():  # noqa: ASYNC110 it says nothing when it ends
            await asyncio.sleep(0.02)
        child.join()
        assert child.exitcode == 0
        assert answers.get() == "rose"
        answers.close()


async def test_references_use_credentials_by_name(tmp_path: Path) -> None:
    site = Site(tmp_path, token=TOKEN)
    site.put("a.bin", b"private")
    async with served(site):
        reference = Reference(f"{site.url}/a.bin", creds_key="team")
        async with (
            aiolake.create_dataset(tmp_path / "d", {"x": Link(Bytes())}) as ds,
            ds.transaction() as tx,
        ):
            await tx.append(columns={"x": [reference]})
        creds = {"team": {"token": TOKEN}}
        how: dict[str, Any] = {"links": [site.url], "link_creds": creds}
        async with aiolake.open_dataset(tmp_path / "d", **how) as ds:
            assert (await ds.read(0))["x"] == b"private"
            assert TOKEN not in f"{ds!r} {ds.spec!r} {ds._core!r}"
            with pytest.raises(InvalidInputError, match="secret"):
                pickle.dumps(ds)
            async with aiolake.open_dataset(ds.spec) as again:
                assert (await again.read(0))["x"] == b"private"
        for wrong in ({}, {"other": {"token": TOKEN}}):
            async with aiolake.open_dataset(
                tmp_path / "d", links=[site.url], link_creds=wrong
            ) as ds:
                with pytest.raises(aiolake.AiolakeError):
                    await ds.read(0)
