"""What networks do to reads, and how reads go through it; for stores of every kind."""

from __future__ import annotations

import asyncio
import enum
import random
from datetime import timedelta
from time import monotonic
from typing import Any
from unittest import mock

import pytest

import aiolake
from aiolake import Bytes, Tensor
from aiolake._aio import Tasks, map_concurrently
from aiolake.options import Options
from aiolake.stores.transport.client import Transport
from aiolake.testing import (
    Answered,
    ClosedInside,
    Delayed,
    FaultProxy,
    Flipped,
    ProxyRule,
    ResetBefore,
    ResetInside,
    Stalled,
)
from tests.scale import pick

__all__ = [
    "N_READS",
    "OPTIONS",
    "SCHEMA",
    "THROTTLED",
    "Reads",
    "blob",
    "filled",
    "nothing_is_left",
    "reads_hold",
]

N_READS = pick(400, 10_000)
N_CANCELS = pick(300, 2_000)
N_AFTER = pick(300, 1_000)
SCHEMA: dict[str, aiolake.ColumnType | type] = {"n": Tensor("int64"), "blob": Bytes()}
# The servers are small: with many more in flight they take as long as a stall to answer.
OPTIONS = Options(
    stall_timeout=timedelta(seconds=0.4), max_attempts=8, cache_bytes=1 << 20, max_inflight=32
)
THROTTLED = Answered(
    503,
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Slower.</Message></Error>",
    {"Retry-After": "0"},
)
FAULTS = [
    ProxyRule(ResetBefore(), 0.02, "GET"),
    ProxyRule(ResetInside(), 0.03, "GET"),
    ProxyRule(ClosedInside(), 0.03, "GET"),
    ProxyRule(Stalled(timedelta(seconds=1)), 0.01, "GET"),
    # So far apart that hardly ever the second reading, the last one, is struck as well.
    ProxyRule(Flipped(), method="GET", within="chunks", every=pick(97, 997)),
    ProxyRule(Delayed(timedelta(milliseconds=200)), 0.05, "GET"),
]


def blob(i: int) -> bytes:
    """Of row ``i``."""
    return random.Random(i).randbytes(2_000 + i % 700)


async def filled(url: str, n: int, creds: Any = None) -> None:
    """A dataset of so many rows."""
    async with (
        aiolake.create_dataset(url, SCHEMA, creds=creds) as ds,
        ds.transaction() as tx,
    ):
        await tx.append({"n": i, "blob": blob(i)} for i in range(n))


class Reads(enum.Enum):
    """How rows are read: so many in a call, of a server that throttles beside its other faults."""

    ONE = 1, False
    ONE_THROTTLED = 1, True
    BURST = 24, False
    BURST_THROTTLED = 24, True

    @property
    def n_rows(self) -> int:
        return self.value[0]

    @property
    def throttled(self) -> bool:
        return self.value[1]


async def reads_hold(
    proxy: FaultProxy, url: str, creds: Any, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads bring the right bytes through every fault, and after cancellations leave nothing.

    Args:
        proxy: Before the server; without rules yet.
        url: Of a dataset of ``N_READS`` rows, by way of the proxy.
        creds: Open it.
        reads: Which.
        monkeypatch: Counts the requests that are begun.
    """
    n_rows = reads.n_rows
    rules = [ProxyRule(THROTTLED, 0.05, "GET"), *FAULTS] if reads.throttled else FAULTS
    proxy.rules = rules
    begun = _counted(monkeypatch)
    async with (
        aiolake.Session(OPTIONS) as session,
        aiolake.open_dataset(url, creds=creds, session=session) as ds,
    ):
        began = monotonic()

        async def read(i: int) -> None:
            row = await ds.read(i % N_READS)
            assert (row["n"], row["blob"]) == (i % N_READS, blob(i % N_READS))

        async def read_many(i: int) -> None:
            rows = random.Random(i).sample(range(N_READS), n_rows)
            found = await ds.read(rows)
            assert found["n"].tolist() == rows
            assert found["blob"] == [blob(row) for row in rows]

        some = read if n_rows == 1 else read_many
        order = random.Random(1).sample(range(N_READS), N_READS // n_rows)
        n_at_once = 32 if n_rows == 1 else 3
        await map_concurrently(some, order, limit=n_at_once)
        assert len(proxy.faults) == len({type(rule.fault) for rule in rules})
        assert monotonic() - began < pick(60, 600)
        await _cancelled_at_random(some)
        proxy.rules = []
        await map_concurrently(some, range(N_AFTER // n_rows), limit=n_at_once)
        nothing_is_left(session)
    n_begun, n_reads = sum(call.args[0] for call in begun.call_args_list), len(order) * n_rows
    # A store that throttles all the time is spared: nothing is begun.
    assert (n_begun > n_reads // 3) is not reads.throttled
    async with asyncio.timeout(10):
        while proxy.n_open:  # noqa: ASYNC110 it sees the end of one that it stalls once it goes on
            await asyncio.sleep(0.02)
    # Of those that were cancelled it sees the end late, while others are open in their place.
    assert proxy.n_most_open <= 4 * OPTIONS.max_inflight


def _counted(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Called with the number of requests that were begun together."""
    begin, begun = Transport.begin, mock.Mock()

    def counted(*args: Any) -> Any:
        sent = begin(*args)
        if sent is not None:
            begun(sent.n)
        return sent

    monkeypatch.setattr(Transport, "begin", counted)
    return begun


async def _cancelled_at_random(read: Any) -> None:
    rng = random.Random(2)

    async def cancelled(i: int) -> None:
        async with Tasks() as tasks:
            task = tasks.start(read(i), name="read")
            await asyncio.sleep(rng.random() * 0.02)
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled() or task.exception() is None

    await map_concurrently(cancelled, range(N_CANCELS), limit=32)


def nothing_is_left(session: aiolake.Session) -> None:
    """No request, no byte held, no connection in use, no task."""
    statistics = session.statistics()
    assert (statistics.in_flight, statistics.waiting, statistics.inflight_bytes) == (0, 0, 0)
    assert session._network.transport.statistics().in_use == 0
    left = [task.get_name() for task in asyncio.all_tasks() if "aiolake" in task.get_name()]
    assert [name for name in left if "keeper" not in name] == []
