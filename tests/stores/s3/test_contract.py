"""The contract of stores on S3's protocol, against a server of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiolake import urls
from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.testing import StoreContract
from tests.servers.s3 import S3Server


def creds_of(server: S3Server, **more: Any) -> dict[str, Any]:
    """What opens a server's buckets."""
    return {
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key,
        "region_name": server.region,
        "endpoint_url": server.url,
        **more,
    }


class OnS3(StoreContract):
    server: S3Server
    prefix = ""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        url = f"s3://{self.server.new_bucket()}/{self.prefix}"
        async with Network(Options()) as network:
            store = open_store(urls.parse(url), creds=creds_of(self.server), network=network)
            # From now on the keeper has its task, which no test is to take for one left over.
            await store.list("", limit=1)
            yield store


class TestS3(OnS3):
    prefix = "some prefix/ä+%20"

    @pytest.fixture(autouse=True)
    def _server(self, moto: S3Server) -> None:
        self.server = moto


class TestS3OfAWholeBucket(OnS3):
    @pytest.fixture(autouse=True)
    def _server(self, moto_checked: S3Server) -> None:
        """This one checks every signature."""
        self.server = moto_checked
