"""``optimize``, ``expire`` and ``completion``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Cli


@pytest.fixture
def copy(pets: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pets, tmp_path / "copy"))


def test_optimize_rewrites_once(cli: Cli, copy: Path) -> None:
    before = cli.ok("ls", copy, "--json").document
    assert "4 rows in one piece a column" in cli.ok("optimize", copy).out
    assert cli.ok("ls", copy, "--json").document == before
    assert cli.ok("optimize", copy, "--json").document == {"snapshot": None, "rewritten": False}


def test_expire_asks_then_lets_go(cli: Cli, copy: Path) -> None:
    done = cli("expire", copy, "--below", "3")
    assert (done.code, "nothing was expired" in done.err) == (1, True)
    assert cli.ok("info", f"{copy}@1").code == 0
    assert cli.ok("expire", copy, "--below", "3", "--yes", "--json").document["expire_below"] == 3
    assert cli("info", f"{copy}@1").code == 1
    assert cli.ok("info", f"{copy}@two").code == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "one of them"),
        (("--below", "2", "--older-than", "1d"), "one of them"),
        (("--older-than", "soon", "--yes"), "no duration"),
    ],
)
def test_expire_needs_one_line(cli: Cli, pets: Path, arguments: tuple[str, ...], part: str) -> None:
    done = cli("expire", pets, *arguments)
    assert (done.code, part in done.err) == (1, True)


def test_the_completion_of_bash_is_a_script_it_accepts(cli: Cli) -> None:
    script = cli.ok("completion", "bash").out
    assert "export-images" in script
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")
