"""The independent reader reads what the engine writes, value by value."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import aiolake
from aiolake import Options
from tests.format.samples import TYPES
from tests.format.scenario import History, check_engine, check_reader
from tests.scale import pick

TIGHT = Options(durability="os", chunk_bytes=2000, small_bytes=1500)
ROOMY = Options(durability="os")


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> Options:
    """Everything that has a limit meets it: parts, manifests and lists of a few bytes."""
    monkeypatch.setattr("aiolake.chunks.pack.MAX_PART_BYTES", 700)
    monkeypatch.setattr("aiolake.chunks.write._INLINE_NBYTES", 200)
    monkeypatch.setattr("aiolake.versions.commit.FOLD_BYTES", 6000)
    for name in ("DESCRIPTION_BYTES", "REFS_BYTES", "RUNS_BYTES", "EFFECTS_BYTES"):
        monkeypatch.setattr(f"aiolake.versions.blobs.{name}", 40)
    return TIGHT


async def run_history(directory: Path, options: Options, seed: int, n_commits: int) -> None:
    rng = random.Random(seed)
    async with aiolake.create_dataset(directory, TYPES, options=options) as ds:
        history = History(ds, TYPES, rng)
        for i in range(n_commits):
            await history.commit()
            if i % 3 == 1:
                await history.name()
            if i % 5 == 3:
                await history.restore()
    for n, model in history.models.items():
        check_reader(directory, model, snapshot=n)
        await check_engine(str(directory), model, snapshot=n)
    for name, n in history.branches.items():
        check_reader(directory, history.models[n], branch=name)
    for name, n in history.tags.items():
        check_reader(directory, history.models[n], tag=name)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(3, 60)))
async def test_random_histories_read_alike(tmp_path: Path, seed: int) -> None:
    await run_history(tmp_path / "ds", ROOMY, seed, pick(6, 20))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(3, 60)))
async def test_random_histories_with_everything_spilled_read_alike(
    tmp_path: Path, seed: int, tight: Options
) -> None:
    await run_history(tmp_path / "ds", tight, seed, pick(6, 20))
    assert list((tmp_path / "ds").glob("lists/*/*"))
    assert list((tmp_path / "ds").glob("manifests/*/*"))
