"""Checks of a store: may we list, create and read, is create-only kept, how fast is it.

What is written lies under ``doctor/``, which no dataset looks at, and is removed again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import perf_counter

from aiolake import keys
from aiolake._aio import map_concurrently
from aiolake.cli.doctor.findings import Finding, Verdict, latency_text, rate_text
from aiolake.errors import AiolakeError, NotFoundError, ReadOnlyError
from aiolake.stores.base import CreateOutcome, Store

__all__ = ["check_store", "is_missing", "was_measured"]

N_RACERS = 20
_N_READS = 30
_SMALL_NBYTES = 16 << 10
_LARGE_NBYTES = 8 << 20

Check = Callable[[Store, str], Awaitable[Finding]]


async def check_store(store: Store, *, write: bool) -> list[Finding]:
    """Check what a store does.

    Args:
        store: Where.
        write: Whether small objects may be created, and removed again.
    """
    findings = [await _listing(store)]
    if is_missing(findings):
        return findings
    if not write:
        skipped = Finding("create", Verdict.SKIPPED, "not asked for", "leave out --read-only")
        return [*findings, skipped]
    async with _removing(store) as prefix:
        created = await _create(store, prefix)
        findings.append(created)
        if created.verdict is Verdict.OK:
            for name, check in _CHECKS.items():
                findings.append(await _guarded(name, check, store, prefix))
    return findings


def is_missing(findings: Sequence[Finding]) -> bool:
    """Whether there is no such bucket or container, so that nothing else can be told."""
    return any(each.check == "list" and each.verdict is Verdict.FAILED for each in findings)


def was_measured(findings: Sequence[Finding]) -> bool:
    """Whether objects could be created, and so the speed be told by them."""
    return any(each.check == "create" and each.verdict is Verdict.OK for each in findings)


@contextlib.asynccontextmanager
async def _removing(store: Store) -> AsyncIterator[str]:
    """A prefix of one's own; whatever is under it is removed at the end."""
    prefix = f"{keys.CHECKS}{keys.new_id()}"
    written = [f"{prefix}/{name}" for name in ("first", "race", "small", "large")]
    try:
        yield prefix
    finally:
        with contextlib.suppress(AiolakeError):  # the check that could not write has said so
            await store.delete(written)


async def _guarded(name: str, check: Check, store: Store, prefix: str) -> Finding:
    try:
        return await check(store, prefix)
    except AiolakeError as error:
        return Finding(name, Verdict.FAILED, str(error))


async def _listing(store: Store) -> Finding:
    try:
        page = await store.list("", limit=10)
    except NotFoundError as error:
        return Finding("list", Verdict.FAILED, str(error), "buckets and containers are not made")
    except AiolakeError as error:
        return Finding(
            "list",
            Verdict.NOTE,
            str(error),
            "datasets work without listing, with more requests to open; gc does not: allow it",
        )
    found = f"{store.listing.value}; {'objects are there' if page.objects else 'nothing is there'}"
    return Finding("list", Verdict.OK, found)


async def _create(store: Store, prefix: str) -> Finding:
    try:
        outcome = await store.create(f"{prefix}/first", [b"aiolake doctor"])
    except ReadOnlyError as error:
        return Finding("create", Verdict.NOTE, str(error))
    except AiolakeError as error:
        advice = "only reading works here; to write, allow creating and deleting objects"
        return Finding("create", Verdict.FAILED, str(error), advice)
    if outcome is CreateOutcome.CREATED:
        return Finding("create", Verdict.OK, "objects can be created")
    return Finding("create", Verdict.FAILED, f"the answer to a create was {outcome.value!r}")


async def _race(store: Store, prefix: str) -> Finding:
    """Of twenty creates of one key at once, one must win."""
    key = f"{prefix}/race"

    async def race(i: int) -> CreateOutcome:
        return await store.create(key, [b"%d" % i])

    outcomes = await map_concurrently(race, range(N_RACERS), limit=N_RACERS)
    winners = outcomes.count(CreateOutcome.CREATED)
    unclear = outcomes.count(CreateOutcome.UNKNOWN)
    detail = f"{N_RACERS} creates of one key: {winners} created, {unclear} unclear"
    if winners > 1 or (not winners and not unclear):
        advice = "this store ignores create-only puts: do not write datasets to it"
        return Finding("create-only", Verdict.FAILED, detail, advice)
    return Finding("create-only", Verdict.OK, detail)


async def _visible(store: Store, prefix: str) -> Finding:
    """What was created can be read, and is listed, at once."""
    data = bytes(await store.get(f"{prefix}/first"))
    if data != b"aiolake doctor":
        return Finding("read", Verdict.FAILED, f"other bytes came back: {data[:40]!r}")
    if store.listing.value == "none":
        return Finding("read", Verdict.OK, "reads see what was created")
    page = await store.list(f"{prefix}/")
    if f"{prefix}/first" not in [item.key for item in page.objects]:
        return Finding("read", Verdict.NOTE, "a created object can be read but is not listed yet")
    return Finding("read", Verdict.OK, "reads and listings see what was created")


async def _delete(store: Store, prefix: str) -> Finding:
    """Who may not delete can write datasets, and neither shrink nor remove them."""
    key = f"{prefix}/first"
    try:
        await store.delete([key])
    except AiolakeError as error:
        advice = (
            "datasets can be written and read, but gc and aiolake rm cannot work, and the test "
            f"objects under {prefix}/ stay: allow deleting objects"
        )
        return Finding("delete", Verdict.NOTE, str(error), advice)
    try:
        await store.head(key)
    except NotFoundError:
        return Finding("delete", Verdict.OK, "objects can be deleted")
    return Finding("delete", Verdict.NOTE, "a deleted object can still be read for a while")


async def _latency(store: Store, prefix: str) -> Finding:
    key, data = f"{prefix}/small", os.urandom(_SMALL_NBYTES)
    await store.put(key, [data])
    taken = []
    for i in range(_N_READS):
        start = i * 256
        began = perf_counter()
        part = await store.get_range(key, start, start + 256)
        taken.append(perf_counter() - began)
        if bytes(part) != data[start : start + 256]:
            return Finding("latency", Verdict.FAILED, f"bytes {start}.. of {key!r} are wrong")
    return Finding("latency", Verdict.OK, f"range reads: {latency_text(taken)}")


async def _bandwidth(store: Store, prefix: str) -> Finding:
    key, data = f"{prefix}/large", os.urandom(_LARGE_NBYTES)
    began = perf_counter()
    await store.put(key, [data])
    put = perf_counter() - began
    began = perf_counter()
    same = bytes(await store.get(key)) == data
    got = perf_counter() - began
    if not same:
        return Finding("bandwidth", Verdict.FAILED, f"other bytes came back from {key!r}")
    detail = f"write {rate_text(len(data), put)}, read {rate_text(len(data), got)}, one request"
    return Finding("bandwidth", Verdict.OK, detail)


_CHECKS: dict[str, Check] = {
    "create-only": _race,
    "read": _visible,
    "latency": _latency,
    "bandwidth": _bandwidth,
    "delete": _delete,
}
