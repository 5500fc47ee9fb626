"""Measurements as they are made, one JSON line each, so that an interrupted run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.report import Run

__all__ = ["Journal", "JournalMismatchError"]


class JournalMismatchError(Exception):
    """The journal is of a run with other samples."""


class Journal:
    """A file of lines: what the run is of, then its measurements.

    Args:
        path: Of the file.
        about: What must be the same for measurements to belong to one run.
        resume: Go on with what is there; else begin anew.

    Raises:
        JournalMismatchError: What is there is about something else.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], *, resume: bool) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and path.exists():
            self._require(about)
            return
        path.write_text(json.dumps(about) + "\n")

    def add(self, run: Run) -> None:
        """Append one."""
        with open(self._path, "a") as file:
            file.write(json.dumps(asdict(run)) + "\n")

    def runs(self) -> list[Run]:
        """The newest of each step, in the order they were first made."""
        newest: dict[tuple[object, ...], Run] = {}
        for line in self._path.read_text().splitlines()[1:]:
            run = Run(**json.loads(line))
            newest[run.data, run.round, run.workload, run.peer] = run
        return list(newest.values())

    def _require(self, about: Mapping[str, Any]) -> None:
        first, _, rest = self._path.read_text().partition("\n")
        found = json.loads(first)
        if found != about:
            raise JournalMismatchError(f"{self._path} is of {found}, this run of {dict(about)}")
        if rest and not rest.endswith("\n"):
            whole = rest[: rest.rfind("\n") + 1]  # the last line was cut short
            self._path.write_text(f"{first}\n{whole}")
