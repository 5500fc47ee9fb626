"""Measures a dataset, or a generated one, at any address."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from aiolake.bench.meter import Meter
from aiolake.bench.values import BenchReport, Measurement
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.open import create_dataset, delete_dataset, open_dataset
from aiolake.dataset.session import Session
from aiolake.errors import InvalidInputError
from aiolake.options import Options
from aiolake.types import Bytes, ColumnType, Tensor

__all__ = ["measure", "measure_generated"]

_N_OPENS = 10
_IN_FLIGHT = 64
_ROWS_PER_APPEND = 200
_MAX_SAMPLE_BYTES = 2**30
_BUDGET = timedelta(seconds=2)


async def measure(
    url: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    decode: bool = True,
    batch: int = 64,
    budget: timedelta = _BUDGET,
    seed: int = 0,
    creds: Any = None,
    options: Options | None = None,
) -> BenchReport:
    """Measure a dataset: opening, and reading at random, many at once, in batches and in order.

    Args:
        url: Where it is.
        columns: Read these; all by default.
        decode: Else pictures, text and JSON are read as their stored bytes.
        batch: Rows of a batch.
        budget: Each way to read ends after this time, or when every row was read once.
        seed: Of the random rows.
        creds: See ``open_dataset``.
        options: See ``open_dataset``.

    Raises:
        NotFoundError: There is no dataset.
        InvalidInputError: It has no rows, or no such column; ``batch`` or ``budget`` is not
            positive.

    Cost: as many requests as fit into five times the budget; it reads, and writes nothing.

    Cancellation: leaves nothing behind.
    """
    _check(batch, budget)
    async with (
        Session(options) as session,
        open_dataset(url, creds=creds, session=session) as dataset,
    ):
        if not len(dataset):
            raise InvalidInputError(f"cannot measure reading {dataset.url}: it has no rows")
        names = tuple(dataset.schema.names if columns is None else columns)
        reads = _Reads(dataset, session, names, decode, batch, budget.total_seconds(), seed)
        reads.dataset.select(*names)
        opens = await _opens(url, names, reads, creds, options)
        return BenchReport(
            url=dataset.url,
            n_rows=len(dataset),
            columns=names,
            measurements=(
                *opens,
                await _singles(reads),
                await _in_flight(reads),
                await _batches(reads),
                await _scan(reads),
            ),
        )


async def measure_generated(
    url: str | os.PathLike[str],
    *,
    n_rows: int = 2_000,
    sample_bytes: int = 20_000,
    batch: int = 64,
    budget: timedelta = _BUDGET,
    seed: int = 0,
    creds: Any = None,
    options: Options | None = None,
) -> BenchReport:
    """Write a dataset of random bytes where nothing is, measure writing and reading, remove it.

    Args:
        url: Where; a dataset that is there already is refused.
        n_rows: Rows to write.
        sample_bytes: Bytes of each.
        batch: See ``measure``.
        budget: See ``measure``; writing is not limited.
        seed: Of the bytes and the random rows.
        creds: See ``open_dataset``.
        options: See ``open_dataset``.

    Raises:
        AlreadyExistsError: There is a dataset.
        InvalidInputError: A number is not positive.

    Cost: writes ``n_rows * sample_bytes`` bytes and reads several times as many.

    Cancellation: what was written is removed before the cancellation goes on; one that comes while
    the dataset is created may leave it, empty.
    """
    _check(batch, budget)
    _positive("n_rows", n_rows)
    _positive("sample_bytes", sample_bytes, _MAX_SAMPLE_BYTES)
    async with Session(options) as session:
        schema: dict[str, ColumnType] = {"sample": Bytes(), "label": Tensor("int32", ())}
        dataset = await create_dataset(url, schema, creds=creds, session=session)
        try:
            async with dataset:
                written = await _ingest(dataset, session, n_rows, sample_bytes, seed)
            report = await measure(
                url,
                columns=["sample"],
                batch=batch,
                budget=budget,
                seed=seed,
                creds=creds,
                options=options,
            )
        finally:
            await delete_dataset(url, purge=True, creds=creds, session=session)
    return msgspec.structs.replace(report, measurements=(written, *report.measurements))


class _Reads(msgspec.Struct, frozen=True):
    """What is read, and how."""

    dataset: Dataset
    session: Session
    columns: tuple[str, ...]
    decode: bool
    batch: int
    budget_s: float
    seed: int

    async def read(self, dataset: Dataset, rows: int | list[int]) -> None:
        await dataset.read(rows, columns=list(self.columns), decode=self.decode)

    def order(self) -> list[int]:
        """Every row once, at random."""
        rows = list(range(len(self.dataset)))
        random.Random(self.seed).shuffle(rows)
        return rows

    def until(self) -> float:
        return time.perf_counter() + self.budget_s


async def _opens(
    url: str | os.PathLike[str],
    names: tuple[str, ...],
    reads: _Reads,
    creds: Any,
    options: Options | None,
) -> tuple[Measurement, Measurement]:
    """A session each, so that every one connects and finds nothing in memory."""
    opening, reading = Meter("open"), Meter("first sample")
    until = reads.until()
    for row in reads.order()[:_N_OPENS]:
        async with Session(options) as session:
            with opening.during(session):
                started = time.perf_counter()
                dataset = await open_dataset(url, creds=creds, session=session)
                opening.call(1, time.perf_counter() - started)
            async with dataset:
                with reading.during(session):
                    started = time.perf_counter()
                    await reads.read(dataset, row)
                    reading.call(1, time.perf_counter() - started)
        if time.perf_counter() > until:
            break
    return opening.measurement(), reading.measurement()


async def _singles(reads: _Reads) -> Measurement:
    meter = Meter("one at a time")
    with meter.during(reads.session):
        await _read_some(reads, meter, reads.order(), reads.until())
    return meter.measurement()


async def _in_flight(reads: _Reads) -> Measurement:
    meter, order, until = Meter(f"{_IN_FLIGHT} in flight"), reads.order(), reads.until()
    with meter.during(reads.session):
        async with asyncio.TaskGroup() as group:
            for number in range(min(_IN_FLIGHT, len(order))):
                group.create_task(_read_some(reads, meter, order[number::_IN_FLIGHT], until))
    return meter.measurement()


async def _read_some(reads: _Reads, meter: Meter, rows: Sequence[int], until: float) -> None:
    for row in rows:
        started = time.perf_counter()
        await reads.read(reads.dataset, row)
        ended = time.perf_counter()
        meter.call(1, ended - started)
        if ended > until:
            return


async def _batches(reads: _Reads) -> Measurement:
    meter, order, until = Meter(f"batches of {reads.batch}"), reads.order(), reads.until()
    with meter.during(reads.session):
        for start in range(0, len(order), reads.batch):
            rows = order[start : start + reads.batch]
            started = time.perf_counter()
            await reads.read(reads.dataset, rows)
            ended = time.perf_counter()
            meter.call(len(rows), ended - started)
            if ended > until:
                break
    return meter.measurement()


async def _scan(reads: _Reads) -> Measurement:
    meter, until = Meter("scan"), reads.until()
    view = reads.dataset.select(*reads.columns)
    with meter.during(reads.session):
        started = time.perf_counter()
        async with view.batches(reads.batch, decode=reads.decode) as batches:
            async for batch in batches:
                ended = time.perf_counter()
                meter.call(len(batch[reads.columns[0]]), ended - started)
                if ended > until:
                    break
                started = ended
    return meter.measurement()


async def _ingest(
    dataset: Dataset, session: Session, n_rows: int, sample_bytes: int, seed: int
) -> Measurement:
    meter, draw = Meter("ingest", writes=True), random.Random(seed)
    for start in range(0, n_rows, _ROWS_PER_APPEND * 10):
        count = min(_ROWS_PER_APPEND * 10, n_rows - start)
        samples = [draw.randbytes(sample_bytes) for _ in range(count)]
        with meter.during(session):
            await _append(dataset, meter, start, samples)
    return meter.measurement()


async def _append(dataset: Dataset, meter: Meter, start: int, samples: Sequence[bytes]) -> None:
    started = time.perf_counter()
    async with dataset.transaction("measured") as tx:
        for at in range(0, len(samples), _ROWS_PER_APPEND):
            some = samples[at : at + _ROWS_PER_APPEND]
            labels = range(start + at, start + at + len(some))
            await tx.append(columns={"sample": some, "label": list(labels)})
    meter.call(len(samples), time.perf_counter() - started)


def _check(batch: int, budget: timedelta) -> None:
    _positive("batch", batch)
    if not isinstance(budget, timedelta) or budget <= timedelta():
        raise InvalidInputError(f"budget is a datetime.timedelta above zero, got {budget!r}")


def _positive(name: str, value: int, most: int = 2**31 - 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidInputError(f"{name} is a whole number from 1 to {most:,}, got {value!r}")
