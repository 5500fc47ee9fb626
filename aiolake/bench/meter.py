"""Counts what happens while something is measured."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from aiolake.bench.values import Measurement, latency
from aiolake.dataset.session import Session
from aiolake.stores.scheduler import SchedulerStatistics

__all__ = ["Meter"]


class Meter:
    """Adds up calls within ``with`` blocks, each of one session.

    Args:
        name: What is measured.
        writes: Bytes written are counted, not those read.
    """

    def __init__(self, name: str, *, writes: bool = False) -> None:
        self._name = name
        self._writes = writes
        self._calls_s: list[float] = []
        self._n_samples = 0
        self._seconds = 0.0
        self._cpu_seconds = 0.0
        self._requests = 0
        self._nbytes = 0

    def call(self, n_samples: int, seconds: float) -> None:
        """A call ended."""
        self._n_samples += n_samples
        self._calls_s.append(seconds)

    def during(self, session: Session) -> _Block:
        """What happens in this block counts."""
        return _Block(self, session)

    def measurement(self) -> Measurement:
        """All of it."""
        return Measurement(
            name=self._name,
            n_samples=self._n_samples,
            n_calls=len(self._calls_s),
            nbytes=self._nbytes,
            seconds=self._seconds,
            cpu_seconds=self._cpu_seconds,
            requests=self._requests,
            latency=latency(self._calls_s),
        )

    def _add(self, seconds: float, cpu_seconds: float, requests: int, nbytes: int) -> None:
        self._seconds += seconds
        self._cpu_seconds += cpu_seconds
        self._requests += requests
        self._nbytes += nbytes

    def _moved(self, done: SchedulerStatistics) -> int:
        return done.bytes_written if self._writes else done.bytes_read


class _Block:
    def __init__(self, meter: Meter, session: Session) -> None:
        self._meter = meter
        self._session = session

    def __enter__(self) -> Self:
        self._before = self._session.statistics()
        self._cpu = time.process_time()
        self._since = time.perf_counter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._since
        cpu = time.process_time() - self._cpu
        after = self._session.statistics()
        meter = self._meter
        meter._add(
            seconds,
            cpu,
            _requests(after) - _requests(self._before),
            meter._moved(after) - meter._moved(self._before),
        )


def _requests(done: SchedulerStatistics) -> int:
    return sum(done.requests.values()) + done.immediate_reads
