"""What is measured: each workload runs in a process of its own and checks every answer."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.coverage import shuffled as judge
from benchmarks.meters import Meter
from benchmarks.peers.base import BATCH, Peer
from benchmarks.source import Source, WrongBytesError

__all__ = ["N_READERS", "WORKLOADS", "Measured", "Task", "Workload"]

Measured = Meter

N_READERS = 64
_N_READS_EACH = 10
_N_IN_FLIGHT = 64
_N_IN_FLIGHT_AT_A_TIME = 640
_N_SINGLES = 5_000
_N_BATCHES = 150
_N_REOPENS = 20
_WARM_UP_SINGLES = 64
_WARM_UP_BATCHES = 2
_SCAN_BUDGETS = 4
_SEED = 64


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement to make.

    Attributes:
        source: What was given to every peer.
        directory: The peer's dataset.
        round: Chooses the random rows: every peer is asked for the same ones in a round, a slow
            one for fewer of them.
        budget_s: Random reads end after this much time, or when enough were made.
    """

    source: Source
    directory: Path
    round: int
    budget_s: float = 1.0


Workload = Callable[[Peer, Task], Awaitable[Meter]]


async def ingest(peer: Peer, task: Task) -> Meter:
    """Write every row and commit."""
    source = task.source
    with Meter(len(source), source.nbytes) as meter:
        await peer.ingest(source, task.directory)
    return meter


async def first(peer: Peer, task: Task) -> Meter:
    """Open, and read one row: the first thing the process does."""
    (row,) = _rows(task, 0, 1)
    with Meter() as meter:
        await peer.open(task.directory)
        answer = await peer.read_alone(row)
    _count(meter, task, [row], [answer])
    await peer.close()
    return meter


async def reopen(peer: Peer, task: Task) -> Meter:
    """The same again and again in one process, each time from a new handle, another row."""
    await first(peer, task)
    meter = Meter()
    for row in _rows(task, 0, _N_REOPENS):
        with meter:
            await peer.open(task.directory)
            answer = await peer.read_alone(row)
        _count(meter, task, [row], [answer])
        await peer.close()
        if meter.seconds > task.budget_s:
            break
    return meter


async def single(peer: Peer, task: Task) -> Meter:
    """Random rows, each awaited before the next is asked for."""

    async def read(rows: Sequence[int]) -> Sequence[Any]:
        return [await peer.read_alone(row) for row in rows]

    return await _random(peer, task, read, _N_SINGLES, BATCH, _WARM_UP_SINGLES)


async def batch(peer: Peer, task: Task) -> Meter:
    """Random batches of 64."""
    n, warm_up = _N_BATCHES * BATCH, _WARM_UP_BATCHES * BATCH
    return await _random(peer, task, peer.read_many, n, BATCH, warm_up)


async def inflight(peer: Peer, task: Task) -> Meter:
    """Random rows, 64 single reads at any time: tasks, or threads where reads block."""
    at_a_time = _N_IN_FLIGHT_AT_A_TIME
    if peer.waits:
        read = _in_tasks(peer)
        return await _random(peer, task, read, _N_SINGLES, at_a_time, at_a_time)
    with ThreadPoolExecutor(_N_IN_FLIGHT) as pool:
        read = _in_threads(peer, pool)
        return await _random(peer, task, read, _N_SINGLES, at_a_time, at_a_time)


async def _random(
    peer: Peer,
    task: Task,
    read: Callable[[Sequence[int]], Awaitable[Sequence[Any]]],
    n: int,
    at_a_time: int,
    warm_up: int,
) -> Meter:
    """Read random rows until there are ``n`` or the budget is spent."""
    await peer.open(task.directory)
    await _read(task, read, warm_up, at_a_time, Meter())
    meter, requests = Meter(), peer.requests()
    await _read(task, read, n, at_a_time, meter)
    meter.requests = _difference(peer.requests(), requests)
    await peer.close()
    return meter


async def _read(
    task: Task,
    read: Callable[[Sequence[int]], Awaitable[Sequence[Any]]],
    n: int,
    at_a_time: int,
    meter: Meter,
) -> None:
    for rows in _cut(_rows(task, n, n), at_a_time):
        with meter:
            answers = await read(rows)
        _count(meter, task, rows, answers)
        if meter.seconds > task.budget_s:
            return


