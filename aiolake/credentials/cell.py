"""One credential for everybody in the process who needs it: a cell, whatever the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import Hashable
from datetime import datetime, timedelta

from aiolake._aio import on_child
from aiolake.credentials.timing import Held
from aiolake.credentials.values import Credential

__all__ = ["Cell", "Flight", "cell_of", "landed"]

_LEAST_SKEW = timedelta(seconds=2)
"""``Date`` has whole seconds, and an answer takes a while: smaller differences mean nothing."""

Flight = concurrent.futures.Future[None]
"""A renewal under way; it ends without a result, and whoever waited looks at the cell again."""


class Cell:
    """A credential, its renewals and their counts; shared by the keepers of several loops.

    Its state changes under a lock and never awaits. ``held`` may be read without it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: Held | None = None
        self.flight: Flight | None = None
        self.failure: BaseException | None = None
        self.source: str | None = None
        self.n_renewals = 0
        self.n_failures = 0
        self.skew = timedelta(0)

    def take_off(self, unless_newer_than: Held | None) -> tuple[Flight | None, bool]:
        """The renewal to wait for, and whether the caller is to fly it.

        ``(None, False)``: a newer credential has come since the caller looked.
        """
        with self.lock:
            if self.held is not unless_newer_than and self.held is not None:
                return None, False
            if self.flight is not None:
                return self.flight, False
            self.flight = concurrent.futures.Future()
            return self.flight, True

    def land(
        self,
        flight: Flight,
        held: Held | None,
        failure: BaseException | None,
        source: str | None = None,
    ) -> None:
        """End a renewal: with what is held from now on, and how it failed if it did.

        Args:
            flight: The renewal.
            held: What is held; ``None`` where nothing new is.
            failure: How it failed.
            source: Which of several places the credential turned out to come from.
        """
        with self.lock:
            if self.flight is flight:
                self.flight = None
            if held is not None:
                self.held = held
            self.failure = failure
            if failure is None:
                self.source = source
                self.n_renewals += 1
            else:
                self.n_failures += 1
        _end(flight)

    def abandon(self, flight: Flight) -> None:
        """End a renewal that its loop gave up; others may start one."""
        with self.lock:
            if self.flight is flight:
                self.flight = None
        _end(flight)

    def refuse(self, credential: Credential) -> Held | None:
        """A store says that a credential expired: it serves no more, unless a newer one has come.

        Returns what is held now.
        """
        with self.lock:
            held = self.held
            if held is not None and held.credential == credential and not held.refused:
                held = self.held = Held(
                    credential, held.fetched_at, held.renew_at, held.n_failures, refused=True
                )
            return held

    def saw_time(self, server: datetime, here: datetime) -> None:
        """A server said what time it is."""
        skew = server - here
        self.skew = skew if abs(skew) >= _LEAST_SKEW else timedelta(0)


def _end(flight: Flight) -> None:
    """Tell those who wait; one that was given up may still land."""
    with contextlib.suppress(concurrent.futures.InvalidStateError):
        flight.set_result(None)


async def landed(flight: Flight, timeout_s: float) -> bool:
    """Wait for a renewal, of whichever loop; False when it takes longer.

    Cancellation: the renewal goes on.
    """
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()

    def tell(_: Flight) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits there
            loop.call_soon_threadsafe(arrived.set)

    flight.add_done_callback(tell)
    try:
        async with asyncio.timeout(timeout_s):
            await arrived.wait()
    except TimeoutError:
        return False
    return True


_lock = threading.Lock()
_cells: weakref.WeakValueDictionary[Hashable, Cell] = weakref.WeakValueDictionary()


def cell_of(identity: Hashable) -> Cell:
    """The process's cell of an identity; it lives as long as somebody holds it."""
    with _lock:
        cell = _cells.get(identity)
        if cell is None:
            cell = _cells[identity] = Cell()
        return cell


def _after_fork() -> None:
    """A child begins anew: a thread it does not have may hold a lock, or fly a renewal."""
    global _lock, _cells
    _lock = threading.Lock()
    _cells = weakref.WeakValueDictionary()


on_child(_after_fork)
