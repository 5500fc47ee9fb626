from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.journal import Journal, JournalMismatchError
from benchmarks.report import Run

RUN = Run("texts", 0, "scan", "lance", n_samples=3, seconds=1.5)


def test_a_run_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, {"count": 1}, resume=False).add(RUN)
    with open(path, "a") as file:
        file.write('{"data": "texts", "rou')

    journal = Journal(path, {"count": 1}, resume=True)

    assert journal.runs() == [RUN]


def test_what_was_measured_again_replaces_what_failed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", {}, resume=False)
    journal.add(replace(RUN, failure="no"))
    journal.add(RUN)

    assert journal.runs() == [RUN]


def test_measurements_of_other_samples_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, {"count": 1}, resume=False)

    with pytest.raises(JournalMismatchError, match="'count': 2"):
        Journal(path, {"count": 2}, resume=True)


def test_a_new_run_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, {}, resume=False).add(RUN)

    assert Journal(path, {}, resume=False).runs() == []
