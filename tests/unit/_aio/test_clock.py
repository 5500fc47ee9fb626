from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from aiolake._aio import Clock, SystemClock


async def test_sleep_passes_on_the_monotonic_clock_and_lets_others_run() -> None:
    clock: Clock = SystemClock()
    others_ran: list[float] = []
    asyncio.get_running_loop().call_later(0.005, others_ran.append, 1.0)
    start = clock.monotonic()
    await clock.sleep(0.02)
    assert 0.019 <= clock.monotonic() - start < 5
    assert others_ran


def test_now_is_aware_and_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
