"""What the kernel counts of a process: processor time, reads, memory."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Meter", "Reads", "pss_bytes", "reads_now"]

_PSS_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Reads:
    """System calls that read, and bytes they brought, of a process and its ended children.

    Pages of a mapped file are in neither.
    """

    calls: int = 0
    nbytes: int = 0


def reads_now() -> Reads:
    """Counted since the process began."""
    with open("/proc/self/io", "rb") as file:
        found = dict(line.split(b": ") for line in file.read().splitlines())
    return Reads(int(found[b"syscr"]), int(found[b"rchar"]))


def pss_bytes(pid: int | str = "self") -> int:
    """Memory of a process and its descendants, shared pages divided among their users."""
    total, waiting = 0, [str(pid)]
    while waiting:
        process = Path("/proc") / waiting.pop()
        try:
            total += _own_pss_bytes(process)
            for task in (process / "task").iterdir():
                waiting += (task / "children").read_text().split()
        except (OSError, ValueError):  # it ended meanwhile
            continue
    return total


def _own_pss_bytes(process: Path) -> int:
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True)
class Meter:
    """Adds up what happens in its ``with`` blocks.

    Attributes:
        n_samples: Samples read or written; the user adds them.
        nbytes: Their bytes; likewise.
        seconds: Wall time.
        cpu_seconds: Processor time of the process, all threads, and of children that ended.
        read_calls: System calls that read.
        read_bytes: Bytes they brought.
        requests: As the peer itself counts them, when it does.
        pss_bytes: Most memory seen at the end of a block.
        notes: What else there is to say, by name.
    """

    n_samples: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    read_calls: int = 0
    read_bytes: int = 0
    requests: int | None = None
    pss_bytes: int = 0
    notes: dict[str, float] = field(default_factory=dict)
    _reads: Reads = field(default_factory=Reads)
    _cpu: float = 0.0
    _since: float = 0.0
    _pss_at: float = 0.0

    def __enter__(self) -> Meter:
        self._reads = reads_now()
        self._cpu = _cpu_seconds()
        self._since = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        self.seconds += now - self._since
        self.cpu_seconds += _cpu_seconds() - self._cpu
        after = reads_now()
        self.read_calls += max(0, after.calls - self._reads.calls - _own_reads().calls)
        self.read_bytes += max(0, after.nbytes - self._reads.nbytes - _own_reads().nbytes)
        if now - self._pss_at > _PSS_EVERY_S:
            self.pss_bytes = max(self.pss_bytes, pss_bytes())
            self._pss_at = now


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


_own: list[Reads] = []


def _own_reads() -> Reads:
    """What one look at the counters adds to them."""
    if not _own:
        first, second = reads_now(), reads_now()
        _own.append(Reads(second.calls - first.calls, second.nbytes - first.nbytes))
    return _own[0]
