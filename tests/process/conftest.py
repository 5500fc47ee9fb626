from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aiolake
from tests.process.workers import SCHEMA, row


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A dataset of 100 rows on local disk."""
    create = aiolake.create_dataset(tmp_path / "ds", SCHEMA)
    async with create as made, made.transaction("first") as tx:
        await tx.append([row(i) for i in range(100)])
    return tmp_path / "ds"


@pytest.fixture
async def ds(path: Path) -> AsyncIterator[aiolake.Dataset]:
    async with aiolake.open_dataset(path) as opened:
        yield opened
