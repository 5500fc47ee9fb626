"""Static servers behind a network that fails: no wrong byte, no failure, nothing left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

import aiolake
from aiolake.options import Options
from aiolake.stores.base import Begun, CostModel, Range, Told
from aiolake.stores.http import HttpStore
from aiolake.testing import FaultProxy, cancel_at_each_step
from tests.clouds.faulty import N_READS, Reads, blob, filled, nothing_is_left, reads_hold
from tests.scale import pick
from tests.stores.http.server import Site, served_elsewhere, without_ranges

N_ROWS = 60
SCATTERED = [3, 50, 5, 31]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 1_200))
@pytest.mark.parametrize("reads", Reads)
async def test_reads_under_faults_and_cancellations(
    site: Site, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows one at a time, or scattered ones in one call; begun, or of a store that throttles."""
    monkeypatch.setattr("aiolake.stores.http._COST", CostModel(gap_bytes=0))
    await filled(str(site.root / "set"), N_READS)
    with served_elsewhere(site):
        async with FaultProxy(site.url) as proxy:
            await reads_hold(proxy, f"{proxy.url}/set", None, reads, monkeypatch)


@asynccontextmanager
async def session() -> AsyncIterator[aiolake.Session]:
    """One that remembers nothing it has read."""
    async with aiolake.Session(Options(cache_bytes=0, decode_threads=1)) as found:
        yield found


@pytest.mark.parametrize("ranges", [True, False])
async def test_opening_is_cancelled_at_each_step(site: Site, ranges: bool) -> None:
    site.handler = site.handler if ranges else without_ranges
    await filled(str(site.root / "set"), N_ROWS)
    with served_elsewhere(site):
        async with session() as shared:

            async def open_and_read() -> None:
                async with aiolake.open_dataset(f"{site.url}/set", session=shared) as ds:
                    assert (await ds.read(17))["blob"] == blob(17)

            n_steps = await cancel_at_each_step(open_and_read, partial(nothing_is_left, shared))
            assert n_steps > 5
            await open_and_read()


async def test_reading_is_cancelled_at_each_step(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.stores.http._COST", CostModel(gap_bytes=0))
    await filled(str(site.root / "set"), N_ROWS)
    with served_elsewhere(site):
        async with (
            session() as shared,
            aiolake.open_dataset(f"{site.url}/set", session=shared) as ds,
        ):
            for read in (one, scattered, stream):
                once = partial(read, ds)
                await once()
                assert await cancel_at_each_step(once, partial(nothing_is_left, shared)) > 0
                await once()


async def one(ds: aiolake.Dataset) -> None:
    assert (await ds.read(17))["blob"] == blob(17)


async def scattered(ds: aiolake.Dataset) -> None:
    found = await ds.read(SCATTERED)
    assert found["blob"] == [blob(i) for i in SCATTERED]


async def stream(ds: aiolake.Dataset) -> None:
    async with ds.batches(16) as batches:
        assert sum([len(batch["n"]) async for batch in batches]) == N_ROWS


async def test_reads_of_bursts_are_begun(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server has sent parts; else as before."""
    monkeypatch.setattr("aiolake.stores.http._COST", CostModel(gap_bytes=0))
    await filled(str(site.root / "set"), N_ROWS)
    begun: list[bool] = []
    begin = HttpStore.begin_ranges

    def counted(self: HttpStore, *args: object) -> object:
        sent = begin(self, *args)  # type: ignore[arg-type]
        begun.append(sent is not None)
        return sent

    monkeypatch.setattr(HttpStore, "begin_ranges", counted)
    for handler, some in ((site.handler, True), (without_ranges, False)):
        site.handler = handler
        with served_elsewhere(site):
            async with (
                session() as shared,
                aiolake.open_dataset(f"{site.url}/set", session=shared) as ds,
            ):
                begun.clear()
                for _ in range(3):
                    await scattered(ds)
                assert any(begun) is some


async def test_what_a_burst_asked_for_in_vain_is_not_begun_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.stores.http._COST", CostModel(gap_bytes=0))
    await filled(str(site.root / "set"), N_ROWS)
    begun: list[Range] = []
    begin = HttpStore.begin_ranges

    def counted(self: HttpStore, ranges: Sequence[Range], done: Told) -> Begun | None:
        sent = begin(self, ranges, done)
        begun.extend(ranges[: 0 if sent is None else sent.n])
        return sent

    monkeypatch.setattr(HttpStore, "begin_ranges", counted)
    with served_elsewhere(site):
        async with (
            session() as shared,
            aiolake.open_dataset(f"{site.url}/set", session=shared) as ds,
        ):
            for _ in range(3):
                await scattered(ds)  # connections are at hand
            begun.clear()
            site.asked.clear()
            site.statuses = [500]
            await scattered(ds)
            assert len(begun) == len(set(begun)) > 1
            assert len(site.asked) == len({(path, span) for _, path, span in site.asked}) + 1
