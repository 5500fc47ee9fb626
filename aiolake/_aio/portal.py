"""Asynchronous code for synchronous callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import enum
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
)

from aiolake._aio import fork
from aiolake.errors import ClosedError, ForkedError, InvalidInputError, WrongLoopError

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["Portal"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Mark(enum.Enum):
    END = enum.auto()


_Answer: TypeAlias = T | Literal[_Mark.END]


class Portal:
    """Runs an event loop in a background thread, for the length of a ``with`` block.

    ``with Portal() as portal:`` any thread may then ``call`` and ``iterate``. Streams still open
    at the block's end are closed. In the child of a fork everything raises ``ForkedError``.
    """

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._generation = fork.current.generation

    def __enter__(self) -> Self:
        _refuse_forked(self._generation)
        if self._running is not None:
            raise InvalidInputError("this portal is open already; make another one")
        # anyio takes longer to import than the rest of aiolake.
        from anyio.from_thread import start_blocking_portal

        context = start_blocking_portal("asyncio", name="aiolake-portal")
        self._running = _Running(context, context.__enter__())
        fork.keep_in_child(self._running)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is None or self._generation != fork.current.generation:
            return
        try:
            running.close_streams()
        finally:
            running.context.__exit__(exc_type, exc, traceback)
            running.abandon_streams()

    def call(self, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Await ``fn(*args)`` on the portal's loop and give its result or failure.

        Raises:
            InvalidInputError: ``fn`` is what a function gave, not the function.
            ForkedError: The portal belongs to the parent process.
            ClosedError: It is not open, or was closed meanwhile.
            WrongLoopError: Called on the portal's own loop, which would wait for itself.
        """
        running = self._enter()
        _check_function(fn)
        future = running.portal.start_task_soon(fn, *args)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            if self._running is not None:
                raise
            raise ClosedError("the portal was closed while this call ran") from None
        finally:
            future.cancel()  # when waiting was interrupted, as by Ctrl-C; else it has ended

    def iterate(
        self, factory: Callable[[], AbstractAsyncContextManager[AsyncIterable[T]]]
    ) -> Iterator[T]:
        """Iterate over what ``async for`` would in ``async with factory() as stream``.

        The stream is entered at the first item and left, in the same task, when it ends, fails,
        or the loop over it is left (the iterator is then closed as any generator is).

        Raises:
            ForkedError, ClosedError, WrongLoopError: As ``call``.
        """
        self._enter()
        _check_function(factory)
        return self._iterate(factory)

    def _iterate(
        self, factory: Callable[[], AbstractAsyncContextManager[AsyncIterable[T]]]
    ) -> Iterator[T]:
        running = self._enter()
        stream = _Stream(factory, running)
        running.streams.add(stream)
        try:
            while (item := stream.next()) is not _Mark.END:
                yield item
        finally:
            running.streams.discard(stream)
            stream.close()

    def _enter(self) -> _Running:
        _refuse_forked(self._generation)
        if self._running is None:
            raise ClosedError("the portal is not open; use it inside 'with Portal() as portal:'")
        if self._running.thread == threading.get_ident():
            raise WrongLoopError("this is the portal's own loop; await the function instead")
        return self._running


class _Running:
    """What there is while the block is open."""

    def __init__(
        self, context: AbstractContextManager[BlockingPortal], portal: BlockingPortal
    ) -> None:
        self.context = context
        self.portal = portal
        self.loop, self.thread = portal.call(_whereabouts)
        self.streams: set[_Stream[Any]] = set()

    def close_streams(self) -> None:
        for stream in list(self.streams):
            stream.close()

    def abandon_streams(self) -> None:
        for stream in list(self.streams):
            stream.abandon()


def _whereabouts() -> tuple[asyncio.AbstractEventLoop, int]:
    return asyncio.get_running_loop(), threading.get_ident()


def _check_function(fn: object) -> None:
    if callable(fn):
        return
    if isinstance(fn, Coroutine):
        fn.close()
    raise InvalidInputError(
        f"a portal takes the function, not what it gave ({type(fn).__name__}): "
        "portal.call(ds.read, 3), portal.iterate(lambda: ds.batches(64))"
    )


def _refuse_forked(generation: int) -> None:
    if generation != fork.current.generation:
        raise ForkedError("this portal's thread stayed in the parent; make a Portal in the child")


class _Stream(Generic[T]):
    """One task on the portal's loop that enters a stream, answers requests, and leaves it."""

    def __init__(
        self,
        factory: Callable[[], AbstractAsyncContextManager[AsyncIterable[T]]],
        running: _Running,
    ) -> None:
        self._factory = factory
        self._loop, self._thread = running.loop, running.thread
        self._generation = fork.current.generation
        self._requests: asyncio.Queue[concurrent.futures.Future[_Answer[T]] | None] = (
            asyncio.Queue()
        )
        self._asked: concurrent.futures.Future[_Answer[T]] | None = None
        self._failure: BaseException | None = None
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._task = running.portal.start_task_soon(self._run)

    def next(self) -> _Answer[T]:
        _refuse_forked(self._generation)
        if self._ended.done():
            raise self._closed()
        asked: concurrent.futures.Future[_Answer[T]] = concurrent.futures.Future()
        self._asked = asked
        try:
            self._loop.call_soon_threadsafe(self._requests.put_nowait, asked)
        except RuntimeError:  # another thread closed the portal, and with it the loop, just now
            raise self._closed() from None
        answer = asked.result()
        self._asked = None
        return answer

    def close(self) -> None:
        """Leave the stream and wait for that; raises a failure nobody was told of."""
        if self._generation != fork.current.generation:
            return
        self._ask_to_end()
        if self._thread == threading.get_ident():
            return  # the garbage collector dropped the iterator here: waiting would hang the loop
        self._ended.result()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def abandon(self) -> None:
        """Answer a request that came too late."""
        self._answer(self._closed())

    def _ask_to_end(self) -> None:
        if self._ended.done():
            return
        if self._asked is None:
            self._loop.call_soon_threadsafe(self._requests.put_nowait, None)
        else:  # waiting for an item was interrupted: it may never come
            self._task.cancel()

    async def _run(self) -> None:
        try:
            async with self._factory() as stream:
                exhausted = await self._serve(aiter(stream))
        except asyncio.CancelledError:
            self._end(self._closed())
            raise
        except Exception as error:
            if not self._answer(error):
                self._failure = error
            self._end(error)
        else:
            self._end(None if exhausted else self._closed())

    async def _serve(self, items: AsyncIterator[T]) -> bool:
        while (request := await self._requests.get()) is not None:
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return True
            request.set_result(item)
        return False

    def _end(self, failure: BaseException | None) -> None:
        self._answer(failure)
        self._ended.set_result(None)

    def _answer(self, failure: BaseException | None) -> bool:
        asked = self._asked
        if asked is None or asked.done():
            return False
        if failure is None:
            asked.set_result(_Mark.END)
        else:
            asked.set_exception(failure)
        return True

    def _closed(self) -> ClosedError:
        return ClosedError("the portal was closed while this stream was read; open it again")
