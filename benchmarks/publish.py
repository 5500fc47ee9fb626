"""Writes docs/benchmarks.md and its charts from a run's results: ``python -m benchmarks.publish``.

Tables and ratios come from ``results.json``, the prose from ``page.md``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import OURS, PEERS
from benchmarks.report import Cell, Run, cells, data_title, markdown, number, table, versions

__all__ = ["page", "publish"]

_ROOT = Path(__file__).resolve().parent.parent
_NO_LIBRARY = "files"


def publish(results: Path, docs: Path) -> Path:
    """Write the page and copy the charts.

    Args:
        results: A directory with ``results.json`` and a chart for each kind of data.
        docs: Gets ``benchmarks.md`` and ``benchmarks/*.png``.

    Returns:
        The page.
    """
    found = json.loads((results / "results.json").read_text())
    charts = docs / "benchmarks"
    charts.mkdir(exist_ok=True)
    for data in dict.fromkeys(run["data"] for run in found["runs"]):
        shutil.copy(results / f"{data}.png", charts / f"{data}.png")
    template = (_ROOT / "benchmarks/page.md").read_text(encoding="utf-8")
    path = docs / "benchmarks.md"
    path.write_text(page(template, found), encoding="utf-8")
    return path


def page(template: str, found: Mapping[str, Any]) -> str:
    """Fill a template with what ``results.json`` holds."""
    runs = [Run(**run) for run in found["runs"]]
    by_data = {data: [r for r in runs if r.data == data] for data in {r.data: 0 for r in runs}}
    values = {
        "counts": _listed([data_title(some) for some in by_data.values()]),
        "rounds": str(len({run.round for run in runs})),
        "time": found["time"][:10],
        "cores": str(found["cores"]),
        "load": f"{found['load'][1]:.1f}",
        "versions": versions(runs),
        "standing": _standing(by_data),
        "charts": "\n\n".join(
            f"![{data_title(some)}: bars with the least and the greatest of the rounds as whiskers]"
            f"(benchmarks/{data}.png)"
            for data, some in by_data.items()
        ),
        "tables": markdown(runs, OURS).partition("\n\n")[2].strip(),
    }
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def _listed(titles: Sequence[str]) -> str:
    return f"{', '.join(titles[:-1])} and {titles[-1]}" if len(titles) > 1 else titles[0]


def _standing(by_data: Mapping[str, Sequence[Run]]) -> str:
    """aiolake, the best library beside it, and plain files, for every measure."""
    rows = []
    for data, runs in by_data.items():
        found = cells(runs, OURS)
        for title in dict.fromkeys(cell.measure.title for cell in found):
            row = _stands(data, [cell for cell in found if cell.measure.title == title])
            if row:
                rows.append(row)
    return table(["", "aiolake", "the best other library", "", "plain files"], rows)


def _stands(data: str, shown: Sequence[Cell]) -> list[str] | None:
    ours = next((cell for cell in shown if cell.peer == OURS), None)
    others = [c for c in shown if not c.peer.startswith(OURS) and c.peer != _NO_LIBRARY]
    if ours is None or not others:
        return None
    pick = max if ours.measure.higher_is_better else min
    best = pick(others, key=lambda cell: cell.value)
    files = next((cell for cell in shown if cell.peer == _NO_LIBRARY), None)
    return [
        f"{data}: {ours.measure.title}",
        number(ours.value),
        f"{PEERS[best.peer].title} {number(best.value)}",
        f"×{best.ratio:.2f} {'ahead' if best.ratio >= 1 else '**behind**'}" if best.ratio else "–",
        f"{number(files.value)} (×{files.ratio:.2f})" if files and files.ratio else "–",
    ]


def main(given: Sequence[str]) -> None:
    """Publish the results in a directory."""
    if len(given) != 1:
        raise SystemExit("usage: python -m benchmarks.publish DIRECTORY (it holds results.json)")
    print(f"wrote {publish(Path(given[0]), _ROOT / 'docs')}")


if __name__ == "__main__":
    main(sys.argv[1:])
