"""What goes wrong is said in one paragraph, with an exit code and without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Cli, Done


def refused(done: Done, *parts: str, code: int = 1) -> None:
    """It failed, and says so as people expect."""
    assert (done.code, done.stdout) == (code, b"")
    assert done.err.startswith("aiolake: ")
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err


def test_a_typo_in_a_path_lists_near_ones(
    cli: Cli, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets.parent)
    refused(cli("info", "petz"), "there is no dataset at", "near it: ./pets")


def test_an_empty_directory_is_no_dataset(cli: Cli, tmp_path: Path) -> None:
    refused(cli("ls", tmp_path), "there is no dataset at")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_not_made(cli: Cli, tmp_path: Path) -> None:
    refused(cli("ls", tmp_path / "a" / "b"), "there is no dataset at")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_directory_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    refused(cli("info", tmp_path), "no aiolake dataset", "notes.txt")


def test_a_file_is_no_directory(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("hello")
    refused(cli("verify", path), str(path), "a file")


@pytest.mark.parametrize("address", ["", "  ", "ftp://x/y", "s3://bucket/x", "mem://nothing"])
def test_an_address_that_leads_nowhere(cli: Cli, address: str) -> None:
    refused(cli("info", address))


@pytest.mark.parametrize("row", ["4", "-5", "99999999999999999999"])
def test_a_missing_row(cli: Cli, pets: Path, row: str) -> None:
    refused(cli("cat", pets, row, "image"), f"row {row} is out of range", "4 rows")
    refused(cli("ls", pets, f"--rows={row}"), f"row {row} is out of range")


def test_a_missing_column(cli: Cli, pets: Path) -> None:
    refused(cli("cat", pets, 0, "imag"), "no column 'imag'", "'image'")
    refused(cli("ls", pets, "--columns", "imag"), "no column 'imag'", "'image'")


def test_a_missing_branch_tag_or_snapshot(cli: Cli, pets: Path) -> None:
    refused(cli("info", f"{pets}@nope"), "no branch 'nope'", "main, old", "no tag 'nope'", "two")
    refused(cli("info", f"{pets}@77"), "no snapshot 77", "between 1 and 5")
    refused(cli("info", f"{pets}@3"), "entry 3 is no snapshot (tag)")


def test_a_reference_to_nothing_speaks_of_the_address(cli: Cli, tmp_path: Path) -> None:
    refused(cli("info", tmp_path / "x@2"), f"no dataset at file://{tmp_path}/x;")


def test_an_at_sign_may_belong_to_the_address(cli: Cli, pets: Path, tmp_path: Path) -> None:
    (tmp_path / "a@b").symlink_to(pets, target_is_directory=True)
    assert cli.ok("info", tmp_path / "a@b", "--json").document["rows"] == 4


@pytest.mark.parametrize("rows", ["", "x", "1:2:0", "1:2:3:4", "1,,2", "1.5"])
def test_rows_that_are_none(cli: Cli, pets: Path, rows: str) -> None:
    refused(cli("ls", pets, f"--rows={rows}"), "names no rows")


def test_bad_values_of_options(cli: Cli, pets: Path) -> None:
    refused(cli("log", pets, "--limit", 0), "--limit is at least 1")
    refused(cli("gc", pets, "--grace=-1h"), "'-1h' is no duration")


@pytest.mark.parametrize(
    "arguments", [("nope",), ("info",), ("info", "a", "b"), ("cat", "a", "x", "y"), ("ls", "--no")]
)
def test_a_command_line_without_sense(cli: Cli, arguments: tuple[str, ...]) -> None:
    refused(cli(*arguments), "Try: aiolake", "--help", code=2)


def test_help_and_version(cli: Cli) -> None:
    assert "demo" in cli.ok("--help").out
    assert "--dry-run" in cli.ok("gc", "--help").out
    assert cli.ok().out == cli.ok("--help").out
    assert cli.ok("--version").out.startswith("0.")


def test_debug_shows_where(cli: Cli, tmp_path: Path) -> None:
    done = cli("info", tmp_path, "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "NotFoundError" in done.err
