"""Tokens that end while they are in use: nothing fails, and each is renewed once for everybody."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from aiolake.stores.azure import AzureStore
from aiolake.stores.base import CreateOutcome
from tests.scale import pick
from tests.servers.azure import AzureServer
from tests.stores.azure.places import Tokens, signature, store_at

LIFE_S = pick(2, 10)
LONG_S = pick(7, 60)
READERS = pick(16, 32)


async def read_for(store: AzureStore, seconds: float) -> int:
    """Read with many at once; how many reads there were, each of the right bytes."""
    await store.put("a", [bytes(range(256)) * 256])
    until, n_reads = time.monotonic() + seconds, 0

    async def reading(n: int) -> None:
        nonlocal n_reads
        while time.monotonic() < until:
            start = (n * 4097 + n_reads * 31) % 60_000
            got = await store.get_range("a", start, start + 256)
            assert bytes(got) == bytes((start + i) % 256 for i in range(256))
            n_reads += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for n in range(READERS):
            group.create_task(reading(n))
    return n_reads


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 300))
async def test_reads_go_on_over_many_lives_of_a_token(azurite_oauth: AzureServer) -> None:
    tokens = Tokens(LIFE_S)
    async with store_at(azurite_oauth, credential=tokens) as store:
        assert await read_for(store, LONG_S) > LONG_S * 100
        state = store.lease.state()
    least, most = LONG_S / LIFE_S, LONG_S / LIFE_S * 2.5 + 2
    assert least <= state.n_renewals == tokens.n_given <= most
    assert state.n_failures == 0


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 300))
async def test_reads_go_on_when_the_source_lies_about_the_end(azurite_oauth: AzureServer) -> None:
    tokens = Tokens(LIFE_S, claimed_s=3600)
    async with store_at(azurite_oauth, credential=tokens) as store:
        assert await read_for(store, LONG_S) > LONG_S * 100
        state = store.lease.state()
    # Each ends with a refusal, by which all who were under way renew once.
    assert LONG_S / (LIFE_S + 1) - 1 <= state.n_renewals == tokens.n_given <= LONG_S / LIFE_S + 2


@pytest.mark.parametrize("verb", ["get", "head", "create", "list"])
async def test_a_verb_is_replayed_once_with_a_new_token(
    azurite_oauth: AzureServer, verb: str
) -> None:
    container = azurite_oauth.new_container()
    azurite_oauth.upload(container, "a", b"x").expect(201)
    tokens = Tokens(3600, first_s=-30)
    async with store_at(azurite_oauth, container=container, credential=tokens) as store:
        if verb == "get":
            assert bytes(await store.get("a")) == b"x"
        elif verb == "head":
            assert (await store.head("a")).size == 1
        elif verb == "list":
            assert [meta.key for meta in (await store.list("")).objects] == ["a"]
        else:
            assert await store.create("b", [b"y"]) is CreateOutcome.CREATED
        assert tokens.n_given == 2


async def test_sixteen_who_need_a_token_at_once_cause_one(azurite_oauth: AzureServer) -> None:
    tokens = Tokens(60)
    async with (
        store_at(azurite_oauth, credential=tokens) as store,
        asyncio.TaskGroup() as group,
    ):
        for n in range(16):
            group.create_task(store.put(f"{n}", [b"x"]))
    assert tokens.n_given == 1


async def test_a_signature_of_a_function_is_renewed(azurite: AzureServer) -> None:
    container, n_given = azurite.new_container(), 0

    def give() -> dict[str, str]:
        nonlocal n_given
        n_given += 1
        return {"sas_token": signature(azurite, container, life=timedelta(seconds=2))}

    async with store_at(azurite, container=container, credential=give) as store:
        assert await read_for(store, 4) > 100
    assert 2 <= n_given <= 8
