"""Makes one measurement in a fresh process of a peer's environment and writes it as JSON.

``python -m benchmarks.worker '{"peer": ..., "workload": ..., ...}'``
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.meters import Meter
from benchmarks.peers import PEERS, make_peer
from benchmarks.peers.base import Peer
from benchmarks.source import Source
from benchmarks.workloads import WORKLOADS, Task

__all__ = ["measure"]


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Make the measurement a job describes.

    Args:
        job: ``peer``, ``workload``, ``source``, ``directory``, ``round``, ``budget_s``.

    Returns:
        What the meter counted, import seconds, the peer's version.
    """
    source = Source.load(Path(job["source"]))
    task = Task(source, Path(job["directory"]), job["round"], job["budget_s"])
    started = time.perf_counter()
    peer = make_peer(job["peer"], source.kind)
    import_seconds = time.perf_counter() - started
    meter = asyncio.run(_run(job["workload"], peer, task))
    counted = {name: value for name, value in asdict(meter).items() if not name.startswith("_")}
    return {**counted, "import_seconds": import_seconds, "version": _version(job["peer"])}


async def _run(workload: str, peer: Peer, task: Task) -> Meter:
    return await WORKLOADS[workload](peer, task)


def _version(peer: str) -> str:
    try:
        return version(PEERS[peer].package) if PEERS[peer].package else ""
    except PackageNotFoundError:
        return ""


def main() -> None:
    """Read the job from the command line; the answer goes to the file it names."""
    job = json.loads(sys.argv[1])
    if job["workload"] == "import":
        make_peer(job["peer"], job["kind"])
        return
    Path(job["answer"]).write_text(json.dumps(measure(job)))


if __name__ == "__main__":
    main()
