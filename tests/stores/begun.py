"""One read that is begun."""

from __future__ import annotations

import asyncio

from aiolake.stores.base import Answer, SupportsBegunReads

__all__ = ["begun"]


async def begun(store: object, key: str, start: int, stop: int) -> Answer | str:
    """What it brings; ``"not begun"`` where none is sent."""
    assert isinstance(store, SupportsBegunReads)
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    if store.begin_ranges([(key, start, stop)], lambda _, data: told.set_result(data)) is None:
        return "not begun"
    return await told
