"""``export-images``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import aiolake
from aiolake import ClassLabel, ColumnType, Image, Text
from tests.cli.conftest import png
from tests.cli.running import Cli


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_pictures_are_written_byte_for_byte(cli: Cli, pets: Path, tmp_path: Path) -> None:
    done = cli.ok("export-images", pets, tmp_path / "out")
    assert "3 pictures in" in done.out
    assert "1 row without one" in done.out
    expected = {f"{i:06}.png": png(10 + i, 5) for i in range(3)}
    assert files(tmp_path / "out") == expected


def test_rows_may_be_chosen(cli: Cli, pets: Path, tmp_path: Path) -> None:
    cli.ok("export-images", pets, tmp_path / "out", "--rows=-2,0", "--column", "image")
    assert sorted(files(tmp_path / "out")) == ["000000.png", "000002.png"]


def test_labels_are_folders_that_cannot_leave_the_directory(cli: Cli, tmp_path: Path) -> None:
    labels = ["cat", "../up", "a/b", ".."]

    async def build() -> None:
        schema: dict[str, ColumnType] = {"picture": Image(), "label": ClassLabel(labels)}
        async with aiolake.create_dataset(tmp_path / "ds", schema) as ds, ds.transaction() as tx:
            await tx.append([{"picture": png(9, 9), "label": label} for label in [*labels, None]])

    asyncio.run(build())
    out = tmp_path / "deep" / "out"
    cli.ok("export-images", tmp_path / "ds", out, "--by", "label")
    assert len(files(out)) == 5
    assert (out / "cat" / "000000.png").exists()
    assert (out / "none" / "000004.png").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "ds"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_nothing_is_overwritten(cli: Cli, pets: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = cli("export-images", pets, tmp_path)
    assert (done.code, "not empty" in done.err) == (1, True)
    assert files(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--column", "label"), "holds no pictures"),
        (("--column", "nobody"), "there is no column"),
        (("--by", "caption"), "labels"),
        (("--rows", "99"), "out of range"),
    ],
)
def test_what_cannot_be_exported(
    cli: Cli, pets: Path, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    done = cli("export-images", pets, tmp_path / "out", *arguments)
    assert (done.code, part in done.err) == (1, True)


def test_a_dataset_without_pictures_says_so(cli: Cli, tmp_path: Path) -> None:
    async def build() -> None:
        async with aiolake.create_dataset(tmp_path / "ds", {"t": Text()}):
            pass

    asyncio.run(build())
    done = cli("export-images", tmp_path / "ds", tmp_path / "out")
    assert (done.code, "columns of pictures: none" in done.err) == (1, True)
