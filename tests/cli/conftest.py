"""One small dataset for the commands that only read, and a way to run them."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

import aiolake
from aiolake import Bytes, ClassLabel, ColumnType, Dataset, Embedding, Image, Json, Tensor, Text
from tests.cli.running import Cli

SCHEMA: dict[str, ColumnType] = {
    "image": Image(),
    "label": ClassLabel(["cat", "dog"]),
    "caption": Text(),
    "about": Json(),
    "raw": Bytes(),
    "vector": Embedding(3),
    "score": Tensor("float64"),
    "points": Tensor("int16", (None, 2)),
}


def png(width: int, height: int) -> bytes:
    """A gray picture."""
    out = io.BytesIO()
    Pictures.new("L", (width, height), 77).save(out, "PNG")
    return out.getvalue()


def row(i: int) -> dict[str, object]:
    """Row ``i`` of the dataset."""
    return {
        "image": png(10 + i, 5),
        "label": i % 2,
        "caption": f"caption {i} " + "long " * 30,
        "about": {"i": i, "tags": ["a", None]},
        "raw": bytes(range(i + 1)),
        "vector": np.full(3, i, np.float32),
        "score": i / 4,
        "points": np.full((i, 2), i, np.int16),
    }


NULLS = dict.fromkeys(SCHEMA)


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Runs commands in this process."""
    return Cli(capfdbinary)


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Snapshot 2 has rows 0 and 1, snapshot 3 also row 2 and a row of None; do not change it.

    The tag ``two`` and the branch ``old`` name snapshot 2.
    """
    root = tmp_path_factory.mktemp("data") / "pets"

    async def build() -> None:
        async with aiolake.create_dataset(root, SCHEMA, metadata={"from": "tests"}) as ds:
            await _append(ds, [row(0), row(1)], "two pets")
            await ds.tags.create("two")
            await ds.branches.create("old")
            await _append(ds, [row(2), NULLS], "two \x1b[31mmore")

    asyncio.run(build())
    return root


async def _append(ds: Dataset, rows: list[dict[str, object]], message: str) -> None:
    async with ds.transaction(message, author="tester") as tx:
        await tx.append(rows)
