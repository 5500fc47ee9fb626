"""``cp``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import Cli


def test_a_snapshot_is_copied_with_its_rows(cli: Cli, pets: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert "2 rows in" in cli.ok("cp", f"{pets}@two", target).out
    ours, theirs = (cli.ok("ls", at, "--json").document for at in (f"{pets}@two", target))
    assert ours == theirs
    assert "copied 0 rows" in cli.ok("cp", f"{pets}@two", target).out
    assert cli("cp", pets, target).code == 1


def test_a_history_is_copied_with_its_names(cli: Cli, pets: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    done = cli("cp", f"{pets}@two", target, "--history")
    assert (done.code, "without @two" in done.err) == (1, True)
    cli.ok("cp", pets, target, "--history")
    for command in ("branch", "tag", "log"):
        ours, theirs = (cli.ok(command, at, "--json").document for at in (pets, target))
        assert ours == theirs
    assert cli.ok("verify", target, "--json").document["ok"]


def test_what_is_there_is_not_overwritten(cli: Cli, pets: Path, tmp_path: Path) -> None:
    cli.ok("create", tmp_path / "other", "x=Text")
    done = cli("cp", pets, tmp_path / "other")
    assert (done.code, "there is" in done.err) == (1, True)
    done = cli("cp", pets, pets / "inside")
    assert (done.code, "within" in done.err or "inside" in done.err) == (1, True)
    assert not (pets / "inside").exists()