def _in_tasks(peer: Peer) -> Callable[[Sequence[int]], Awaitable[list[Any]]]:
    async def some(rows: Sequence[int]) -> list[Any]:
        return [await peer.read_one(row) for row in rows]

    async def read(rows: Sequence[int]) -> list[Any]:
        width = min(_N_IN_FLIGHT, len(rows))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(some(rows[at::width])) for at in range(width)]
        parts = [task.result() for task in tasks]
        return [parts[at % width][at // width] for at in range(len(rows))]

    return read


def _in_threads(
    peer: Peer, pool: ThreadPoolExecutor
) -> Callable[[Sequence[int]], Awaitable[list[Any]]]:
    async def read(rows: Sequence[int]) -> list[Any]:
        return list(pool.map(lambda row: _now(peer.read_one(row)), rows))

    return read


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that awaits nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a peer that says its reads block has awaited something")


async def scan(peer: Peer, task: Task) -> Meter:
    """Everything in order; the first pass is timed and counted, another one is checked.

    The first, because some peers keep what they have read once. The pass of a slow peer ends
    before the last row.
    """
    await peer.open(task.directory)
    meter = await _pass(peer, peer.scan, _SCAN_BUDGETS * task.budget_s)
    row = 0
    async with aclosing(peer.scan()) as stream:
        async for answers in stream:
            row += _count(meter, task, range(row, row + len(answers)), answers, times=0)
            if row >= meter.n_samples:
                break
    whole = meter.seconds < _SCAN_BUDGETS * task.budget_s
    _require_all(meter, row, len(task.source) if whole else row)
    await peer.close()
    return meter


async def shuffle(peer: Peer, task: Task) -> Meter:
    """Everything in a random order; the first pass is timed, another one is checked and judged."""
    await peer.open(task.directory)
    meter = await _pass(peer, lambda: peer.shuffled(task.round), math.inf)
    order: list[int] = []
    async for answers in peer.shuffled(task.round + 1):
        order += map(task.source.find, answers)
    meter.nbytes = task.source.nbytes
    meter.notes = asdict(judge(order, len(task.source)))
    _require_all(meter, len(order), len(task.source))
    await peer.close()
    return meter


async def _pass(
    peer: Peer, stream: Callable[[], AsyncGenerator[Sequence[Any], None]], limit_s: float
) -> Meter:
    requests, until = peer.requests(), time.perf_counter() + limit_s
    with Meter() as meter:
        async with aclosing(stream()) as passing:
            async for answers in passing:
                meter.n_samples += len(answers)
                if time.perf_counter() > until:
                    break
    meter.requests = _difference(peer.requests(), requests)
    return meter


def _require_all(meter: Meter, n_checked: int, n_wanted: int) -> None:
    if (meter.n_samples, n_checked) != (n_wanted, n_wanted):
        raise WrongBytesError(
            f"a pass gave {meter.n_samples} samples and another one {n_checked}, of {n_wanted}"
        )


async def readers(peer: Peer, task: Task) -> Meter:
    """64 readers at once in one process, each opening the dataset and reading 10 rows."""
    await first(peer, task)
    meter = Meter()
    for number in range(3):
        rows = list(_cut(_rows(task, number, N_READERS * _N_READS_EACH), _N_READS_EACH))
        some = [peer.another() for _ in rows]
        with meter:
            answers = await _read_each(some, rows, task.directory)
        for asked, answered in zip(rows, answers, strict=True):
            _count(meter, task, asked, answered)
        for reader in some:
            await reader.close()
        if meter.seconds > task.budget_s:
            break
    return meter


async def _read_each(
    some: Sequence[Peer], rows: Sequence[Sequence[int]], directory: Path
) -> list[list[Any]]:
    async def read(reader: Peer, rows: Sequence[int]) -> list[Any]:
        await reader.open(directory)
        return [await reader.read_one(row) for row in rows]

    if some[0].waits:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(*each)) for each in zip(some, rows, strict=True)]
        return [task.result() for task in tasks]
    with ThreadPoolExecutor(len(some)) as pool:
        return list(pool.map(lambda reader, rows: _now(read(reader, rows)), some, rows))


WORKLOADS: dict[str, Workload] = {
    "ingest": ingest,
    "first": first,
    "reopen": reopen,
    "single": single,
    "inflight": inflight,
    "batch": batch,
    "scan": scan,
    "shuffle": shuffle,
    "readers": readers,
}


def _rows(task: Task, seed: int, n: int) -> list[int]:
    draw = random.Random(_SEED * 1000 + 10_000 * task.round + seed)
    return [draw.randrange(len(task.source)) for _ in range(n)]


def _cut(rows: Sequence[int], n: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), n):
        yield rows[start : start + n]


def _count(
    meter: Meter, task: Task, rows: Sequence[int], answers: Sequence[Any], *, times: int = 1
) -> int:
    """Check answers and add their bytes; returns how many there are."""
    for row, answer in zip(rows, answers, strict=True):
        meter.nbytes += task.source.check(row, answer)
    meter.n_samples += times * len(rows)
    return len(rows)


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before
