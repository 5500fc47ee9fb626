"""``create`` and ``rm``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Cli, Done


def refused(done: Done, *parts: str) -> None:
    assert done.code == 1
    for part in parts:
        assert part in done.err


def test_create_makes_a_dataset_that_can_be_looked_at(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "new"
    done = cli.ok(
        "create", root, "image=Image", "label=ClassLabel(cat, dog)", "--metadata", '{"a": 1}'
    )
    assert f"Created file://{root} with 2 columns." in done.out
    facts = cli.ok("info", root, "--json").document
    assert [column["name"] for column in facts["columns"]] == ["image", "label"]
    assert (facts["rows"], facts["metadata"]) == (0, {"a": 1})


def test_create_like_another_takes_its_columns(cli: Cli, pets: Path, tmp_path: Path) -> None:
    document = cli.ok("create", tmp_path / "new", "more=Text", "--like", pets, "--json").document
    like = cli.ok("info", pets, "--json").document["columns"]
    names = [column["name"] for column in document["columns"]]
    assert names == [*(column["name"] for column in like), "more"]


def test_create_refuses_what_is_there(cli: Cli, pets: Path, tmp_path: Path) -> None:
    refused(cli("create", pets, "x=Text"), "there is a dataset")
    (tmp_path / "notes.txt").write_text("hello")
    refused(cli("create", tmp_path, "x=Text"), "notes.txt")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "at least one column"),
        (("x=Txt",), "did you mean Text"),
        (("x",), "name=Type"),
        (("x=Text", "--metadata", "{"), "JSON object"),
        (("x=Text", "--metadata", "[]"), "JSON object"),
        (("a=Text", "a/b=Text"), "cannot be the group"),
    ],
)
def test_create_refuses_before_anything_is_written(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    refused(cli("create", tmp_path / "new", *arguments), part)
    assert not (tmp_path / "new").exists()


def test_rm_asks_and_says_what_would_go(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "new"
    cli.ok("create", root, "x=Text")
    done = cli("rm", root)
    refused(done, "nothing was deleted", "--yes")
    assert "0 rows, 0 B, 1 branch, 0 tags; its log stays" in done.out
    assert cli.ok("rm", root, "--dry-run", "--json").document["dry_run"] is True
    assert cli.ok("info", root).code == 0
    assert "Deleted." in cli.ok("rm", root, "--yes").out
    refused(cli("info", root), "the dataset was deleted")


@pytest.mark.parametrize("part", ["@main", "@two", "@1"])
@pytest.mark.parametrize(
    "command",
    [
        ("rm", "--yes"),
        ("gc", "--yes"),
        ("expire", "--older-than", "0s", "--yes"),
    ],
)
def test_what_concerns_a_whole_dataset_takes_no_part_of_it(
    cli: Cli, tmp_path: Path, command: tuple[str, ...], part: str
) -> None:
    root = tmp_path / "new"
    cli.ok("create", root, "x=Text")
    cli.ok("tag", root, "two")
    name, *options = command
    refused(cli(name, f"{root}{part}", *options), "whole dataset", f"without {part}")
    assert cli.ok("info", root, "--json").document["snapshot"]["id"] == 1
    other = tmp_path / "new@main"
    cli.ok("create", other, "x=Text")
    assert cli(name, f"{other}", *options).code == 1  # new@main is a branch of new first


def test_rm_purge_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "new"
    cli.ok("create", root, "x=Text")
    assert "nothing stays" in cli.ok("rm", root, "--purge", "--yes").out
    assert not root.exists() or not [path for path in root.rglob("*") if path.is_file()]
