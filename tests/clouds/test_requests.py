"""The request contract on the clouds: what each thing costs there is what it costs anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from aiolake.options import Options
from aiolake.stores.network import Network
from tests.clouds.places import Cloud
from tests.dataset.helpers import Backend
from tests.dataset.test_requests import *  # noqa: F403 its tests, on the root below


@pytest.fixture  # type: ignore[no-redef]
async def backend(cloud: Cloud) -> AsyncIterator[Backend]:
    """The root, counted."""
    async with Network(Options()) as network:
        yield Backend(cloud.store(network))


@pytest.fixture  # type: ignore[no-redef]
def remote(backend: Backend) -> Backend:
    return backend
