"""Lists in the documentation name what is there, all of it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
DEPENDENCIES = (ROOT / "docs" / "design" / "dependencies.md").read_text(encoding="utf-8")


def declared() -> set[str]:
    """The distributions pyproject.toml names, the build's and the extras' included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    lists = [project["build-system"]["requires"], project["project"]["dependencies"], *extras]
    names = {re.split(r"[\[<>=!~; ]", line)[0] for lines in lists for line in lines}
    return names - {"aiolake"}


def test_every_dependency_is_explained() -> None:
    explained = set(re.findall(r"^\| `([A-Za-z0-9-]+)`", DEPENDENCIES, re.M))
    assert explained == declared()


def test_every_lane_is_listed_and_can_be_run() -> None:
    lanes = {path.name: path for path in (ROOT / ".ci" / "lanes").glob("*")}
    assert set(re.findall(r"`\.ci/lanes/([\w-]+)`", CONTRIBUTING)) == set(lanes)
    assert [name for name, path in lanes.items() if not os.access(path, os.X_OK)] == []
