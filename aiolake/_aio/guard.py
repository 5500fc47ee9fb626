"""Who may use a handle: one event loop, in one thread, in one process, until it is closed."""

from __future__ import annotations

from asyncio import AbstractEventLoop, _get_running_loop
from threading import get_ident

from aiolake._aio.fork import current
from aiolake.errors import ClosedError, ForkedError, WrongLoopError

__all__ = ["Guard"]


class Guard:
    """Binds a handle to the running loop, or, made where none runs, to that of its first check.

    Args:
        what: The handle's name in messages, with its address: ``"dataset file:///flowers"``.
    """

    __slots__ = ("_closed", "_generation", "_loop", "_thread", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._closed = False
        self._generation = current.generation
        self._loop: AbstractEventLoop | None = _get_running_loop()
        self._thread = get_ident()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def forked(self) -> bool:
        """Whether the process was forked since the handle was made."""
        return self._generation != current.generation

    def close(self) -> None:
        """Refuse every later check."""
        self._closed = True

    def check(self) -> None:
        """Pass if the handle may be used here and now.

        Raises:
            ForkedError: The process was forked since the handle was made.
            ClosedError: It was closed.
            WrongLoopError: Another loop or thread, or no loop, runs here.

        Cost: under 300 ns; every read calls this.
        """
        # Not get_running_loop(): it asks the kernel for the process id, in Python 3.11 each time. A
        # thread runs one loop at a time, so a loop bound to this thread that runs, runs here.
        loop = self._loop
        if (
            loop is not None
            and self._thread == get_ident()
            and self._generation == current.generation
            and not self._closed
            and loop.is_running()
        ):
            return
        self._check_slowly()

    def _check_slowly(self) -> None:
        self._refuse_forked()
        self._refuse_closed()
        running = _get_running_loop()
        if running is None:
            raise WrongLoopError(
                f"{self._what} needs its event loop and none runs here; await it in a coroutine, "
                "or call it through its portal: portal.call(ds.read, 3), "
                "portal.iterate(lambda: ds.batches(64)); see aiolake.Portal"
            )
        if self._loop is None:
            self._loop, self._thread = running, get_ident()
        self._refuse_foreign(running)

    def _refuse_forked(self) -> None:
        if self._generation != current.generation:
            raise ForkedError(
                f"{self._what} was made before fork() and belongs to the parent process; open it "
                "again in the child"
            )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"{self._what} is closed; open it again")

    def _refuse_foreign(self, running: AbstractEventLoop) -> None:
        if self._thread != get_ident():
            raise WrongLoopError(
                f"{self._what} belongs to an event loop in another thread; open it again here, or "
                "send the work to that loop"
            )
        if self._loop is not running:
            raise WrongLoopError(
                f"{self._what} belongs to another event loop; open it again in this one"
            )
