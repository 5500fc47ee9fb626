"""Makes one measurement in a fresh process of a peer's environment and writes it as JSON.

``python -m benchmarks.worker '{"peer": ..., "workload": ..., ...}'``
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, make_peer
from benchmarks.peers.base import Peer
from benchmarks.source import Source
from benchmarks.workloads import WORKLOADS, Measured, Task

__all__ = ["measure"]


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Make the measurement a job describes.

    Args:
        job: ``peer``, ``workload``, ``source``, ``directory``, ``round``.

    Returns:
        Samples, seconds, CPU seconds, import seconds, peak memory in bytes, the peer's version.
    """
    task = Task(Source.load(Path(job["source"])), Path(job["directory"]), job["round"])
    started = time.perf_counter()
    peer = make_peer(job["peer"])
    import_seconds = time.perf_counter() - started
    measured = asyncio.run(_run(job["workload"], peer, task))
    return {
        "n_samples": measured.n_samples,
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "import_seconds": import_seconds,
        "peak_rss_bytes": measured.peak_rss_bytes,
        "version": _version(job["peer"]),
    }


async def _run(workload: str, peer: Peer, task: Task) -> Measured:
    return await WORKLOADS[workload](peer, task)


def _version(peer: str) -> str:
    """The version of the first package the peer needs."""
    for requirement in PEERS[peer].requirements:
        name = "aiolake" if requirement == "." else requirement.partition("==")[0]
        try:
            return version(name)
        except PackageNotFoundError:
            return ""
    return ""


def main() -> None:
    """Read the job from the command line; the answer goes to the file it names."""
    job = json.loads(sys.argv[1])
    Path(job["answer"]).write_text(json.dumps(measure(job)))


if __name__ == "__main__":
    main()
