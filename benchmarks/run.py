"""Measures every peer in interleaved rounds and writes JSON, tables and charts.

``.ci/lanes/peers`` runs it; ``--help`` lists what can be chosen.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.charts import draw
from benchmarks.environments import Environments, ModuleFailedError
from benchmarks.journal import Journal
from benchmarks.peers import OURS, PEERS
from benchmarks.plan import COUNTS, TINY_COUNTS, WORKLOADS_OF, Plan, Step, Times, steps
from benchmarks.publish import publish
from benchmarks.report import INGEST_FAILED, Run, markdown

__all__ = ["Lane", "main"]

_TIMEOUT_S = 300.0
_BUDGET_S = 1.0
_TINY_BUDGET_S = 0.1
_WORKLOADS = WORKLOADS_OF["pictures"]
_DOCS = Path(__file__).resolve().parent.parent / "docs"


@dataclass(frozen=True, slots=True)
class Lane:
    """A run under way.

    Attributes:
        plan: What is run.
        environments: Where.
        journal: What was measured.
        cache: Holds the samples; the peers' datasets lie in its ``run``.
        missing: Peers that could not be had, and why.
    """

    plan: Plan
    environments: Environments
    journal: Journal
    cache: Path
    missing: dict[str, str]

    def measure_all(self) -> None:
        """Run every step that was not run before, one line each."""
        done = {(r.data, r.round, r.workload, r.peer) for r in self.journal.runs() if not r.failure}
        planned = list(steps(self.plan))
        left = [s for s in planned if (s.data, s.round, s.workload, s.peer) not in done]
        times = Times()
        for number, step in enumerate(left):
            started = time.monotonic()
            run = self._measured(step)
            self.journal.add(run)
            times.add(step, time.monotonic() - started)
            rest = sum(map(times.expected_s, left[number + 1 :]))
            print(_line(run, len(planned) - len(left) + number + 1, len(planned), rest), flush=True)
            self._tidy(step, left[number + 1 :])

    def _measured(self, step: Step) -> Run:
        if step.peer in self.missing:
            return Run(**asdict(step), failure=self.missing[step.peer])
        if step.workload != "ingest" and self._failed(step).exists():
            return Run(**asdict(step), failure=INGEST_FAILED)
        try:
            if step.workload != "ingest":
                self._require_dataset(step)
            return self._measure(step)
        except (ModuleFailedError, OSError) as error:
            if step.workload == "ingest":
                self._failed(step).touch()
            return Run(**asdict(step), failure=str(error)[-600:])

    def _measure(self, step: Step) -> Run:
        directory = self._directory(step)
        answer = self.environments.scratch / "answer.json"
        if step.workload == "ingest":
            self._clear(step)
        job = asdict(step) | {
            "source": str(self._source(step.data)),
            "directory": str(directory),
            "answer": str(answer),
            "budget_s": self.plan.budget_s,
        }
        answer.unlink(missing_ok=True)
        os.sync()  # nobody pays for writing back what another wrote
        environment = PEERS[step.peer].environment
        peak = self.environments.run(
            environment, "benchmarks.worker", [json.dumps(job)], _TIMEOUT_S
        )
        found = json.loads(answer.read_text())
        found["pss_bytes"] = max(peak, found["pss_bytes"])
        if step.workload == "ingest":
            self._mark(step).touch()
        return Run(**asdict(step), **found)

    def _require_dataset(self, step: Step) -> None:
        """What a run that was interrupted has tidied away is written again, unmeasured."""
        if not self._mark(step).exists():
            self._measure(Step(step.data, step.round, "ingest", step.peer))

    def _clear(self, step: Step) -> None:
        directory = self._directory(step)
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        self._mark(step).unlink(missing_ok=True)
        self._failed(step).unlink(missing_ok=True)

    def _tidy(self, step: Step, left: Sequence[Step]) -> None:
        """Remove the datasets of a kind after its last step."""
        if not any(other.data == step.data for other in left):
            shutil.rmtree(self.cache / "run" / step.data, ignore_errors=True)

    def _directory(self, step: Step) -> Path:
        return self.cache / "run" / step.data / step.peer

    def _mark(self, step: Step) -> Path:
        return self.cache / "run" / step.data / f"{step.peer}.complete"

    def _failed(self, step: Step) -> Path:
        return self.cache / "run" / step.data / f"{step.peer}.failed"

    def _source(self, data: str) -> Path:
        return self.cache / f"{data}-{self.plan.counts[data]}"

    def generate(self) -> None:
        """Make the samples that are not there."""
        for data in self.plan.data:
            arguments = [str(self._source(data)), data, str(self.plan.counts[data])]
            environment = PEERS[OURS].environment
            self.environments.run(environment, "benchmarks.generate", arguments, _TIMEOUT_S * 4)


def _line(run: Run, number: int, total: int, rest_s: float) -> str:
    where = f"{number:4}/{total}  {run.data:9}round {run.round + 1}  {run.workload:9}{run.peer:12}"
    if run.failure:
        last = run.failure.strip().splitlines()[-1] if run.failure.strip() else "failed"
        return f"{where} FAILED: {last[:120]}"
    rate = f"{run.n_samples / run.seconds:12,.0f}/s"
    cpu = f"{run.cpu_seconds / run.n_samples * 1e3:9.3f} CPU-s/1,000"
    memory = f"{run.pss_bytes / 2**20:6,.0f} MiB"
    return f"{where}{rate}{cpu}{memory}  about {rest_s / 60:.1f} min left"


def write(runs: Sequence[Run], plan: Plan, out: Path) -> None:
    """Write the three forms of a report."""
    out.mkdir(parents=True, exist_ok=True)
    order = list(PEERS)
    runs = sorted(runs, key=lambda run: (run.round, order.index(run.peer)))
    results = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "counts": dict(plan.counts),
        "runs": [asdict(run) for run in runs],
    }
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "results.md").write_text(markdown(runs, OURS))
    for name in draw(runs, OURS, out):
        print(f"drew {name}")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Two runs at once would measure each other."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another run uses {cache}; wait for it, or give --cache") from None
        yield


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=".ci/lanes/peers", description=__doc__)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiolake/lanes/peers"
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--data", nargs="+", default=list(COUNTS), choices=list(COUNTS))
    parser.add_argument("--workloads", nargs="+", default=list(_WORKLOADS), choices=_WORKLOADS)
    parser.add_argument("--tiny", action="store_true", help="few samples: does everything work?")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--report", action="store_true", help="only write the reports again")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks.md too")
    parser.add_argument("--cache", type=Path, default=cache, help="environments and samples")
    parser.add_argument("--out", type=Path, help="default: results in the cache")
    return parser.parse_args(given)


def _plan(chosen: argparse.Namespace) -> Plan:
    return Plan(
        peers=tuple(p for p in PEERS if p == OURS or p in chosen.peers),
        data=tuple(d for d in COUNTS if d in chosen.data),
        workloads=tuple(w for w in _WORKLOADS if w == "ingest" or w in chosen.workloads),
        rounds=1 if chosen.tiny else chosen.rounds,
        counts=TINY_COUNTS if chosen.tiny else COUNTS,
        budget_s=_TINY_BUDGET_S if chosen.tiny else _BUDGET_S,
    )


def main(given: Sequence[str]) -> None:
    """Prepare, measure, report."""
    chosen = _arguments(given)
    plan = _plan(chosen)
    out = chosen.out or chosen.cache / ("results-tiny" if chosen.tiny else "results")
    about = {"counts": dict(plan.counts), "budget_s": plan.budget_s}
    resume = chosen.resume or chosen.report
    with _alone(chosen.cache):
        if not resume:
            shutil.rmtree(chosen.cache / "run", ignore_errors=True)
        journal = Journal(out / "journal.jsonl", about, resume=resume)
        if not chosen.report:
            environments = Environments(chosen.cache, chosen.cache / "scratch")
            print(f"preparing {len(plan.peers)} peers", flush=True)
            missing = environments.prepare(plan.peers)
            lane = Lane(plan, environments, journal, chosen.cache, missing)
            lane.generate()
            lane.measure_all()
        write(journal.runs(), plan, out)
        if chosen.publish:
            print(f"wrote {publish(out, _DOCS)}")
    runs = journal.runs()
    n_failed = sum(bool(run.failure) for run in runs)
    print((out / "results.md").read_text())
    print(
        f"== peers: {len(runs)} measurements of {len({run.peer for run in runs})} peers, "
        f"{n_failed} failed, every answer of the others checked; reports in {out}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
