"""Tables, documents and progress where nobody looks at a terminal."""

from __future__ import annotations

import json

import pytest

from aiolake.cli.output import Output, json_text


@pytest.mark.parametrize("value", [{"a": [1]}, [], [{"é": 1}, {"a": None}], None])
def test_a_document_is_json(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_a_list_has_a_line_for_each_value() -> None:
    assert json_text([{"a": 1}, {"a": 2}]).splitlines() == ['[{"a": 1},', ' {"a": 2}]']


def test_json_leaves_no_room_for_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = Output(as_json=True)
    quiet.line("for people")
    quiet.table(("a",), [("1",)])
    with quiet.progress("copying", None, "rows") as progress:
        monkeypatch.setattr("time.monotonic", lambda: float("inf"))
        progress.at(1, 2)
        progress.advance(1)
    quiet.document({"a": 1})
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"a": 1}, "")


def test_people_get_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    Output().document({"a": 1})
    assert capsys.readouterr().out == ""


def test_progress_in_a_pipe_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Output().progress("ingesting", 4000, "rows") as progress:
        for now in (1.0, 9.0, 10.5, 11.0, 21.0):  # noqa: B007 - read by the clock
            progress.advance(500)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["ingesting: 1,500 of 4,000 rows", "ingesting: 2,500 of 4,000 rows"]


def test_how_much_there_is_and_what_is_done_may_come_later(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Output().progress("copying", None, "objects") as progress:
        now = 11.0
        progress.at(5, 7)
        now = 22.0
        progress.at(7, label="verifying")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["copying: 5 of 7 objects", "verifying: 7 of 7 objects"]
