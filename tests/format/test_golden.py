"""Datasets written once are still read, by the engine and by the independent reader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

import aiolake
from tests.format.expected import CHECKSUMS, ROOT, load
from tests.format.samples import TYPES
from tests.format.scenario import check_engine, check_reader
from tests.format.write_golden import WRITERS, checksums, write_missing


def test_every_golden_dataset_is_there() -> None:
    found = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert found == set(WRITERS)


def test_no_golden_file_was_ever_changed() -> None:
    """Datasets that a release wrote are what their users have: others do not stand for them."""
    pinned = CHECKSUMS.read_text(encoding="utf-8")
    assert checksums(ROOT).splitlines() == pinned.splitlines()


def test_every_type_is_there() -> None:
    models, _ = load(ROOT / "every_type.json")
    assert set(TYPES.values()) <= set(models[2].types.values())
    found = {type(each) for each in models[2].types.values()}
    assert found == set(get_args(aiolake.ColumnType))


@pytest.fixture(params=sorted(WRITERS))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, so that a test cannot change what is kept."""
    name = str(request.param)
    shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path / name


async def test_golden_datasets_are_read(golden: Path) -> None:
    models, names = load(ROOT / f"{golden.name}.json")
    assert models
    for n, model in models.items():
        check_reader(golden, model, snapshot=n)
        await check_engine(str(golden), model, snapshot=n)
    for name, n in names["branches"].items():
        check_reader(golden, models[n], branch=name)
        await check_engine(str(golden), models[n], branch=name)
    for name, n in names["tags"].items():
        check_reader(golden, models[n], tag=name)
        await check_engine(str(golden), models[n], tag=name)


async def test_golden_datasets_can_be_written_to(golden: Path) -> None:
    """A log that an older release began goes on."""
    models, names = load(ROOT / f"{golden.name}.json")
    model = models[names["branches"]["main"]]
    nulls: dict[str, Any] = dict.fromkeys(model.types)
    if model.key is not None:
        nulls[model.key] = "a new one"
    async with aiolake.open_dataset(golden) as ds:
        async with ds.transaction() as tx:
            await tx.append(nulls)
        assert (await aiolake.verify(ds, depth="samples")).problems == ()
    model.rows.append(nulls)
    check_reader(golden, model)
    await check_engine(str(golden), model)


async def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    for name in WRITERS:
        (tmp_path / name).mkdir()
    assert await write_missing(tmp_path) == []
    (tmp_path / "anew").rmdir()
    (tmp_path / "anew.json").touch()
    with pytest.raises(FileExistsError):
        await write_missing(tmp_path)
