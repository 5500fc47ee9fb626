"""``ingest`` and ``stats``, and datasets made with a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import png
from tests.cli.running import Cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for i, label in enumerate(["cat", "dog", "cat"]):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{i}.png").write_bytes(png(8 + i, 6))
    return root


def test_a_folder_becomes_a_dataset_and_once_only(cli: Cli, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "ds"
    report = cli.ok("ingest", target, folder, "--json").document
    assert (report["created"], report["n_rows"], report["n_skipped"]) == (True, 3, 0)
    assert cli.ok("ingest", target, folder, "--json").document["n_rows"] == 0
    assert cli.ok("ingest", target, folder, "--no-resume", "--json").document["n_rows"] == 3
    assert cli.ok("info", target, "--json").document["rows"] == 6


def test_bad_files_end_the_run_or_are_listed(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_text("no picture")
    target = tmp_path / "ds"
    done = cli("ingest", target, folder)
    assert (done.code, "cat/bad.png" in done.err) == (1, True)
    errors = tmp_path / "errors.jsonl"
    out = cli.ok("ingest", target, folder, "--on-error", "skip", "--errors-to", errors).out
    assert "3 rows of the folder" in out
    assert "cat/bad.png" in out
    assert json.loads(errors.read_text())["name"] == "cat/bad.png"


def test_rows_go_to_a_branch_and_never_to_a_snapshot(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "ds"
    cli.ok("ingest", target, folder)
    done = cli("ingest", f"{target}@1", folder, "--no-resume")
    assert (done.code, "is a snapshot" in done.err) == (1, True)
    assert cli.ok("info", target, "--json").document["rows"] == 3


def test_a_report_and_its_advice_read_as_the_command_line_does(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "ds"
    (folder / "cat" / "bad.png").write_text("no picture")
    (folder / "notes.txt").write_text("notes")
    assert "--on-error skip leaves" in cli("ingest", target, folder).err
    out = cli.ok("ingest", target, folder, "--on-error", "skip").out
    assert "1 commit\n1 source skipped:" in out
    assert "1 other file left out" in out
    assert "--no-resume" in cli.ok("ingest", target, folder, "--on-error", "skip").out
    (folder / "cat" / "0.png").unlink()
    assert "--no-resume" in cli("ingest", target, folder).err


def test_a_table_takes_types_from_the_command_line(cli: Cli, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("file,year\npictures/cat/0.png,2024\npictures/dog/1.png,2025\n")
    target = tmp_path / "ds"
    cli.ok("ingest", target, table, "file=Image", "year=Tensor(int16)")
    columns = cli.ok("info", target, "--json").document["columns"]
    assert "int16" in columns[1]["type"]
    assert "png 8x6" in cli.ok("ls", target).out or "png 6x8" in cli.ok("ls", target).out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nowhere",), "nowhere"),
        (("pictures", "--commit-every", "0"), "commit_every"),
        (("pictures", "--max-errors", "3"), "--on-error skip"),
        (("pictures", "x=Pickture"), "no column type"),
    ],
)
def test_what_cannot_be_ingested(
    cli: Cli,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    part: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    done = cli("ingest", tmp_path / "ds", *arguments)
    assert (done.code, part in done.err) == (1, True)
    assert not (tmp_path / "ds").exists()


def test_stats_say_what_columns_hold(cli: Cli, pets: Path) -> None:
    document = cli.ok("stats", pets, "--json").document
    labels = next(column for column in document["columns"] if column["name"] == "label")
    assert (labels["nulls"], labels["labels"]) == (1, {"cat": 2, "dog": 1})
    assert "cat 2, dog 1" in cli.ok("stats", pets).out
    fast = cli.ok("stats", pets, "--fast", "--json").document
    score = next(column for column in fast["columns"] if column["name"] == "score")
    assert (score["min"], score["max"]) == (0.0, 0.5)


def test_a_dataset_made_with_a_key_refuses_a_second_row_of_it(cli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text('{"name": "a", "n": 1}\n{"name": "a", "n": 2}\n')
    cli.ok("create", tmp_path / "once", "name=Text", "n=Tensor(int64)", "--key", "name")
    done = cli("ingest", tmp_path / "once", table)
    assert (done.code, "'a'" in done.err) == (1, True)
    last = tmp_path / "last"
    cli.ok("create", last, "name=Text", "n=Tensor(int64)", "--key", "name",
           "--on-duplicate", "replace")  # fmt: skip
    cli.ok("ingest", last, table)
    assert [row["n"] for row in cli.ok("ls", last, "--json").document] == [2]
    done = cli("create", tmp_path / "bad", "x=Image", "--key", "x")
    assert (done.code, "key" in done.err) == (1, True)
