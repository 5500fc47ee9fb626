"""From single measurements to medians, ratios and tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["MEASURES", "Cell", "Measure", "Run", "cells", "markdown"]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: a peer, a workload, a round."""

    peer: str
    workload: str
    round: int
    n_samples: int
    seconds: float
    cpu_seconds: float
    import_seconds: float
    peak_rss_bytes: int
    version: str = ""


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


MEASURES: tuple[Measure, ...] = (
    Measure("ingest", "ingest, rows/s", _rate),
    Measure("first", "import, open, first sample, ms", _from_nothing_ms, False),
    Measure("reopen", "open again, first sample, ms", _each_ms, False),
    Measure("single", "random single reads, /s", _rate),
    Measure("batch", "random batches of 64, samples/s", _rate),
    Measure("scan", "scan, samples/s", _rate),
)


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
    """Every peer in every measure, in the order of ``MEASURES`` and of the runs."""
    peers = dict.fromkeys(run.peer for run in runs)
    found = [_cell(runs, measure, peer, ours) for measure in MEASURES for peer in peers]
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
    """The tables of a report: speed with ratios, processor time, memory."""
    peers = list(dict.fromkeys(run.peer for run in runs))
    return "\n\n".join([_speeds(runs, peers, ours), _costs(runs, peers)]) + "\n"


def _speeds(runs: Sequence[Run], peers: Sequence[str], ours: str) -> str:
    by_place = {(cell.measure.title, cell.peer): cell for cell in cells(runs, ours)}
    titles = list(dict.fromkeys(title for title, _ in by_place))
    rows = [[title, *(_speed(by_place.get((title, peer))) for peer in peers)] for title in titles]
    return _table(["", *peers], rows)


def _speed(cell: Cell | None) -> str:
    if cell is None:
        return ""
    value = f"{cell.value:,.0f}" if cell.value >= 100 else f"{cell.value:,.1f}"
    return value if cell.ratio is None else f"{value} (×{cell.ratio:.2f})"


def _costs(runs: Sequence[Run], peers: Sequence[str]) -> str:
    rows = []
    for workload in dict.fromkeys(run.workload for run in runs):
        rows.append([workload, *(_cost(runs, workload, peer) for peer in peers)])
    return _table(["CPU s per 1,000 samples; peak MiB", *peers], rows)


def _cost(runs: Sequence[Run], workload: str, peer: str) -> str:
    mine = [run for run in runs if run.peer == peer and run.workload == workload]
    if not mine:
        return ""
    rss = median(run.peak_rss_bytes / 2**20 for run in mine)
    if workload in ("first", "reopen"):  # of one sample, a rate per thousand says nothing
        return f"{rss:,.0f}"
    cpu = median(run.cpu_seconds / run.n_samples * 1e3 for run in mine)
    return f"{cpu:.3f}; {rss:,.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
