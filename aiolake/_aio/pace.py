"""Turns for others, from work that never has to wait."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import ClassVar

__all__ = ["Pace"]


class Pace:
    """Remembers when the loop last had a turn.

    A coroutine whose awaits never suspend keeps the loop for as long as it runs: ten thousand
    reads from memory would be one callback. Hot paths compare ``turned`` themselves.

    Attributes:
        limit_s: How long calls that never wait may follow each other without a turn.
        turned: When it last turned, by ``perf_counter``.
    """

    __slots__ = ("turned",)

    limit_s: ClassVar[float] = 0.005

    def __init__(self) -> None:
        self.turned = perf_counter()

    async def turn(self) -> None:
        """Let the loop turn once."""
        await asyncio.sleep(0)
        self.turned = perf_counter()
