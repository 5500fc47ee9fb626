from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aiolake
from tests.cancellation.place import Place, filled, place_of


@pytest.fixture(params=["memory", "local"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A place without a dataset, with a session."""
    there = place_of(request.param, tmp_path)
    async with there.opened():
        yield there


@pytest.fixture
async def ds(place: Place) -> AsyncIterator[aiolake.Dataset]:
    """An open dataset of ``N_ROWS`` rows."""
    await filled(place)
    async with aiolake.open_dataset(place.url, session=place.session) as opened:
        yield opened
