"""No schedule of writers, collectors and faults makes the log wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scale import pick
from tests.versions.oracle import Violation
from tests.versions.schedules import THEMES, explain, seeds, simulate

SCHEDULES = pick(1_500, 20_000)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("theme", THEMES)
def test_every_schedule_keeps_every_promise(theme: str) -> None:
    landed: Counter[str] = Counter()
    for seed in seeds(theme, SCHEDULES // len(THEMES)):
        try:
            world = simulate(seed)
        except Violation:
            pytest.fail(explain(seed), pytrace=False)
        landed.update(doc["operation"]["kind"] for doc in world.oracle.docs)
    print(f"{theme}: {dict(landed)}")
    assert landed["commit"] > SCHEDULES // len(THEMES)


def test_schedules_reach_what_they_are_for() -> None:
    """Commits that rebase, conflict, are lost, settled and collected all occur, in numbers."""
    told: Counter[str] = Counter()
    for seed in range(pick(150, 1500)):
        world = simulate(seed)
        told.update(f"{c.op.kind} {'done' if c.n else 'refused'}" for c in world.claims)
    kinds = (
        "commit", "restore", "merge", "branch", "tag", "expire", "gc", "closed", "create", "noop",
    )  # fmt: skip
    assert all(told[f"{kind} done"] >= 3 for kind in kinds), told
    refused = ("commit", "restore", "merge", "branch", "tag")
    assert all(told[f"{kind} refused"] for kind in refused), told
    assert told["commit done"] > 2 * told["commit refused"], told


def test_a_seed_repeats_its_schedule() -> None:
    assert simulate(7, traced=True).trace == simulate(7, traced=True).trace
