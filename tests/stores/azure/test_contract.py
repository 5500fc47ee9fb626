"""The contract of stores on Azure's protocol, once for each kind of credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.network import Network
from aiolake.testing import StoreContract
from aiolake.testing.contract import ODD_KEYS, ORDERED_KEYS
from tests.servers.azure import AzureServer
from tests.stores.azure.places import Tokens, address, opened, signature


class _OnAzure(StoreContract):
    odd_keys = tuple(key.replace("\\", "") for key in ODD_KEYS)
    """Azure turns a backslash into a slash; such keys are refused."""

    ordered_keys = tuple(key for key in ORDERED_KEYS if key != "\uffff")
    """Azurite cannot list a name with a character that XML does not have."""

    @pytest.fixture(autouse=True)
    async def _network(self) -> AsyncIterator[None]:
        async with Network(Options()) as self.network:
            yield

    server: AzureServer

    async def make_store(self) -> Store:
        container = self.server.new_container()
        url = address(self.server, container, self.prefix)
        store = opened(self.network, self.server, url, **self.creds(container))
        # From now on the network's keeper has its task, which no test is to take for one left over.
        await store.list("", limit=1)
        return store

    prefix = ""

    def creds(self, container: str) -> dict[str, Any]:
        raise NotImplementedError


class TestByKey(_OnAzure):
    prefix = "some prefix/ä+%20"

    @pytest.fixture(autouse=True)
    def _server(self, azurite: AzureServer) -> None:
        self.server = azurite

    def creds(self, container: str) -> dict[str, Any]:
        return {"account_key": self.server.key}


class TestBySignature(TestByKey):
    prefix = "p"
    n_many = 3
    big_nbytes = 10 << 20

    def creds(self, container: str) -> dict[str, Any]:
        return {"sas_token": signature(self.server, container)}

    async def test_pages_are_full_and_go_on_after_their_token(self) -> None:
        """Pages do not depend on who asks for them."""


class TestByConnectionString(TestBySignature):
    prefix = ""

    def creds(self, container: str) -> dict[str, Any]:
        return {"connection_string": self.server.connection_string}


class TestByToken(TestBySignature):
    @pytest.fixture(autouse=True)
    def _server(self, azurite_oauth: AzureServer) -> None:
        self.server = azurite_oauth

    def creds(self, container: str) -> dict[str, Any]:
        return {"credential": Tokens(3600)}
