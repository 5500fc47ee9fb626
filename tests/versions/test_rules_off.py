"""With any rule of the log switched off, the simulator goes red."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scale import pick
from tests.versions.mutants import MUTANTS, Mutant
from tests.versions.oracle import Violation
from tests.versions.schedules import seeds, simulate

NOTE = Path(__file__).parents[2] / "docs" / "design" / "002-log-rules.md"
AT_MOST = 2500
WITHOUT_EFFECT = pick(40, 400)


def first_violation(mutant: Mutant, n: int) -> Violation | None:
    for seed in seeds(mutant.theme, n):
        try:
            simulate(seed, mutant.switches)
        except Violation as violation:
            return violation
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_rule_that_is_off_is_seen(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    if mutant.patch is not None:
        mutant.patch(monkeypatch)
    found = first_violation(mutant, AT_MOST if mutant.breaks else WITHOUT_EFFECT)
    assert (found.rule if found else None) in (mutant.breaks or (None,)), str(found)


def test_the_design_note_lists_every_rule() -> None:
    text = NOTE.read_text()
    for mutant in MUTANTS:
        row = f"| {mutant.rule} | {'; '.join(mutant.breaks) or 'nothing: ' + mutant.why} |"
        assert row in text
    assert text.count("\n| ") == len(MUTANTS) + 1
