"""What runs in other processes: importable, so that ``spawn`` and ``forkserver`` find it."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any

import aiolake

SCHEMA: dict[str, aiolake.ColumnType | type] = {
    "n": aiolake.Tensor("int64"),
    "blob": aiolake.Bytes(),
}


def row(i: int) -> dict[str, Any]:
    return {"n": i, "blob": b"%d" % i * 20}


def in_process(context: BaseContext, fn: Callable[..., object], *args: object) -> Any:
    """What ``fn(*args)`` returns, or raises, in another process."""
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, fn, args))  # type: ignore[attr-defined]
    process.start()
    there.close()
    try:
        ok, value = here.recv()
    finally:
        process.join()
        here.close()
    if not ok:
        raise value
    return value


def _answer(to: Connection, fn: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        to.send((True, fn(*args)))
    except BaseException as error:
        to.send((False, error))


def total_of(pickled: bytes) -> tuple[int, int, str | None]:
    """Open what a pickled handle became and read all of it."""
    return asyncio.run(_total_of(pickle.loads(pickled)))


async def _total_of(spec: aiolake.DatasetSpec) -> tuple[int, int, str | None]:
    total = 0
    async with aiolake.open_dataset(spec) as ds, ds.batches(30) as batches:
        async for batch in batches:
            total += int(batch["n"].sum())
        return len(ds), total, ds.branch


def append_in(url: str, first: int, n: int) -> int | None:
    """Append rows in a process of one's own; the snapshot committed."""
    return asyncio.run(_append(url, first, n))


async def _append(url: str, first: int, n: int) -> int | None:
    async with aiolake.open_dataset(url) as ds:
        async with ds.transaction("from another process") as tx:
            await tx.append([row(i) for i in range(first, first + n)])
        return tx.snapshot


def error_of(make: Callable[[], object]) -> str:
    """The name of the error that a call, or awaiting what it returns, raises."""
    try:
        made = make()
        if isinstance(made, Coroutine):
            asyncio.run(_awaited(made))
    except Exception as error:
        return type(error).__name__
    return "none"


async def _awaited(made: Coroutine[Any, Any, object]) -> object:
    return await made
