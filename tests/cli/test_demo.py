"""``demo``, with few pictures."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

import aiolake
from tests.cli.conftest import png
from tests.cli.running import Cli


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def jpeg(colour: str) -> bytes:
    out = io.BytesIO()
    Pictures.new("RGB", (40, 30), colour).save(out, "JPEG")
    return out.getvalue()


def test_the_demo_does_the_main_job(cli: Cli, here: Path) -> None:
    out = cli.ok("demo", "--crops", 120).out
    assert "120 JPEG crops of 6 photographs" in out
    assert [line for line in out.splitlines() if line.startswith("shuffled pass")]
    assert "Snapshot 2, opened again, has 60 rows" in out
    assert "aiolake info ./aiolake-demo" in out
    with Pictures.open(here / "aiolake-demo.png") as sheet:
        assert sheet.format == "PNG"
        assert min(sheet.size) > 1000


def test_what_it_leaves_is_a_sound_dataset_of_two_commits(cli: Cli, here: Path) -> None:
    cli.ok("demo", "--crops", 30)
    log = cli.ok("log", "aiolake-demo", "--json").document
    assert [(e["operation"], e["rows"]) for e in log] == [
        ("commit", 30),
        ("commit", 15),
        ("create", 0),
    ]
    assert cli.ok("info", "aiolake-demo@first-half", "--json").document["rows"] == 15
    cli.ok("verify", "aiolake-demo")


def test_its_pictures_are_the_photographs(cli: Cli, here: Path) -> None:
    cli.ok("demo", "--crops", 12)

    async def read() -> tuple[list[np.ndarray], list[int]]:
        async with aiolake.open_dataset("aiolake-demo") as ds:
            batch = await ds.read(slice(None))
            return batch["image"], batch["label"].tolist()

    images, labels = asyncio.run(read())
    assert labels == [0, 1, 2, 3, 4, 5] * 2
    assert all(96 <= side <= 224 for image in images for side in image.shape[:2])
    red, green, blue = images[4].reshape(-1, 3).mean(axis=0)
    assert red > green + 20 > blue + 20, "the retina is red"


def test_a_second_demo_takes_a_fresh_directory(cli: Cli, here: Path) -> None:
    cli.ok("demo", "--crops", 8)
    assert "aiolake-demo-2" in cli.ok("demo", "--crops", 8).out
    names = {path.name for path in here.iterdir()}
    assert names == {"aiolake-demo", "aiolake-demo.png", "aiolake-demo-2", "aiolake-demo-2.png"}


def test_nothing_is_overwritten(cli: Cli, here: Path) -> None:
    (here / "mine.png").write_bytes(b"mine")
    cli.ok("demo", "--crops", 8, "--dir", "mine")
    assert (here / "mine.png").read_bytes() == b"mine"
    assert (here / "mine-2.png").exists()
    done = cli("demo", "--crops", 8, "--dir", "mine")
    assert done.code == 1
    assert "already" in done.err


def test_the_report_as_json(cli: Cli, here: Path) -> None:
    report = cli.ok("demo", "--crops", 20, "--json").document
    assert report["url"] == f"file://{here}/aiolake-demo"
    assert [(step["rows"], step["seconds"] > 0) for step in report["steps"]][::3] == [
        (20, True),
        (20, True),
    ]
    assert (report["first_snapshot"], report["last_snapshot"]) == (2, 3)
    assert report["rows_compared"] == 10


def test_the_same_seed_gives_the_same_pictures(cli: Cli, here: Path) -> None:
    for name in ("a", "b"):
        cli.ok("demo", "--crops", 8, "--dir", name)
    assert cli.ok("cat", "a", 5, "image").stdout == cli.ok("cat", "b", 5, "image").stdout


def own_pictures(root: Path) -> Path:
    for label, colour in (("red", "red"), ("blue", "blue")):
        (root / label).mkdir(parents=True)
        for i in range(2):
            (root / label / f"{i}.jpg").write_bytes(jpeg(colour))
    return root


def test_a_folder_of_ones_own(cli: Cli, here: Path) -> None:
    own_pictures(here / "mine")
    cli.ok("demo", "--from", "mine", "--dir", "out")
    rows = cli.ok("ls", "out", "--json").document
    assert [(row["label"], row["path"]) for row in rows] == [
        ("blue", "blue/0.jpg"),
        ("blue", "blue/1.jpg"),
        ("red", "red/0.jpg"),
        ("red", "red/1.jpg"),
    ]
    assert cli.ok("cat", "out", 3, "image").stdout == jpeg("red")


def test_bad_files_are_reported_and_skipped(cli: Cli, here: Path) -> None:
    folder = own_pictures(here / "mine")
    (folder / "notes.txt").write_text("no picture")
    (folder / "red" / "cut.jpg").write_bytes(jpeg("red")[:-200])
    (folder / "red" / "empty.png").write_bytes(b"")
    (folder / "red" / "gone.png").symlink_to("nowhere")
    (folder / ".hidden.jpg").write_bytes(b"never looked at")
    done = cli("demo", "--from", "mine", "--dir", "out")
    assert done.code == 0
    skipped = [line.split(":")[0] for line in done.err.splitlines()]
    assert skipped == [
        "skipped notes.txt",
        "skipped red/cut.jpg",
        "skipped red/empty.png",
        "skipped red/gone.png",
    ]
    assert cli.ok("info", "out", "--json").document["rows"] == 4


def test_a_flat_folder_has_one_label(cli: Cli, here: Path) -> None:
    (here / "flat").mkdir()
    (here / "flat" / "one.png").write_bytes(png(7, 9))
    cli.ok("demo", "--from", "flat", "--dir", "out")
    (row,) = cli.ok("ls", "out", "--json").document
    assert (row["label"], row["image"]["shape"]) == ("flat", [9, 7, 1])


def test_a_folder_that_is_none(cli: Cli, here: Path) -> None:
    (here / "empty").mkdir()
    (here / "file").write_text("x")
    (here / "texts").mkdir()
    (here / "texts" / "a.txt").write_text("x")
    for name, why in (
        ("missing", "there is no folder missing"),
        ("empty", "holds no files"),
        ("file", "is a file"),
        ("texts", "there is no picture among the 1 file"),
    ):
        done = cli("demo", "--from", name)
        assert (done.code, why in done.err) == (1, True), done.err
    assert not (here / "aiolake-demo").exists()
