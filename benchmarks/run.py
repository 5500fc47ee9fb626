"""Measures every peer in interleaved rounds and writes ``results.json``, a table and a chart.

``.ci/lanes/peers`` runs it; ``--help`` lists what can be chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.environments import Environments
from benchmarks.peers import OURS, PEERS
from benchmarks.report import Run, markdown

__all__ = ["Plan", "measure_all", "steps"]

_TIMEOUT_S = 600.0
_WORKLOADS = ("ingest", "first", "reopen", "single", "batch", "scan")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        peers: Names.
        workloads: Names; ``ingest`` always comes first and writes what the others read.
        rounds: How often.
        count: Pictures.
    """

    peers: tuple[str, ...]
    workloads: tuple[str, ...]
    rounds: int
    count: int


@dataclass(frozen=True, slots=True)
class Step:
    """One process to run."""

    round: int
    workload: str
    peer: str


def steps(plan: Plan) -> Iterator[Step]:
    """The order of a run: a workload of all peers, the next; each round begins with another peer.

    Peers take turns within seconds, so what else the machine does hits them alike.
    """
    for number in range(plan.rounds):
        shift = number % len(plan.peers)
        turn = plan.peers[shift:] + plan.peers[:shift]
        for workload in plan.workloads:
            for peer in turn:
                if not PEERS[peer].only or workload in PEERS[peer].only:
                    yield Step(number, workload, peer)


def measure_all(plan: Plan, environments: Environments, source: Path) -> list[Run]:
    """Run every step, telling what it gave."""
    runs: list[Run] = []
    for step in steps(plan):
        run = _measure(step, environments, source)
        runs.append(run)
        rate = f"{run.n_samples / run.seconds:12,.0f} samples/s"
        print(f"round {run.round + 1}  {run.workload:8}{run.peer:22}{rate}", flush=True)
    # Peers in the order they were named, not in that of the last round.
    return sorted(runs, key=lambda run: (run.round, plan.peers.index(run.peer)))


def _measure(step: Step, environments: Environments, source: Path) -> Run:
    directory = environments.scratch / "data" / step.peer.replace(" ", "-").replace(",", "")
    answer = environments.scratch / "answer.json"
    if step.workload == "ingest":
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(exist_ok=True)
    job = asdict(step) | {
        "source": str(source),
        "directory": str(directory),
        "answer": str(answer),
    }
    answer.unlink(missing_ok=True)
    os.sync()  # nobody pays for writing back what another wrote
    environment = PEERS[step.peer].environment
    environments.run(environment, "benchmarks.worker", [json.dumps(job)], _TIMEOUT_S)
    return Run(**asdict(step), **json.loads(answer.read_text()))


def write(runs: Sequence[Run], plan: Plan, out: Path) -> None:
    """Write the three forms of a report."""
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "count": plan.count,
        "runs": [asdict(run) for run in runs],
    }
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "results.md").write_text(_versions(runs) + markdown(runs, OURS))
    draw(runs, OURS, out / "results.png")


def _versions(runs: Sequence[Run]) -> str:
    versions = {run.peer: run.version for run in runs if run.version}
    return ", ".join(f"{peer} {version}" for peer, version in versions.items()) + "\n\n"


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=".ci/lanes/peers", description=__doc__)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiolake/lanes/peers"
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=10_000, help="pictures")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--workloads", nargs="+", default=list(_WORKLOADS), choices=_WORKLOADS)
    parser.add_argument("--cache", type=Path, default=cache, help="environments and pictures")
    parser.add_argument("--out", type=Path, default=cache / "results")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Prepare, measure, report."""
    chosen = _arguments(given)
    workloads = tuple(w for w in _WORKLOADS if w == "ingest" or w in chosen.workloads)
    peers = tuple(p for p in PEERS if p == OURS or p in chosen.peers)
    plan = Plan(peers, workloads, chosen.rounds, chosen.count)
    source = chosen.cache / f"pictures-{plan.count}"
    chosen.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=chosen.cache, prefix="run-") as scratch:
        environments = Environments(chosen.cache, Path(scratch))
        environments.prepare(plan.peers)
        pictures = [str(source), str(plan.count)]
        environments.run(PEERS[OURS].environment, "benchmarks.images", pictures, _TIMEOUT_S)
        runs = measure_all(plan, environments, source)
    write(runs, plan, chosen.out)
    print((chosen.out / "results.md").read_text())
    print(
        f"== peers: {len(runs)} measurements of {len(peers)} peers in {plan.rounds} rounds, "
        f"every answer checked; reports in {chosen.out}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
