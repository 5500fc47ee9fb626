"""Workers of one transaction, as they run in processes of their own."""

from __future__ import annotations

import asyncio

import aiolake
from tests.process.workers import row


def append_range(worker: aiolake.Worker, start: int, stop: int) -> aiolake.Receipt:
    """Append rows ``[start, stop)``; the receipt."""
    return asyncio.run(_append_range(worker, start, stop))


async def _append_range(worker: aiolake.Worker, start: int, stop: int) -> aiolake.Receipt:
    async with worker.open() as rows:
        await rows.append(row(i) for i in range(start, stop))
    return rows.receipt


def append_for_ever(worker: aiolake.Worker) -> None:
    """Upload rows until killed."""
    asyncio.run(_append_for_ever(worker))


async def _append_for_ever(worker: aiolake.Worker) -> None:
    async with worker.open() as rows:
        for i in range(1_000_000):
            await rows.append({"n": i, "blob": bytes(9 << 20)})
