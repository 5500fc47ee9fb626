"""Prefix and key together are an object's name, which may have 1,024 bytes or characters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import aiolake
from aiolake import Bytes, keys
from aiolake.errors import InvalidInputError
from aiolake.options import Options
from aiolake.stores.base import CreateOutcome, Store
from aiolake.stores.network import Network
from tests.clouds.places import Cloud

MOST = 1024
LETTERS = ("x", "ä", "🙂")


def length(cloud: Cloud, text: str) -> int:
    """As the service counts."""
    return len(text) if cloud.url.startswith("az:") else len(text.encode())


def text_of(cloud: Cloud, n: int, letter: str) -> str:
    """So long a text, in parts of sixty letters."""
    text = ""
    while length(cloud, text) < n:
        text += "/" if len(text) % 61 == 60 else letter
        while length(cloud, text) > n:
            text = f"{text[:-1]}{'x' * (n - length(cloud, text[:-1]))}"
    return f"{text[:-1]}x" if text.endswith("/") else text


def below(cloud: Cloud, prefix: str) -> Cloud:
    """A root of the same bucket under a prefix."""
    return replace(cloud, url=f"{cloud.url.removesuffix('/set')}/{prefix}")


def verbs(store: Store, key: str) -> list[Any]:
    """Requests that name it."""
    return [
        store.get(key),
        store.get_range(key, 0, 1),
        store.head(key),
        store.put(key, [b"y"]),
        store.create(key, [b"y"]),
        store.delete(["a", key]),
        store.list(key),
    ]


@pytest.mark.parametrize("letter", LETTERS)
async def test_the_longest_name_is_kept_and_a_longer_one_is_refused_before_it_is_sent(
    cloud: Cloud, letter: str
) -> None:
    n_prefix = 250 if letter == "🙂" else 508
    prefix = text_of(cloud, n_prefix, letter)
    room = MOST - n_prefix - 1
    # Of Azure's characters a key may have fewer than there is room for: 1,024 bytes.
    key = text_of(cloud, room, "x" if letter == "🙂" else letter)
    async with Network(Options()) as network:
        store = below(cloud, prefix).store(network)
        assert await store.create(key, [b"0123"]) is CreateOutcome.CREATED
        assert bytes(await store.get_range(key, 1, 3)) == b"12"
        assert [meta.key for meta in (await store.list("")).objects] == [key]
        n_sent = network.transport.statistics().requests
        for call in verbs(store, f"{key}x"):
            with pytest.raises(InvalidInputError) as caught:
                await call
            assert "1,025 bytes" in str(caught.value) or "1,025 characters" in str(caught.value)
            assert f"the prefix of the address ({n_prefix + 1:,})" in str(caught.value)
            assert "shorten the prefix, or the key, by 1 or more" in str(caught.value)
        with pytest.raises(InvalidInputError):
            store.begin_ranges([(f"{key}x", 0, 1)], print)  # type: ignore[attr-defined]
        assert network.transport.statistics().requests == n_sent
        assert bytes(await store.get(key)) == b"0123"
        await store.delete([key])


async def test_an_address_that_leaves_too_little_says_so_before_anything_is_written(
    cloud: Cloud,
) -> None:
    """There is room for the log, and none for manifests; or for nothing."""
    n_most = MOST - 1 - len(keys.LONGEST)
    for n_prefix in (n_most + 1, 1000, 1023):
        root = below(cloud, text_of(cloud, n_prefix, "x"))
        with pytest.raises(InvalidInputError, match="shorten the prefix"):
            await _written(root)
    root = below(cloud, text_of(cloud, n_most + 1, "x"))
    assert not await aiolake.dataset_exists(root.url, creds=root.creds)
    root = below(cloud, text_of(cloud, n_most, "x"))
    await _written(root)
    async with aiolake.open_dataset(root.url, creds=root.creds) as ds:
        assert (await ds.read(0))["b"] == b"1"
    for history in (False, True):
        with pytest.raises(InvalidInputError, match="shorten the prefix"):
            await aiolake.copy_dataset(
                root.url,
                f"{root.url}y",
                history=history,
                creds=root.creds,
                target_creds=root.creds,
            )
    assert not await aiolake.dataset_exists(f"{root.url}y", creds=root.creds)


async def _written(root: Cloud) -> None:
    create = aiolake.create_dataset(root.url, {"b": Bytes()}, creds=root.creds)
    async with create as ds, ds.transaction() as tx:
        await tx.append({"b": b"1"})
