"""The report as pictures, one for each kind of data; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import-not-found]
from matplotlib.ticker import MaxNLocator, StrMethodFormatter  # type: ignore[import-not-found]

from benchmarks.peers import PEERS
from benchmarks.report import Cell, Run, cells, data_title, number

__all__ = ["draw"]

_OURS, _OTHER = "#0b6e4f", "#9aa5b1"
_N_COLUMNS = 2
_BAR_INCHES = 0.21
_FAR = 3


def draw(runs: Sequence[Run], ours: str, directory: Path) -> list[Path]:
    """Draw bars, a panel for each measure, with the range over the rounds as whiskers.

    Returns:
        What was drawn: ``<data>.png``.
    """
    matplotlib.use("agg")
    paths = []
    for data in dict.fromkeys(run.data for run in runs):
        some = [run for run in runs if run.data == data]
        found = cells(some, ours)
        if found:
            paths.append(directory / f"{data}.png")
            _draw(found, ours, data_title(some), paths[-1])
    return paths


def _draw(found: Sequence[Cell], ours: str, title: str, path: Path) -> None:
    from matplotlib import pyplot

    names = list(dict.fromkeys(cell.measure.title for cell in found))
    panels = [[cell for cell in found if cell.measure.title == name] for name in names]
    n_rows = -(-len(panels) // _N_COLUMNS)
    height = sum(_height(panels[at * _N_COLUMNS : (at + 1) * _N_COLUMNS]) for at in range(n_rows))
    ratios = [_height(panels[at * _N_COLUMNS : (at + 1) * _N_COLUMNS]) for at in range(n_rows)]
    figure, axes = pyplot.subplots(
        n_rows,
        _N_COLUMNS,
        figsize=(12, height + 0.5),
        squeeze=False,
        gridspec_kw={"height_ratios": ratios},
        layout="constrained",
    )
    figure.suptitle(title, fontsize=13)
    for panel, axis in zip(panels, axes.flat, strict=False):
        _panel(axis, panel, ours)
    for axis in list(axes.flat)[len(panels) :]:
        axis.axis("off")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _height(panels: Sequence[Sequence[Cell]]) -> float:
    return 0.75 + _BAR_INCHES * max(map(len, panels))


def _panel(axis: Any, shown: Sequence[Cell], ours: str) -> None:
    measure = shown[0].measure
    shown = sorted(shown, key=lambda cell: cell.value, reverse=measure.higher_is_better)
    values = [cell.value for cell in shown]
    end = _end(values)
    spread = [
        [cell.value - cell.low if cell.value <= end else 0 for cell in shown],
        [cell.high - cell.value if cell.value <= end else 0 for cell in shown],
    ]
    lengths = [min(value, end) for value in values]
    colours = [_OURS if cell.peer.startswith(ours) else _OTHER for cell in shown]
    titles = [PEERS[cell.peer].title for cell in shown]
    axis.barh(titles, lengths, xerr=spread, color=colours, ecolor="#333", capsize=2, height=0.7)
    axis.invert_yaxis()
    furthest = max([end, *(cell.high for cell in shown if cell.value <= end)])
    axis.set_xlim(0, furthest * 1.22)
    better = "higher" if measure.higher_is_better else "lower"
    axis.set_title(f"{measure.title} ({better} is better)", fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    for y, cell in enumerate(shown):
        cut = " (cut)" if cell.value > end else ""
        at = end if cut else cell.high
        axis.text(at, y, f"  {number(cell.value)}{cut}", va="center", fontsize=8)


def _end(values: Sequence[float]) -> float:
    """Where the axis ends: one bar, or two, far beyond the next are cut, and say so."""
    ordered = sorted(values, reverse=True)
    for n_cut in range(min(3, len(ordered))):
        longest = ordered[n_cut]
        if not n_cut or longest * _FAR < ordered[n_cut - 1]:
            end = longest
    return end if end == ordered[0] else end * 1.3
