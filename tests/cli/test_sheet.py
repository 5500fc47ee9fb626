"""``show``."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pictures

from tests.cli.running import Cli


def test_a_page_is_written_beside_and_its_path_is_said(
    cli: Cli, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.ok("show", f"{pets}@two").out == "2 rows in ./pets_two.html\n"
    html = (tmp_path / "pets_two.html").read_text()
    assert html.count('class="card"') == 2
    assert "caption 1" in html
    again = cli("show", f"{pets}@two")
    assert (again.code, "--force" in again.err) == (1, True)
    cli.ok("show", f"{pets}@two", "--force")


def test_rows_columns_and_the_file_are_chosen(cli: Cli, pets: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.png"
    done = cli.ok("show", pets, "3,0", "--columns", "image,label", "--out", target, "--json")
    assert done.document == {"path": str(target), "rows": 2}
    with Pictures.open(target) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("9",), "out of range"),
        (("x",), "names no rows"),
        (("--columns", "nobody"), "nobody"),
        (("--out", "rows.pdf"), ".html or .png"),
    ],
)
def test_what_cannot_be_shown(
    cli: Cli,
    pets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("show", pets, *arguments)
    assert (done.code, part in done.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
