"""From single measurements to medians, ratios and tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.peers import PEERS

__all__ = [
    "INGEST_FAILED",
    "MEASURES",
    "Cell",
    "Measure",
    "Run",
    "cells",
    "data_title",
    "markdown",
    "number",
    "table",
    "versions",
]

INGEST_FAILED = "its ingest failed"
"""Said of the workloads after it."""

_READS_PER_READER_GROUP = 640


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: a kind of data, a round, a workload, a peer; or why there is none.

    Attributes:
        nbytes: Bytes of the samples.
        read_calls: System calls that read.
        read_bytes: Bytes they brought.
        requests: As the peer counts them, when it does.
        pss_bytes: Peak memory of the process and its children.
        notes: The shuffle's figures.
        failure: Why there is no measurement.
    """

    data: str
    round: int
    workload: str
    peer: str
    n_samples: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    import_seconds: float = 0.0
    read_calls: int = 0
    read_bytes: int = 0
    requests: int | None = None
    pss_bytes: int = 0
    notes: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a workload.

    Attributes:
        workload: Whose.
        title: In tables.
        value: From one run.
        higher_is_better: Else lower is.
    """

    workload: str
    title: str
    value: Callable[[Run], float]
    higher_is_better: bool = True


def _rate(run: Run) -> float:
    return run.n_samples / run.seconds


def _from_nothing_ms(run: Run) -> float:
    """The import counts: who puts it off until the first call pays in the first call."""
    return (run.import_seconds + run.seconds) * 1e3


def _each_ms(run: Run) -> float:
    return run.seconds / run.n_samples * 1e3


def _group_ms(run: Run) -> float:
    return run.seconds / run.n_samples * _READS_PER_READER_GROUP * 1e3


MEASURES: tuple[Measure, ...] = (
    Measure("ingest", "ingest, rows/s", _rate),
    Measure("first", "import, open, first sample, ms", _from_nothing_ms, False),
    Measure("first", "cold open, first sample, ms", _each_ms, False),
    Measure("reopen", "open again, first sample, ms", _each_ms, False),
    Measure("single", "random, one at a time, /s", _rate),
    Measure("inflight", "random, 64 in flight, /s", _rate),
    Measure("batch", "random batches of 64, samples/s", _rate),
    Measure("scan", "scan, samples/s", _rate),
    Measure("shuffle", "shuffled pass, samples/s", _rate),
    Measure("readers", "64 readers, open and 10 samples each, ms", _group_ms, False),
)

_DATA = {
    "pictures": "JPEGs of 19 KiB",
    "vectors": "vectors of 768 float32",
    "ragged": "arrays of (50 to 400, 80) float32",
    "texts": "short texts",
}


def data_title(runs: Sequence[Run]) -> str:
    """What runs of one kind of data are of: as many as were written."""
    count = max((run.n_samples for run in runs if run.workload == "ingest"), default=0)
    return f"{count:,} {_DATA[runs[0].data]}"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one peer did in one measure.

    Attributes:
        value: Median over the rounds.
        low: The least.
        high: The greatest.
        ratio: Median over the rounds of how many times faster aiolake was in the same round;
            ``None`` for aiolake itself.
    """

    peer: str
    measure: Measure
    value: float
    low: float
    high: float
    ratio: float | None


def cells(runs: Sequence[Run], ours: str) -> list[Cell]:
    """Every peer in every measure of one kind of data, in the order of ``MEASURES``."""
    good = [run for run in runs if not run.failure]
    peers = dict.fromkeys(run.peer for run in good)
    found = [_cell(good, measure, peer, ours) for measure in MEASURES for peer in peers]
    return [cell for cell in found if cell is not None]


def _cell(runs: Sequence[Run], measure: Measure, peer: str, ours: str) -> Cell | None:
    mine = _by_round(runs, measure, ours)
    theirs = _by_round(runs, measure, peer)
    if not theirs:
        return None
    values = list(theirs.values())
    shared = [n for n in theirs if n in mine and peer != ours]
    ratios = [
        mine[n] / theirs[n] if measure.higher_is_better else theirs[n] / mine[n] for n in shared
    ]
    return Cell(
        peer, measure, median(values), min(values), max(values), median(ratios) if ratios else None
    )


def _by_round(runs: Iterable[Run], measure: Measure, peer: str) -> dict[int, float]:
    return {
        run.round: measure.value(run)
        for run in runs
        if run.peer == peer and run.workload == measure.workload
    }


def markdown(runs: Sequence[Run], ours: str) -> str:
    """Versions, then the tables of each kind of data, then what could not be measured."""
    parts = [_versions(runs)]
    for data in dict.fromkeys(run.data for run in runs):
        some = [run for run in runs if run.data == data]
        parts += [f"## {data_title(some)}", *_tables(some, ours)]
    parts += [_gaps(runs)]
    return "\n\n".join(filter(None, parts)) + "\n"


