"""Where the time of one of our workloads goes: ``python -m benchmarks.profile scan``.

Profiles the tree it is run in, on the pictures that ``.ci/lanes/peers`` generated. cProfile sees
the event loop's thread, which is where aiolake's own code runs; for the worker threads:
``py-spy record --native -o flame.svg -- python -m benchmarks.profile scan --plain``.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import OURS, PEERS, make_peer
from benchmarks.source import Source
from benchmarks.workloads import WORKLOADS, Measured, Task

__all__ = ["profile"]


def profile(workload: str, source: Source, directory: Path, *, peer: str) -> pstats.Stats:
    """Profile a workload on a dataset that is there already (or, for ``ingest``, is not)."""
    profiler = cProfile.Profile()
    profiler.enable()
    _run(workload, source, directory, peer)
    profiler.disable()
    return pstats.Stats(profiler)


def _run(workload: str, source: Source, directory: Path, peer: str) -> Measured:
    task = Task(source, directory, round=0)

    async def run() -> Measured:
        return await WORKLOADS[workload](make_peer(peer), task)

    return asyncio.run(run())


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    pictures = Path.home() / ".cache/aiolake/lanes/peers/pictures-10000"
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("--peer", choices=list(PEERS), default=OURS)
    parser.add_argument("--source", type=Path, default=pictures)
    parser.add_argument("--sort", choices=("tottime", "cumulative"), default="tottime")
    parser.add_argument("--plain", action="store_true", help="only run it, for another profiler")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Write a dataset where the workload reads one, run the workload, print the profile."""
    chosen = _arguments(given)
    if not Source.complete(chosen.source):
        raise SystemExit(f"no samples in {chosen.source}; run .ci/lanes/peers, or give --source")
    source = Source.load(chosen.source)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "dataset"
        if chosen.workload != "ingest":
            _run("ingest", source, directory, chosen.peer)
        if not chosen.plain:
            stats = profile(chosen.workload, source, directory, peer=chosen.peer)
            stats.sort_stats(chosen.sort).print_stats(25)
        else:
            measured = _run(chosen.workload, source, directory, chosen.peer)
            print(f"{measured.n_samples / measured.seconds:,.0f} samples/s")


if __name__ == "__main__":
    main(sys.argv[1:])
