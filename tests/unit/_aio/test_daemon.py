from __future__ import annotations

import asyncio
import contextvars
import logging

import anyio
import pytest

from aiolake._aio import Daemon
from aiolake.errors import ClosedError, InvalidInputError
from tests.unit._aio.helpers import cancel_at_each_step, in_child, others

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="empty")


class Loop:
    """Turns until cancelled; cleaning up takes a few turns of the loop."""

    def __init__(self) -> None:
        self.n_turns = 0
        self.n_cancels = 0
        self.cleaned_up = False

    async def __call__(self) -> None:
        try:
            while True:
                self.n_turns += 1
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.n_cancels += 1
            raise
        finally:
            await self._clean_up()

    async def _clean_up(self) -> None:
        try:
            for _ in range(5):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.n_cancels += 1
            raise
        self.cleaned_up = True


async def test_runs_from_start_until_closed() -> None:
    loop = Loop()
    daemon = Daemon(loop, name="turning")
    await asyncio.sleep(0.001)
    assert loop.n_turns == 0
    daemon.start()
    await asyncio.sleep(0.005)
    assert loop.n_turns > 1
    await daemon.aclose()
    assert loop.cleaned_up
    assert not others()
    assert not daemon.failed


async def test_runs_in_an_empty_context() -> None:
    seen: list[str] = []

    async def look() -> None:
        seen.append(VARIABLE.get())

    VARIABLE.set("of a request")
    daemon = Daemon(look, name="looking")
    daemon.start()
    await asyncio.sleep(0.001)
    await daemon.aclose()
    assert seen == ["empty"]


async def test_a_crash_is_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    failure = KeyError("lost")

    async def crash() -> None:
        raise failure

    daemon = Daemon(crash, name="crashing keeper")
    daemon.start()
    with caplog.at_level(logging.ERROR, logger="aiolake"):
        await asyncio.sleep(0.001)
    assert daemon.failed
    assert daemon.failure is failure
    assert "crashing keeper" in caplog.text
    assert "KeyError" in caplog.text
    await daemon.aclose()
    assert daemon.failed


async def test_closing_is_idempotent_and_concurrent_closers_all_wait() -> None:
    loop = Loop()
    daemon = Daemon(loop, name="turning")
    daemon.start()
    await asyncio.sleep(0)
    cleaned_up: list[bool] = []

    async def close() -> None:
        await daemon.aclose()
        cleaned_up.append(loop.cleaned_up)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(close())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert cleaned_up == [True] * 3
    assert loop.n_cancels == 1
    await daemon.aclose()


async def test_closing_one_that_never_started_is_fine() -> None:
    daemon = Daemon(Loop(), name="idle")
    await daemon.aclose()
    with pytest.raises(ClosedError, match="idle"):
        daemon.start()


async def test_starting_twice_is_refused() -> None:
    daemon = Daemon(Loop(), name="turning")
    daemon.start()
    with pytest.raises(InvalidInputError, match="turning"):
        daemon.start()
    await daemon.aclose()


async def test_it_may_close_itself() -> None:
    async def close() -> None:
        await daemon.aclose()
        await asyncio.sleep(60)

    daemon = Daemon(close, name="suicidal")
    daemon.start()
    await asyncio.sleep(0.001)
    assert not others()
    assert not daemon.failed


@pytest.mark.parametrize("times", [1, 3, 100])
async def test_aclose_cancelled_at_each_step_still_waits_for_the_end(times: int) -> None:
    loops: list[Loop] = []

    async def run() -> None:
        loops.append(Loop())
        daemon = Daemon(loops[-1], name="turning")
        daemon.start()
        try:
            await asyncio.sleep(0)
        finally:
            await daemon.aclose()

    def check() -> None:
        assert loops[-1].cleaned_up or loops[-1].n_turns == 0
        assert loops[-1].n_cancels <= 1

    assert await cancel_at_each_step(run, check, times=times) >= 2


def test_closed_under_a_cancelled_anyio_scope() -> None:
    loop = Loop()

    async def main() -> None:
        daemon = Daemon(loop, name="turning")
        daemon.start()
        with anyio.CancelScope() as scope:  # noqa: TID251
            await asyncio.sleep(0)
            scope.cancel()
            await daemon.aclose()
        assert scope.cancelled_caught
        assert not others()

    anyio.run(main)
    assert loop.cleaned_up


async def test_a_forked_child_closes_it_without_touching_it() -> None:
    loop = Loop()
    daemon = Daemon(loop, name="turning")
    daemon.start()
    await asyncio.sleep(0)
    assert in_child(lambda: asyncio.run(daemon.aclose())) is None
    assert in_child(lambda: loop.n_cancels) == 0
    await daemon.aclose()
