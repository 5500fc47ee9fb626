"""Roots on the servers that play clouds, and how any process opens them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from aiolake import urls
from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from tests.servers.azure import AzureServer
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

__all__ = ["CLOUDS", "Cloud", "cloud_of", "tried_clouds"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """An empty root; picklable, for what runs in other processes.

    Attributes:
        url: Of a dataset that is to be there.
        creds: What opens it; of a server of the tests, so no secret.
    """

    url: str
    creds: dict[str, Any]

    def store(self, network: Network) -> Store:
        """A store of the root."""
        return open_store(
            urls.parse(self.url), creds=self.creds, options=Options(), network=network
        )


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes roots of one cloud.

    Attributes:
        server: The fixture that plays it.
        make: An empty root on the server.
    """

    server: str
    make: Callable[[Any], Cloud]


def _s3(server: S3Server) -> Cloud:
    creds = {
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key,
        "region": server.region,
        "endpoint_url": server.url,
    }
    return Cloud(f"s3://{server.new_bucket()}/set", creds)


def _gcs(server: GcsServer) -> Cloud:
    creds = {"credentials": "anonymous", "endpoint_url": server.url}
    return Cloud(f"gcs://{server.new_bucket()}/set", creds)


def _azure(server: AzureServer) -> Cloud:
    creds = {"account_key": server.key, "endpoint_url": server.url}
    return Cloud(f"az://{server.account}/{server.new_container()}/set", creds)


CLOUDS = {
    "s3": Maker("moto", _s3),
    "gcs": Maker("fake_gcs", _gcs),
    "azure": Maker("azurite", _azure),
    "radosgw": Maker("radosgw", _s3),
}
_ORDINARY = "s3,gcs,azure"
"""The servers that start in a moment everywhere; others are for lanes."""


def tried_clouds() -> list[str]:
    """Those that this run is about: ``AIOLAKE_CLOUDS``, with commas, where a lane sets it."""
    return os.environ.get("AIOLAKE_CLOUDS", _ORDINARY).split(",")


def cloud_of(request: pytest.FixtureRequest) -> Cloud:
    """An empty root on the cloud a test is parametrised with."""
    maker = CLOUDS[request.param]
    return maker.make(request.getfixturevalue(maker.server))
