"""How fast a dataset's own objects are read, where none of ours may be written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from aiolake import keys
from aiolake.cli.doctor.findings import Finding, Verdict, latency_text, rate_text
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.describe import column_sizes
from aiolake.errors import AiolakeError
from aiolake.render.text import count, size
from aiolake.stores.base import Store

__all__ = ["check_reading", "nothing_to_read"]

_N_READS = 30
_SMALL_NBYTES = 256
_STRIDE = 4096
"""Reads lie in pages of their own, so that none is answered by what came with another."""

_MOST_NBYTES = 8 << 20
_LEAST_NBYTES = 64 << 10
"""Of fewer bytes the rate is that of the round trip."""

_MOST_CHUNKS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """Objects to read, and what they are."""

    keys: tuple[str, ...]
    words: str


async def check_reading(dataset: Dataset) -> list[Finding]:
    """Read parts of a dataset's chunks, or of its newest log entry where it has no chunk.

    Cost: at most 48 requests and 8 MiB.
    """
    store = dataset._core.store
    try:
        sample = await _sample(dataset)
    except AiolakeError as error:
        return [Finding("latency", Verdict.FAILED, str(error))]
    return [
        await _guarded("latency", lambda: _latency(store, sample)),
        await _guarded("bandwidth", lambda: _bandwidth(store, sample)),
    ]


def nothing_to_read() -> list[Finding]:
    """The same where there is no dataset."""
    why = "there is nothing to read here, and nothing was written"
    return [Finding(check, Verdict.SKIPPED, why) for check in ("latency", "bandwidth")]


async def _guarded(check: str, call: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await call()
    except AiolakeError as error:
        return Finding(check, Verdict.FAILED, str(error))


async def _sample(dataset: Dataset) -> Sample:
    """Chunks of the column that takes most, those of its largest pieces first."""
    sizes = await column_sizes(dataset)
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        index = dataset._state.reader.column(name).index
        if not index.holds_bytes:
            continue
        pieces = sorted(await index.pieces(), key=lambda piece: piece.nbytes, reverse=True)
        ids = sorted({piece.rows[0] for piece in pieces[:_MOST_CHUNKS]})
        units = (await index.locate(np.array(ids, np.int64))).units
        found = dict.fromkeys(units.keys[i] for i in units.key[units.length > 0].tolist())
        if found:
            chunks = tuple(found)[:_MOST_CHUNKS]
            return Sample(chunks, f"{count(len(chunks), 'chunk')} of column {name!r}")
    return Sample((keys.entry_key(dataset._state.head.n),), "the newest log entry")


async def _latency(store: Store, sample: Sample) -> Finding:
    key, taken = sample.keys[0], []
    most = max(1, (await store.head(key)).size - _SMALL_NBYTES)
    for i in range(_N_READS):
        start = i * _STRIDE % most
        began = perf_counter()
        await store.get_range(key, start, start + _SMALL_NBYTES)
        taken.append(perf_counter() - began)
    return Finding("latency", Verdict.OK, f"range reads of {key}: {latency_text(taken)}")


async def _bandwidth(store: Store, sample: Sample) -> Finding:
    nbytes = n_requests = 0
    began = perf_counter()
    for key in sample.keys:
        if nbytes < _MOST_NBYTES:
            nbytes += len(await store.get_range(key, 0, _MOST_NBYTES - nbytes))
            n_requests += 1
    taken = perf_counter() - began
    if nbytes < _LEAST_NBYTES:
        detail = f"{size(nbytes)} of {sample.words}: too little to tell a rate by"
        return Finding("bandwidth", Verdict.SKIPPED, detail)
    requests = "one request" if n_requests == 1 else f"{n_requests} requests in turn"
    detail = f"read {rate_text(nbytes, taken)} of {sample.words}, {requests}"
    return Finding("bandwidth", Verdict.OK, detail)
