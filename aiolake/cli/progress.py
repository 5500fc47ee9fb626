"""Showing how far work is that only its session can tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolake.cli.output import Progress
from aiolake.dataset.session import Session

__all__ = ["bytes_moved"]

_TICK_S = 0.1


@asynccontextmanager
async def bytes_moved(session: Session, progress: Progress) -> AsyncIterator[None]:
    """Show the bytes a session has read while the body runs."""
    ticker = asyncio.get_running_loop().call_later(_TICK_S, lambda: None)

    def tick() -> None:
        nonlocal ticker
        progress.at(session.statistics().bytes_read)
        ticker = asyncio.get_running_loop().call_later(_TICK_S, tick)

    tick()
    try:
        yield
    finally:
        ticker.cancel()
