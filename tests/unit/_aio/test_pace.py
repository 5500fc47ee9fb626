from __future__ import annotations

import asyncio
from time import perf_counter

from aiolake._aio import Pace


async def test_others_run_while_it_turns() -> None:
    pace = Pace()
    pace.turned = perf_counter() - 2 * pace.limit_s
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "other")
    await pace.turn()
    assert ran == ["other"]
    assert perf_counter() - pace.turned < pace.limit_s
