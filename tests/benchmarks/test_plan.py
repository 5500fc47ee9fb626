from dataclasses import replace
from itertools import groupby

from benchmarks.plan import COUNTS, Plan, Step, Times, steps

PLAN = Plan(("aiolake", "lance", "webdataset"), ("pictures", "texts"), ("ingest", "scan", "single"),
            2, COUNTS, 1.0)  # fmt: skip


def test_every_round_begins_with_another_peer_and_ingest_comes_first() -> None:
    found = [step for step in steps(PLAN) if step.data == "pictures"]

    turns = [list(turn) for _, turn in groupby(found, lambda step: (step.round, step.workload))]

    assert [turn[0].workload for turn in turns] == ["ingest", "single", "scan"] * 2
    assert [turn[0].peer for turn in turns if turn[0].workload == "scan"] == ["aiolake", "lance"]


def test_peers_take_no_part_in_what_they_cannot_do() -> None:
    assert not any(s.peer == "webdataset" and s.workload == "single" for s in steps(PLAN))


def test_heavy_ingests_happen_once() -> None:
    found = [
        step.round for step in steps(PLAN) if (step.data, step.workload) == ("texts", "ingest")
    ]

    assert set(found) == {0}


def test_peers_that_import_for_seconds_are_measured_once_but_on_pictures() -> None:
    plan = replace(PLAN, peers=("aiolake", "mosaicml"))
    rounds = {(s.data, s.round) for s in steps(plan) if s.peer == "mosaicml"}

    assert rounds == {("pictures", 0), ("pictures", 1), ("texts", 0)}


def test_the_time_left_is_told_from_like_steps() -> None:
    times = Times()
    usual = times.expected_s(Step("texts", 0, "scan", "lance"))
    times.add(Step("texts", 0, "scan", "lance"), 8.0)
    times.add(Step("texts", 0, "single", "lance"), 4.0)
    times.add(Step("texts", 0, "scan", "aiolake"), 3.0)

    assert usual > 0
    assert times.expected_s(Step("texts", 1, "scan", "lance")) == 8.0
    assert times.expected_s(Step("texts", 1, "batch", "lance")) == 6.0
    assert times.expected_s(Step("texts", 1, "batch", "zarr")) == 5.0
