"""Containers of the tests' servers, ways to reach them, and tokens that azurite believes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from aiolake import urls
from aiolake.credentials.values import BearerCredential
from aiolake.options import Options
from aiolake.stores.azure import AzureStore
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from tests.servers.azure import AzureServer

ISSUER = "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/"
AUDIENCE = "https://storage.azure.com"


def address(server: AzureServer, container: str, prefix: str = "") -> urls.Address:
    return urls.parse(f"az://{server.account}/{container}/{prefix}".rstrip("/"))


def opened(network: Network, server: AzureServer, url: urls.Address, **creds: Any) -> AzureStore:
    """A store whose credential is given by keys of ``creds``, at the server."""
    verify = {} if server.ca is None else {"verify": str(server.ca)}
    given = {"endpoint_url": server.url, **verify, **creds}
    store = open_store(url, creds=given, network=network)
    assert isinstance(store, AzureStore)
    return store


@asynccontextmanager
async def store_at(
    server: AzureServer, *, container: str | None = None, prefix: str = "", **creds: Any
) -> AsyncIterator[AzureStore]:
    """A store with a network of its own; by the account's key unless ``creds`` say otherwise."""
    async with Network(Options()) as network:
        url = address(server, container or server.new_container(), prefix)
        yield opened(network, server, url, **(creds or {"account_key": server.key}))


def signature(
    server: AzureServer,
    container: str,
    permissions: str = "racwdl",
    life: timedelta = timedelta(hours=1),
    start: datetime | None = None,
) -> str:
    """A shared access signature for a container."""
    made: str = generate_container_sas(
        server.account,
        container,
        account_key=server.key,
        permission=ContainerSasPermissions.from_string(permissions),
        expiry=datetime.now(UTC) + life,
        start=start,
    )
    return made


def token(life_s: float, *, issuer: str = ISSUER, audience: str = AUDIENCE) -> str:
    """A token that ends after so many seconds; azurite does not look at its signature."""
    now = time.time()
    claims = {"aud": audience, "iss": issuer, "iat": int(now) - 60, "nbf": int(now) - 60}
    # Whole seconds: rounded up, or one of a second might be over before it is used.
    claims |= {"exp": int(now + life_s + 0.999), "oid": "someone", "tid": "72f988bf"}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()


class Tokens:
    """A function for ``creds=`` that gives tokens, and counts them.

    Args:
        life_s: How long each lives.
        claimed_s: How long it is said to.
        first_s: How long the first one lives, if not so long.
    """

    def __init__(
        self, life_s: float, *, claimed_s: float | None = None, first_s: float | None = None
    ) -> None:
        self.n_given = 0
        self._life_s = life_s
        self._first_s = life_s if first_s is None else first_s
        self._claimed_s = life_s if claimed_s is None else claimed_s

    async def __call__(self) -> BearerCredential:
        life_s = self._life_s if self.n_given else self._first_s
        self.n_given += 1
        ends = datetime.now(UTC) + timedelta(seconds=self._claimed_s)
        return BearerCredential(token(life_s), ends)
