"""The report as one picture; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import-not-found]

from benchmarks.report import Cell, Run, cells

__all__ = ["draw"]

_COLOURS = ("#0b6e4f", "#8fc1a9", "#c8553d", "#e0a458", "#8d99ae", "#5c6784", "#b08ea2", "#6b705c")


def draw(runs: Sequence[Run], ours: str, path: Path) -> None:
    """Draw bars, a panel for each measure, with the range over the rounds as whiskers."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    drawn = cells(runs, ours)
    peers = list(dict.fromkeys(run.peer for run in runs))
    titles = list(dict.fromkeys(cell.measure.title for cell in drawn))
    n_rows = -(-len(titles) // 2)
    figure, axes = pyplot.subplots(n_rows, 2, figsize=(10, 2.3 * n_rows), squeeze=False)
    for title, axis in zip(titles, axes.flat, strict=False):
        _panel(axis, title, [cell for cell in drawn if cell.measure.title == title], peers)
    for axis in list(axes.flat)[len(titles) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panel(axis: Any, title: str, shown: Sequence[Cell], peers: Sequence[str]) -> None:
    values = [cell.value for cell in shown]
    spread = [
        [cell.value - cell.low for cell in shown],
        [cell.high - cell.value for cell in shown],
    ]
    colours = [_COLOURS[peers.index(cell.peer) % len(_COLOURS)] for cell in shown]
    names = [cell.peer for cell in shown]
    axis.barh(names, values, xerr=spread, color=colours, ecolor="#444", capsize=2)
    axis.invert_yaxis()
    axis.set_xlim(0, max(cell.high for cell in shown) * 1.3)
    better = "higher" if shown[0].measure.higher_is_better else "lower"
    axis.set_title(f"{title} ({better} is better)", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    for y, cell in enumerate(shown):
        label = f" {cell.value:,.0f}" if cell.value >= 100 else f" {cell.value:,.1f}"
        axis.text(cell.high, y, label, va="center", fontsize=8)
