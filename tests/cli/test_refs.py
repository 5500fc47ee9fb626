"""``branch``, ``tag``, ``diff`` and ``restore``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.running import Cli


@pytest.fixture
def copy(pets: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pets, tmp_path / "copy"))


def names(cli: Cli, command: str, root: Path) -> dict[str, int]:
    found = cli.ok(command, root, "--json").document
    return {item["name"]: item["snapshot"] for item in found}


def test_branches_are_made_moved_and_deleted(cli: Cli, copy: Path) -> None:
    newest = names(cli, "branch", copy)["main"]
    assert "names snapshot 2" in cli.ok("branch", f"{copy}@two", "trial").out
    assert names(cli, "branch", copy) == {"main": newest, "old": 2, "trial": 2}
    cli.ok("branch", copy, "trial", "--move", newest)
    assert names(cli, "branch", copy)["trial"] == newest
    assert "is gone" in cli.ok("branch", copy, "trial", "--delete").out
    assert "trial" not in names(cli, "branch", copy)


def test_tags_are_made_and_deleted(cli: Cli, copy: Path) -> None:
    cli.ok("tag", f"{copy}@old", "v1")
    assert names(cli, "tag", copy) == {"two": 2, "v1": 2}
    cli.ok("tag", copy, "v1", "--delete")
    assert names(cli, "tag", copy) == {"two": 2}
    assert "two" in cli.ok("tag", copy).out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("branch", "--delete"), "its name comes after"),
        (("tag", "--delete"), "its name comes after"),
        (("branch", "old", "--delete", "--move", "2"), "not both"),
        (("branch", "nobody", "--delete"), "nobody"),
        (("branch", "old"), "old"),
        (("branch", "two"), "tag"),
        (("tag", "a b"), "a b"),
    ],
)
def test_names_that_cannot_be(cli: Cli, pets: Path, arguments: tuple[str, ...], part: str) -> None:
    command, *rest = arguments
    done = cli(command, pets, *rest)
    assert (done.code, part in done.err) == (1, True)


def test_diff_takes_numbers_and_names(cli: Cli, pets: Path) -> None:
    newest = names(cli, "branch", pets)["main"]
    assert "+ 2 rows" in cli.ok("diff", pets, "two").out
    assert "- 2 rows" in cli.ok("diff", pets, "main", "old").out
    document = cli.ok("diff", pets, "1", newest, "--json").document
    assert (document["rows_added"], document["rows_removed"]) == (4, 0)
    assert document["columns"] == {"added": [], "dropped": [], "changed": []}
    assert "the same rows" in cli.ok("diff", pets, "main").out
    done = cli("diff", pets, "nobody")
    assert (done.code, "main, old" in done.err or "two" in done.err) == (1, True)


def test_restore_brings_back_what_was(cli: Cli, copy: Path) -> None:
    assert "2 rows" in cli.ok("restore", copy, "2", "--message", "back").out
    (newest, *_) = cli.ok("log", copy, "--json").document
    assert (newest["operation"], newest["rows"], newest["message"]) == ("restore", 2, "back")
    assert cli("restore", copy, "0").code == 1
    assert cli("restore", copy, "99").code == 1


def test_a_branch_is_merged_into_main(cli: Cli, copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "ds"
    table = tmp_path / "rows.jsonl"
    table.write_text('{"n": 1}\n{"n": 2}\n')
    cli.ok("ingest", root, table)
    cli.ok("branch", root, "more")
    table.write_text('{"n": 3}\n')
    cli.ok("ingest", f"{root}@more", table, "--no-resume")
    assert "3 rows, 2 before" in cli.ok("merge", root, "more", "--message", "grown").out
    assert [row["n"] for row in cli.ok("ls", root, "--json").document] == [1, 2, 3]
    assert "Nothing to merge" in cli.ok("merge", root, "more").out
    done = cli("merge", root, "nobody")
    assert (done.code, "nobody" in done.err) == (1, True)