def versions(runs: Sequence[Run]) -> str:
    """What was measured."""
    found = {run.peer: run.version for run in runs if run.version}
    return ", ".join(f"{_title(peer)} {version}" for peer, version in found.items())


def _versions(runs: Sequence[Run]) -> str:
    rounds = len({run.round for run in runs})
    return (
        f"{versions(runs)}. Medians of {rounds} rounds; `×` is how many times faster aiolake was."
    )


def _tables(runs: Sequence[Run], ours: str) -> list[str]:
    shuffled = [run for run in runs if run.notes]
    return [
        _speeds(runs, ours),
        "CPU seconds per 1,000 samples:",
        _by_workload(runs, _cpu, {"first", "reopen"}),
        "Reads (system calls; aiolake's own count in brackets) per sample, and bytes read for each "
        "byte of the samples:",
        _by_workload(runs, _amplification, {"ingest", "first", "reopen"}),
        "Peak memory (PSS with children), MiB:",
        _by_workload(runs, _memory, set()),
        *(["How well a shuffled pass is shuffled:", _shuffles(shuffled)] if shuffled else []),
    ]


def _speeds(runs: Sequence[Run], ours: str) -> str:
    found = cells(runs, ours)
    titles = list(dict.fromkeys(cell.measure.title for cell in found))
    by_place = {(cell.measure.title, cell.peer): cell for cell in found}
    rows = [
        [_title(peer), *(_speed(by_place.get((title, peer))) for title in titles)]
        for peer in dict.fromkeys(run.peer for run in runs)
    ]
    return table(["", *titles], rows)


def _speed(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    value = number(cell.value)
    return value if cell.ratio is None else f"{value} (×{cell.ratio:.2f})"


def number(value: float) -> str:
    """A figure with as many digits as it deserves."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _by_workload(runs: Sequence[Run], figure: Callable[[Sequence[Run]], str], but: set[str]) -> str:
    workloads = [w for w in dict.fromkeys(m.workload for m in MEASURES) if w not in but]
    shown = [w for w in workloads if any(run.workload == w for run in runs)]
    rows = []
    for peer in dict.fromkeys(run.peer for run in runs):
        mine = [run for run in runs if run.peer == peer and not run.failure]
        found = [[run for run in mine if run.workload == workload] for workload in shown]
        rows.append([_title(peer), *(figure(some) if some else "–" for some in found)])
    return table(["", *shown], rows)


def _cpu(runs: Sequence[Run]) -> str:
    return f"{median(run.cpu_seconds / run.n_samples * 1e3 for run in runs):.3f}"


def _memory(runs: Sequence[Run]) -> str:
    return f"{median(run.pss_bytes / 2**20 for run in runs):,.0f}"


def _amplification(runs: Sequence[Run]) -> str:
    calls = median(run.read_calls / run.n_samples for run in runs)
    counted = [run.requests / run.n_samples for run in runs if run.requests is not None]
    own = f" ({median(counted):.2f})" if counted else ""
    share = median(run.read_bytes / run.nbytes for run in runs)
    if share < 0.5:  # it maps its files, or answered from its memory
        return f"{calls:.2f}{own}; {'mapped' if PEERS[runs[0].peer].mapped else 'in memory'}"
    return f"{calls:.2f}{own}; ×{share:.2f}"


def _shuffles(runs: Sequence[Run]) -> str:
    head = ["", "travel", "coverage of a window", "rows delivered"]
    rows = []
    for peer in dict.fromkeys(run.peer for run in runs):
        notes = [run.notes for run in runs if run.peer == peer]
        figures = [median(note[name] for note in notes) for name in ("travel", "coverage")]
        delivered = median(note["distinct"] for note in notes)
        rows.append([_title(peer), *(f"{f:.2f}" for f in figures), f"{delivered:.1%}"])
    return table(head, rows)


_COLOURS = re.compile(r"\x1b?\[[0-9;]*m")
"""What colours text in a terminal."""


def _gaps(runs: Sequence[Run]) -> str:
    """What a dash means: what a peer cannot do, and what failed."""
    lines: list[str] = []
    for peer in dict.fromkeys(run.peer for run in runs):
        by_reason: dict[str, list[str]] = {}
        for workload, reason in PEERS[peer].cannot.items():
            by_reason.setdefault(reason, []).append(workload)
        lines += [f"* {_title(peer)}, {', '.join(w)}: {r}." for r, w in by_reason.items()]
    for run in {(run.data, run.peer, run.workload): run for run in runs if run.failure}.values():
        if run.failure == INGEST_FAILED:
            continue
        said = _COLOURS.sub("", " ".join(run.failure.strip().splitlines()[-1:])).strip()[:200]
        lines.append(f"* {_title(run.peer)}, {run.workload} of {run.data}, failed: `{said}`")
    return "\n".join(["What a dash means:", "", *lines]) if lines else ""


def _title(peer: str) -> str:
    return PEERS[peer].title


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, figures at the right."""
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
