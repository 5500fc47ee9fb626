"""Many scattered rows in one call, from a server and a cache on disk that has some of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import aiolake
from aiolake.chunks.disk import DiskCache, DiskCacheStatistics, mirrors
from aiolake.options import Options
from aiolake.stores.base import Begun, CostModel, Range, Told
from aiolake.stores.http import HttpStore
from tests.stores.http.server import Site, served_elsewhere

N_ROWS = 200


def blob(i: int) -> bytes:
    """Too long to share a page with others."""
    return random.Random(i).randbytes(20_000 + i)


async def filled(url: str) -> None:
    async with (
        aiolake.create_dataset(url, {"blob": aiolake.Bytes()}) as ds,
        ds.transaction() as tx,
    ):
        await tx.append({"blob": blob(i)} for i in range(N_ROWS))


class Case:
    """A dataset on a server, and a cache on disk."""

    def __init__(self, site: Site, cache: Path) -> None:
        self.site = site
        self.cache = cache
        self.n_begun = 0

    async def read(self, *calls: list[int]) -> tuple[int, DiskCacheStatistics]:
        """Read rows in a session of their own: requests for samples, and what the cache did."""
        using = Options(cache_bytes=0, disk_cache=self.cache)
        async with (
            aiolake.Session(using) as session,
            aiolake.open_dataset(f"{self.site.url}/set", session=session) as ds,
        ):
            for rows in calls:
                found = await ds.read(rows)
                assert found["blob"] == [blob(i) for i in rows]
            for rows in calls:  # what comes from the disk is as right as what came from the server
                assert (await ds.read(rows))["blob"] == [blob(i) for i in rows]
        n = sum("/chunks/" in path for _, path, _ in self.site.asked)
        self.site.asked.clear()
        statistics = session.disk_cache_statistics()
        assert statistics is not None
        return n, statistics


@pytest.fixture
async def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr("aiolake.stores.http._COST", CostModel(gap_bytes=0))
    site = Site(tmp_path / "site")
    await filled(str(site.root / "set"))
    found = Case(site, tmp_path / "cache")
    begin = HttpStore.begin_ranges

    def counted(self: HttpStore, ranges: list[Range], done: Told) -> Begun | None:
        sent = begin(self, ranges, done)
        found.n_begun += 0 if sent is None else sent.n
        return sent

    monkeypatch.setattr(HttpStore, "begin_ranges", counted)
    return found


async def test_what_a_burst_brought_is_kept_and_what_is_kept_is_not_asked_for(case: Case) -> None:
    first = random.Random(1).sample(range(0, N_ROWS, 2), 60)
    second = random.Random(2).sample(range(0, N_ROWS, 2), 60)
    with served_elsewhere(case.site):
        n_requests, statistics = await case.read(first, first[:30], second)
        # It is written behind: what was read a moment ago may be asked for again.
        assert len({*first, *second}) <= n_requests < 120
        assert case.n_begun > 20
        assert statistics.hits > 0
        case.n_begun = 0
        n_requests, statistics = await case.read(second, first)
        assert (n_requests, case.n_begun, statistics.misses) == (0, 0, 0)
        assert statistics.bytes_written == 0


async def test_each_miss_is_counted_once_however_it_is_fetched(case: Case) -> None:
    """The first burst finds no connections, and leaves most of its reads to the ordinary way."""
    rows = random.Random(1).sample(range(0, N_ROWS, 2), 80)
    with served_elsewhere(case.site):
        n_requests, statistics = await case.read(rows)
    assert 80 <= n_requests < 120
    asked_for = statistics.hits + statistics.misses
    assert 160 <= asked_for <= 170  # each row twice, and the table that says where they are


async def test_damaged_parts_are_fetched_again_and_mended(case: Case) -> None:
    rows = random.Random(1).sample(range(0, N_ROWS, 2), 80)
    with served_elsewhere(case.site):
        await case.read(rows)
        for mirror in mirrors(case.cache / "v1"):
            path = Path(mirror.path)
            data = bytearray(path.read_bytes())
            data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
            path.write_bytes(data)
        n_requests, statistics = await case.read(rows)
        assert 10 < n_requests < 80
        assert statistics.misses < 90
        assert statistics.hits > 80
        assert (await case.read(rows))[0] == 0


async def test_a_thread_is_asked_for_many_at_a_time(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    read = DiskCache._read

    def counted(self: DiskCache, url: str, ranges: list[Range]) -> list[bytes | None]:
        sizes.append(len(ranges))
        return read(self, url, ranges)

    monkeypatch.setattr(DiskCache, "_read", counted)
    rows = random.Random(1).sample(range(0, N_ROWS, 2), 80)
    with served_elsewhere(case.site):
        await case.read(rows)
    assert [size for size in sizes if size > 1] == [32, 32, 16] * 2
