from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.publish import page
from benchmarks.report import Run

TEMPLATE = Path(__file__).parents[2] / "benchmarks/page.md"
RUN = Run("pictures", 0, "ingest", "aiolake", 10_000, 1900, 1.0, 0.5, 0.1, 1, 1, None, 2**20)


def test_a_page_says_where_aiolake_is_behind_and_fills_every_place() -> None:
    runs = [
        RUN,
        replace(RUN, peer="lance", seconds=0.5, version="14"),
        replace(RUN, peer="deeplake4", seconds=2.0),
        replace(RUN, peer="files", seconds=0.1),
        replace(RUN, workload="scan"),
        replace(RUN, workload="scan", peer="lance", seconds=4.0),
    ]
    found = {
        "time": "2026-11-22T10:00:00+00:00",
        "cores": 2,
        "load": [1, 2.25, 3],
        "runs": [asdict(run) for run in runs],
    }

    made = page(TEMPLATE.read_text(encoding="utf-8"), found)

    assert "{" not in made
    assert (
        "| pictures: ingest, rows/s | 10,000 | Lance 20,000 | ×0.50 **behind** | 100,000 (×0.10) |"
        in made
    )
    assert "| pictures: scan, samples/s | 10,000 | Lance 2,500 | ×4.00 ahead | – |" in made
    assert "Versions: Lance 14." in made
    assert "10,000 JPEGs of 19 KiB. Everyone" in made
    assert "on 2026-11-22, on a machine with 2" in made
