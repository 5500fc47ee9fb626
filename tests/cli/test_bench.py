"""``bench``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Cli


def test_a_dataset_is_measured_where_it_lies(cli: Cli, pets: Path) -> None:
    before = sorted(pets.rglob("*"))
    report = cli.ok("bench", pets, "--seconds", "0.05", "--json").document
    assert report["n_rows"] == 4
    assert {"one at a time", "scan"} <= {each["name"] for each in report["measurements"]}
    assert all(each["n_samples"] > 0 for each in report["measurements"])
    out = cli.ok("bench", pets, "--seconds", "0.05", "--columns", "label", "--raw").out
    assert "4 rows of label" in out
    assert sorted(pets.rglob("*")) == before


def test_a_place_is_measured_and_left_as_it_was(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "new"
    out = cli.ok(
        "bench", target, "--write", "--rows", "50", "--sample-bytes", "100", "--seconds", "0.05"
    ).out
    assert "ingest" in out
    assert [path for path in target.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--seconds", "0"), "--seconds"),
        (("--write",), "there is a dataset"),
        (("--write", "--raw"), "leave out"),
        (("--columns", "nobody"), "nobody"),
        (("--batch", "0"), "batch"),
    ],
)
def test_what_cannot_be_measured(
    cli: Cli, pets: Path, arguments: tuple[str, ...], part: str
) -> None:
    done = cli("bench", pets, *arguments)
    assert (done.code, part in done.err) == (1, True)
