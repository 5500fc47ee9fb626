"""A backend of each test's own, and a small dataset on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import aiolake
from aiolake import Dataset
from tests.dataset.helpers import Backend
from tests.dataset.refusals import GOOD, N_ROWS, SCHEMA


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest_asyncio.fixture
async def flowers(backend: Backend) -> AsyncIterator[Dataset]:
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, SCHEMA, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append([GOOD] * N_ROWS)
        yield ds
