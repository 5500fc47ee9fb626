"""Reads that are begun, at a server that checks their signatures and keeps connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from aiolake import urls
from aiolake.credentials.values import AwsCredential
from aiolake.options import Options
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.stores.s3 import S3Store
from tests.servers.s3 import S3Server
from tests.stores.begun import begun

KEY = "a b%/ä+&"
DATA = bytes(range(256)) * 10


@asynccontextmanager
async def opened(server: S3Server, url: str) -> AsyncIterator[S3Store]:
    """A store by a session's keys, with a connection that is at hand."""
    keys = server.session(900)
    async with Network(Options()) as network:
        given = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
            "endpoint_url": server.url,
            "region_name": "us-east-1",
        }
        store = open_store(urls.parse(url), creds=given, network=network)
        assert isinstance(store, S3Store)
        yield store


async def test_they_are_signed_as_the_server_wants_it(ministack: S3Server) -> None:
    url = f"s3://{ministack.new_bucket()}/x y/z"
    async with opened(ministack, url) as store:
        await store.put(KEY, [DATA])
        await store.get(KEY)
        for start, stop in [(0, 1), (7, 2000), (0, len(DATA))]:
            found = await begun(store, KEY, start, stop)
            assert found == DATA[start:stop]


async def test_of_what_is_refused_or_missing_nothing_is_told(ministack: S3Server) -> None:
    url = f"s3://{ministack.new_bucket()}/x"
    async with opened(ministack, url) as store:
        await store.put(KEY, [DATA])
        await store.get(KEY)
        credential = store.lease.current()
        assert isinstance(credential, AwsCredential)
        wrong = AwsCredential(credential.access_key_id, "x" * 40, credential.session_token)
        assert await begun(store, KEY, len(DATA), len(DATA) + 5) is None
        with mock.patch.object(store._lease, "current", return_value=wrong):
            assert await begun(store, KEY, 0, 10) is None
        assert await begun(store, KEY, 0, 10) == DATA[:10]
        await store.delete([KEY])
        assert await begun(store, KEY, 0, 10) is None
