"""Processes of one machine share a credential: one of them renews."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiolake.credentials.hostcache import HostCache
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.timing import Held
from aiolake.credentials.values import AwsCredential, BearerCredential, Credential
from aiolake.errors import InvalidInputError

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


class Source:
    identity = ("test", "a source")
    source = "the test's source"

    def __init__(self, life: timedelta | None = HOUR) -> None:
        self.life = life
        self.n_fetches = 0

    async def fetch(self) -> Credential:
        self.n_fetches += 1
        expires = None if self.life is None else now() + self.life
        return AwsCredential(f"key {self.n_fetches}", "secret", "session", expires)


async def test_the_second_finds_what_the_first_fetched(tmp_path: Path) -> None:
    first, second = Source(), Source()
    cache = HostCache(tmp_path / "cache")
    a = await cache.fetch(first, None, now)
    b = await HostCache(tmp_path / "cache").fetch(second, None, now)
    assert a == b
    assert (first.n_fetches, second.n_fetches) == (1, 0)


async def test_who_has_it_already_wants_a_newer_one(tmp_path: Path) -> None:
    cache, source = HostCache(tmp_path), Source()
    tmp_path.chmod(0o700)
    a = await cache.fetch(source, None, now)
    b = await cache.fetch(source, Held(a, now(), now()), now)
    assert a != b
    assert source.n_fetches == 2
    assert await cache.fetch(source, Held(a, now(), now()), now) == b
    assert source.n_fetches == 2


async def test_one_that_has_lived_two_thirds_is_not_handed_on(tmp_path: Path) -> None:
    cache, source = HostCache(tmp_path / "c"), Source()
    await cache.fetch(source, None, now)
    await cache.fetch(source, None, lambda: now() + timedelta(minutes=39))
    assert source.n_fetches == 1
    await cache.fetch(source, None, lambda: now() + timedelta(minutes=41))
    assert source.n_fetches == 2


async def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    await HostCache(directory).fetch(Source(), None, now)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = [path for path in directory.iterdir() if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


async def test_a_directory_that_others_may_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    source = Source()
    with pytest.raises(InvalidInputError, match="chmod 700"):
        await HostCache(tmp_path).fetch(source, None, now)
    assert source.n_fetches == 0


async def test_what_lasts_is_not_written(tmp_path: Path) -> None:
    await HostCache(tmp_path / "c").fetch(Source(None), None, now)
    assert all(not path.read_bytes() for path in (tmp_path / "c").iterdir())


async def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    cache, source = HostCache(tmp_path / "c"), Source()
    await cache.fetch(source, None, now)
    (file,) = [path for path in (tmp_path / "c").iterdir() if path.suffix != ".lock"]
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        await cache.fetch(source, None, now)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"kind":"X","fetched_at":1,"credential":{}}'])
async def test_a_damaged_file_is_replaced(tmp_path: Path, damage: bytes) -> None:
    cache, source = HostCache(tmp_path / "c"), Source()
    await cache.fetch(source, None, now)
    (file,) = [path for path in (tmp_path / "c").iterdir() if path.suffix != ".lock"]
    file.write_bytes(damage)
    await cache.fetch(source, None, now)
    assert source.n_fetches == 2
    await cache.fetch(source, None, now)
    assert source.n_fetches == 2


async def test_waiting_for_another_process_holds_no_loop_and_is_cancelled(tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Slow(Source):
        async def fetch(self) -> Credential:
            await gate.wait()
            return BearerCredential("slow", now() + HOUR)

    cache = HostCache(tmp_path / "c")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(cache.fetch(Slow(), None, now))
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await cache.fetch(Slow(), None, now)
        third = group.create_task(cache.fetch(Slow(), None, now))
        gate.set()
    assert first.result() == third.result()


async def test_a_keeper_uses_it(tmp_path: Path) -> None:
    cache = HostCache(tmp_path / "c")
    found = []
    for _ in range(2):
        source = Source()
        async with Keeper(cache=cache) as keeper:
            lease = keeper.lease(source)
            found.append(await lease.get())
        del lease
    assert found[0] == found[1]
