"""What was measured, as frozen values and as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aiolake.shown import table

__all__ = ["BenchReport", "Latency", "Measurement", "latency"]

_HEAD = ("", "samples/s", "MB/s", "CPU ms", "requests", "p50 ms", "p99 ms", "max ms", "of")


class Latency(msgspec.Struct, frozen=True):
    """How long single calls took, in milliseconds; the nearest rank, so each was measured.

    Attributes:
        p50_ms: Half of the calls took at most this.
        p99_ms: All but one in a hundred.
        max_ms: The slowest.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One way to read or write, for a while.

    Attributes:
        name: What was done, in words.
        n_samples: Rows read or written.
        n_calls: Calls that did so.
        nbytes: Bytes the store received or gave; none where memory answered.
        seconds: Wall time.
        cpu_seconds: Processor time of the process, all threads.
        requests: Attempts sent to the store, and reads that a local file answered at once.
        latency: Of the calls.
    """

    name: str
    n_samples: int
    n_calls: int
    nbytes: int
    seconds: float
    cpu_seconds: float
    requests: int
    latency: Latency

    @property
    def samples_per_s(self) -> float:
        """Rows a second."""
        return self.n_samples / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Bytes a second, to or from the store."""
        return self.nbytes / self.seconds if self.seconds else 0.0


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``measure`` found.

    Attributes:
        url: Of the dataset.
        n_rows: Its rows.
        columns: Those that were read.
        measurements: In the order in which they were made.
    """

    url: str
    n_rows: int
    columns: tuple[str, ...]
    measurements: tuple[Measurement, ...]

    def table(self) -> str:
        """Lines of aligned text.

        CPU and requests are per sample: a request of a scan brings many, so these are fractions.
        """
        return table(_HEAD, [_row(each) for each in self.measurements], _HEAD[1:])


def _row(made: Measurement) -> tuple[str, ...]:
    n = max(1, made.n_samples)
    taken = made.latency
    return (
        made.name,
        f"{made.samples_per_s:,.0f}" if made.samples_per_s >= 10 else f"{made.samples_per_s:.1f}",
        f"{made.bytes_per_s / 1e6:,.1f}",
        f"{made.cpu_seconds / n * 1e3:.3f}",
        f"{made.requests / n:.2f}",
        *(f"{value:,.2f}" for value in (taken.p50_ms, taken.p99_ms, taken.max_ms)),
        f"{made.n_calls:,} calls",
    )


def latency(seconds: Sequence[float]) -> Latency:
    """Of calls that took these times; zeros without any."""
    ordered = sorted(seconds) or [0.0]
    return Latency(
        _nearest_rank(ordered, 50) * 1e3, _nearest_rank(ordered, 99) * 1e3, ordered[-1] * 1e3
    )


def _nearest_rank(ordered: Sequence[float], percent: int) -> float:
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(1, rank) - 1]
