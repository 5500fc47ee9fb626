"""``info``, ``log`` and ``ls``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Cli


def test_info_says_what_a_dataset_is(cli: Cli, pets: Path) -> None:
    facts = cli.ok("info", pets, "--json").document
    assert facts["url"] == f"file://{pets}"
    assert (facts["rows"], facts["snapshot"]["id"], facts["branch"]) == (4, 5, "main")
    assert facts["branches"] == {"main": 5, "old": 2}
    assert facts["tags"] == {"two": 2}
    assert facts["metadata"] == {"from": "tests"}


def test_info_gives_the_stored_bytes_of_each_column(cli: Cli, pets: Path) -> None:
    facts = cli.ok("info", f"{pets}@two", "--json").document
    sizes = {column["name"]: column["nbytes"] for column in facts["columns"]}
    assert (sizes["label"], sizes["vector"], sizes["score"], sizes["points"]) == (8, 24, 16, 4)
    assert facts["nbytes"] == sum(sizes.values())


def test_info_is_readable(cli: Cli, pets: Path) -> None:
    out = cli.ok("info", pets).out
    assert "rows      4\n" in out
    assert "branches  main (5), old (2)\n" in out
    assert "tags      two (2)\n" in out
    assert [line for line in out.splitlines() if line.startswith("vector")]


def test_a_message_cannot_steer_the_terminal(cli: Cli, pets: Path) -> None:
    for command in ("info", "log"):
        out = cli.ok(command, pets).out
        assert "\x1b" not in out
        assert r"two \x1b[31mmore" in out


@pytest.mark.parametrize(
    ("reference", "rows"), [("", 4), ("@main", 4), ("@old", 2), ("@two", 2), ("@2", 2), ("@1", 0)]
)
def test_an_address_may_name_a_branch_a_tag_or_a_snapshot(
    cli: Cli, pets: Path, reference: str, rows: int
) -> None:
    assert cli.ok("info", f"{pets}{reference}", "--json").document["rows"] == rows


def test_log_lists_snapshots_newest_first(cli: Cli, pets: Path) -> None:
    entries = cli.ok("log", pets, "--json").document
    assert [(e["id"], e["parent"], e["operation"], e["rows"]) for e in entries] == [
        (5, 2, "commit", 4),
        (2, 1, "commit", 2),
        (1, None, "create", 0),
    ]
    assert entries[1]["message"] == "two pets"
    assert entries[1]["author"] == "tester"


def test_log_stops_at_its_limit_and_says_so(cli: Cli, pets: Path) -> None:
    assert len(cli.ok("log", pets, "--limit", 2, "--json").document) == 2
    assert "There are older ones" in cli.ok("log", pets, "--limit", 2).out
    assert "There are older ones" not in cli.ok("log", pets, "--limit", 3).out


def test_ls_shows_values_shortened(cli: Cli, pets: Path) -> None:
    out = cli.ok("ls", pets).out
    header, first, second, third, null, last = out.splitlines()
    columns = ["image", "label", "caption", "about", "raw", "vector", "score", "points"]
    assert header.split() == ["row", *columns]
    assert "png 5x10x1" in first
    assert "cat" in first
    assert "caption 0 long long" in first
    assert "..." in first
    assert '{"i": 1, "tags": ["a", null]}' in second
    assert "[2.0, 2.0, 2.0]" in third
    assert "int16 2x2" in third
    assert null.split() == ["3", *"--------"]
    assert last == "4 rows of 4"


def test_ls_as_json_gives_whole_values(cli: Cli, pets: Path) -> None:
    found = cli.ok("ls", pets, "--rows", "3,2", "--json").document
    assert found[0] == {"row": 3, **dict.fromkeys(list(found[1])[1:])}
    assert found[1]["image"]["shape"] == [5, 12, 1]
    assert found[1]["raw"] == {"nbytes": 3}
    assert found[1]["points"] == [[2, 2], [2, 2]]
    assert (found[1]["label"], found[1]["score"]) == ("cat", 0.5)
    assert found[1]["caption"] == "caption 2 " + "long " * 30


@pytest.mark.parametrize(
    ("rows", "shown"),
    [("0:2", [0, 1]), (":", [0, 1, 2, 3]), ("2", [2]), ("-2:", [2, 3]), ("-1", [3]), ("9:", [])],
)
def test_ls_takes_rows(cli: Cli, pets: Path, rows: str, shown: list[int]) -> None:
    found = cli.ok("ls", pets, f"--rows={rows}", "--columns", "score", "--json").document
    assert [row["row"] for row in found] == shown


def test_ls_takes_columns_in_the_order_named(cli: Cli, pets: Path) -> None:
    (found,) = cli.ok("ls", pets, "--rows=1", "--columns", "score,label", "--json").document
    assert found == {"row": 1, "score": 0.25, "label": "dog"}
    assert list(found) == ["row", "score", "label"]
