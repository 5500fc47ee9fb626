"""What is measured: each workload runs in a process of its own and checks every answer."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.base import Peer
from benchmarks.source import Source, WrongBytesError

__all__ = ["WORKLOADS", "Measured", "Task", "Workload"]

_BATCH = 64
_N_SINGLES = 5_000
_N_BATCHES = 150
_N_REOPENS = 20
_WARM_UP_SINGLES = 64
_WARM_UP_BATCHES = 2
_SEED = 64


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement to make.

    Attributes:
        source: What was given to every peer.
        directory: The peer's dataset.
        round: Chooses the random rows: every peer is asked for the same ones in a round.
    """

    source: Source
    directory: Path
    round: int


@dataclass(slots=True)
class Measured:
    """What a measurement gave; each ``with`` block adds what happens in it.

    Attributes:
        n_samples: Samples read or written.
        seconds: Wall time.
        cpu_seconds: Processor time of the process, all threads.
        peak_rss_bytes: Most memory the process had held when the last block ended.
    """

    n_samples: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    _since: tuple[float, float] = field(default=(0.0, 0.0))

    def __enter__(self) -> Measured:
        self._since = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        self.seconds += now - self._since[1]
        self.cpu_seconds += time.process_time() - self._since[0]
        self.peak_rss_bytes = _peak_rss_bytes()


Workload = Callable[[Peer, Task], Awaitable[Measured]]


async def ingest(peer: Peer, task: Task) -> Measured:
    """Write every row and commit; read some back."""
    source = task.source
    with Measured(len(source)) as measured:
        await peer.ingest(source.jpegs(), source.labels, task.directory)
    await peer.open(task.directory)
    for row in _rows(source, task.round, _WARM_UP_SINGLES):
        source.check(row, await peer.read_one(row))
    await peer.close()
    return measured


async def first(peer: Peer, task: Task) -> Measured:
    """Open, and read one row: the first thing the process does."""
    (row,) = _rows(task.source, task.round, 1)
    with Measured(1) as measured:
        await peer.open(task.directory)
        answer = await peer.read_one(row)
    task.source.check(row, answer)
    await peer.close()
    return measured


async def reopen(peer: Peer, task: Task) -> Measured:
    """The same again and again in one process, each time from a new handle, another row."""
    await first(peer, task)
    measured = Measured()
    for row in _rows(task.source, task.round, _N_REOPENS):
        with measured:
            await peer.open(task.directory)
            answer = await peer.read_one(row)
        measured.n_samples += _checked(task.source, [row], [answer])
        await peer.close()
    return measured


async def single(peer: Peer, task: Task) -> Measured:
    """Random rows, each awaited before the next is asked for."""
    await peer.open(task.directory)
    measured = Measured()
    await _singles(peer, task, _WARM_UP_SINGLES, Measured())
    await _singles(peer, task, _N_SINGLES, measured)
    await peer.close()
    return measured


async def _singles(peer: Peer, task: Task, n: int, measured: Measured) -> None:
    for rows in _batches(_rows(task.source, task.round + n, n)):
        answers = []
        with measured:
            for row in rows:
                answers.append(await peer.read_one(row))
        measured.n_samples += _checked(task.source, rows, answers)


async def batch(peer: Peer, task: Task) -> Measured:
    """Batches of 64 random rows, one batch after the other."""
    await peer.open(task.directory)
    measured = Measured()
    await _in_batches(peer, task, _WARM_UP_BATCHES, Measured())
    await _in_batches(peer, task, _N_BATCHES, measured)
    await peer.close()
    return measured


async def _in_batches(peer: Peer, task: Task, n: int, measured: Measured) -> None:
    for rows in _batches(_rows(task.source, task.round + n, n * _BATCH)):
        with measured:
            answers = await peer.read_many(rows)
        measured.n_samples += _checked(task.source, rows, answers)


async def scan(peer: Peer, task: Task) -> Measured:
    """Everything in order; the first pass is timed and counted, another one is checked.

    The first, because some peers keep what they have read once.
    """
    await peer.open(task.directory)
    nbytes, row = 0, 0
    with Measured() as measured:
        async for answers in peer.scan():
            nbytes += sum(map(len, answers))
            measured.n_samples += len(answers)
    async for answers in peer.scan():
        row += _checked(task.source, range(row, row + len(answers)), answers)
    wanted = len(task.source), len(task.source), sum(task.source.lengths)
    if (row, measured.n_samples, nbytes) != wanted:
        raise WrongBytesError(f"a scan gave {measured.n_samples} rows of {nbytes} bytes")
    await peer.close()
    return measured


WORKLOADS: dict[str, Workload] = {
    "ingest": ingest,
    "first": first,
    "reopen": reopen,
    "single": single,
    "batch": batch,
    "scan": scan,
}


def _rows(source: Source, seed: int, n: int) -> list[int]:
    draw = random.Random(_SEED * 1000 + seed)
    return [draw.randrange(len(source)) for _ in range(n)]


def _batches(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _checked(
    source: Source, rows: Sequence[int], answers: Sequence[bytes | bytearray | memoryview]
) -> int:
    """Check answers; returns how many."""
    for row, answer in zip(rows, answers, strict=True):
        source.check(row, answer)
    return len(rows)


def _peak_rss_bytes() -> int:
    """Not ``ru_maxrss``: a child begins with that of the process it was forked from."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status names no VmHWM; peak memory cannot be told on this kernel")
