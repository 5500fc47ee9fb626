"""What is run, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.peers import PEERS

__all__ = ["COUNTS", "TINY_COUNTS", "WORKLOADS_OF", "Plan", "Step", "Times", "steps"]

COUNTS = {"pictures": 10_000, "vectors": 50_000, "ragged": 4_000, "texts": 100_000}
TINY_COUNTS = {"pictures": 1_200, "vectors": 2_000, "ragged": 300, "texts": 3_000}

_SOME = ("ingest", "single", "batch", "scan")
WORKLOADS_OF: dict[str, tuple[str, ...]] = {
    "pictures": (
        "ingest",
        "first",
        "reopen",
        "single",
        "inflight",
        "batch",
        "scan",
        "shuffle",
        "readers",
    ),
    "vectors": _SOME,
    "ragged": _SOME,
    "texts": _SOME,
}
"""Every workload on pictures; of the others what the form of a sample changes."""

_ONCE = frozenset((data, "ingest") for data in ("vectors", "ragged", "texts"))
_USUAL_S = 2.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        peers: Names.
        data: Kinds of samples.
        workloads: Names; ``ingest`` is always among them and writes what the others read.
        rounds: How often; the heavy ones once.
        counts: Samples of each kind.
        budget_s: Of random reads in one measurement.
    """

    peers: tuple[str, ...]
    data: tuple[str, ...]
    workloads: tuple[str, ...]
    rounds: int
    counts: Mapping[str, int]
    budget_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """One process to run."""

    data: str
    round: int
    workload: str
    peer: str


def steps(plan: Plan) -> Iterator[Step]:
    """The order of a run: a workload of all peers, the next; each round begins with another peer.

    Peers take turns within seconds, so what else the machine does hits them alike.
    """
    for data in plan.data:
        for number in range(plan.rounds):
            shift = number % len(plan.peers)
            turn = plan.peers[shift:] + plan.peers[:shift]
            for workload in WORKLOADS_OF[data]:
                if workload not in plan.workloads or (number and (data, workload) in _ONCE):
                    continue
                for peer in turn:
                    step = Step(data, number, workload, peer)
                    if _takes_part(step):
                        yield step


def _takes_part(step: Step) -> bool:
    spec = PEERS[step.peer]
    if step.workload in spec.cannot or (spec.only and step.workload not in spec.only):
        return False
    return not (spec.slow_import and step.round and step.data != "pictures")


class Times:
    """How long steps took, to say how long the rest will."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, ...], list[float]] = {}

    def add(self, step: Step, seconds: float) -> None:
        """A step has ended."""
        for key in self._keys(step):
            self._taken.setdefault(key, []).append(seconds)

    def expected_s(self, step: Step) -> float:
        """From the same step of another round, else steps like it, else any."""
        for key in self._keys(step):
            if taken := self._taken.get(key):
                return sum(taken) / len(taken)
        return _USUAL_S

    def _keys(self, step: Step) -> tuple[tuple[str, ...], ...]:
        return (
            (step.data, step.workload, step.peer),
            ("", step.workload, step.peer),
            ("", "", step.peer),
            (),
        )
