"""The one scheduler all requests of a session pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from aiolake._aio import Clock, Deadline, Deadlines, SystemClock, random_source
from aiolake.errors import AiolakeError, ThrottledError, TransientStoreError
from aiolake.options import Options
from aiolake.stores.admission import Admission, Kind, State, Ticket
from aiolake.stores.base import Answer, Begun, Buffer, Refused, Told
from aiolake.stores.retry import RetryBudget, RetryPolicy, decide

__all__ = ["Hold", "Scheduler", "SchedulerStatistics"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStatistics:
    """What a scheduler is doing, and has done since it was made.

    Attributes:
        in_flight: Requests sent and not answered.
        inflight_bytes: Bytes they may bring or carry.
        held_bytes: Bytes of holds.
        waiting: Requests and holds that may not go yet.
        limit: Requests that may be in flight now; less than the maximum after throttling.
        requests: Attempts sent, by verb.
        immediate_reads: Ranges answered without a request.
        retries: Attempts after the first.
        throttles: Answers that asked to slow down.
        timeouts: Attempts given up after the request timeout.
        bytes_read: Bytes received, immediate reads included.
        bytes_written: Bytes of objects put and created.
    """

    in_flight: int
    inflight_bytes: int
    held_bytes: int
    waiting: int
    limit: int
    requests: Mapping[str, int]
    immediate_reads: int
    retries: int
    throttles: int
    timeouts: int
    bytes_read: int
    bytes_written: int


class Counters(msgspec.Struct):
    """What ``ScheduledStore`` and the scheduler count; plain numbers, for speed."""

    requests: dict[str, int] = msgspec.field(default_factory=dict)
    immediate_reads: int = 0
    retries: int = 0
    throttles: int = 0
    timeouts: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


class Scheduler:
    """Limits, retries and counts of everything opened in a session; belongs to one event loop.

    Args:
        options: The limits.
        clock: What backoff sleeps by.
        rng: Draws the jitter.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        options = options if options is not None else Options()
        self.counters = Counters()
        self._admission = Admission(options.max_inflight, options.max_inflight_bytes)
        self._policy = RetryPolicy(max_attempts=options.max_attempts)
        self._budget = RetryBudget()
        self._deadlines = Deadlines(options.request_timeout.total_seconds())
        self._clock = clock if clock is not None else SystemClock()
        self._rng = rng if rng is not None else random_source()
        self._waiters: dict[Ticket, asyncio.Future[None]] = {}

    def statistics(self) -> SchedulerStatistics:
        """What it is doing now, as a value."""
        admission, counters = self._admission, self.counters
        return SchedulerStatistics(
            in_flight=admission.inflight,
            inflight_bytes=admission.inflight_bytes,
            held_bytes=admission.held_bytes,
            waiting=admission.waiting,
            limit=int(admission.limit),
            requests=MappingProxyType(dict(counters.requests)),
            immediate_reads=counters.immediate_reads,
            retries=counters.retries,
            throttles=counters.throttles,
            timeouts=counters.timeouts,
            bytes_read=counters.bytes_read,
            bytes_written=counters.bytes_written,
        )

    def hold(self, nbytes: int) -> Hold:
        """Bytes a caller keeps in memory beyond one request; enter or acquire it to wait for them.

        Whoever has a hold makes its requests through ``ScheduledStore.covered_by(hold)``, and
        does not wait for another: whoever waits for bytes while having some can wait for ever.
        """
        return Hold(self, nbytes)

    async def run(
        self,
        verb: str,
        nbytes: int,
        send: Callable[[], Coroutine[Any, Any, T]],
        *,
        covered: bool = False,
        ticket: Ticket | None = None,
        throttled: bool = False,
    ) -> T:
        """Send an idempotent request until it is answered or retries are used up.

        Args:
            verb: For the counts and messages.
            nbytes: What it may bring or carry.
            send: Makes one attempt.
            covered: The bytes belong to a hold.
            ticket: Its slot for the first attempt, where it has one.
            throttled: An attempt that was begun has been refused so.

        Cancellation: the attempt in flight is cancelled, and its slot given back.
        """
        attempt = 0
        if throttled:
            attempt = 1
            await self._pause(self._delay(ThrottledError("begun"), attempt) or 0.0)
        while True:
            attempt += 1
            try:
                return await self.once(verb, nbytes, send, covered=covered, ticket=ticket)
            except (ThrottledError, TransientStoreError) as error:
                delay_s = self._delay(error, attempt)
                if delay_s is None:
                    raise
            ticket = None
            await self._pause(delay_s)

    async def once(
        self,
        verb: str,
        nbytes: int,
        send: Callable[[], Coroutine[Any, Any, T]],
        *,
        covered: bool = False,
        ticket: Ticket | None = None,
    ) -> T:
        """Send a request when it may go, one attempt; late answers are TransientStoreError."""
        if ticket is None:
            kind = Kind.COVERED if covered or nbytes == 0 else Kind.REQUEST
            ticket = await self._enter(kind, nbytes)
        try:
            self.counters.requests[verb] = self.counters.requests.get(verb, 0) + 1
            answer = await self._timed(verb, send)
        except ThrottledError:
            self.counters.throttles += 1
            self._admission.throttled(ticket.epoch)
            raise
        else:
            self._budget.succeeded()
            self._admission.succeeded()
            return answer
        finally:
            self._leave(ticket)

    async def _timed(self, verb: str, send: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await self._deadlines.within(send)
        except TimeoutError as error:
            if isinstance(error, AiolakeError):
                raise
            self.counters.timeouts += 1
            raise TransientStoreError(
                f"a {verb} request was not answered within {self._deadlines.seconds:g} s; see the "
                "connection, or raise Options.request_timeout",
                verb=verb,
            ) from error

    async def try_begun(
        self,
        verb: str,
        nbytes: int,
        send: Callable[[Told], Begun | None],
        *,
        covered: bool = False,
    ) -> tuple[Ticket | None, Answer]:
        """Begin one read once it may go, and wait for what comes.

        Half of the cost of ``run``, which knows what to do if nothing comes.

        Args:
            verb, nbytes, covered: As ``run``.
            send: Sends it; see ``SupportsBegunReads``.

        Returns:
            A ticket, where nothing was sent, and what came; without that run it, with the ticket.
        """
        ticket: Ticket | None
        ticket = await self._enter(Kind.COVERED if covered else Kind.REQUEST, nbytes)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        deadline = begun = None
        try:
            if self.is_calm:  # it may have throttled since
                begun = send(lambda _, answer: _tell(answered, answer))
            if begun is None:
                waiting, ticket = ticket, None
                return waiting, None
            self.counters.requests[verb] = self.counters.requests.get(verb, 0) + 1
            deadline = self._deadlines.add(partial(self._late, answered))
            answer = await answered
            self._count(answer, ticket.epoch)
        finally:
            if deadline is not None:
                self._deadlines.discard(deadline)
            if begun is not None:
                begun.give_up()
            if ticket is not None:
                self._leave(ticket)
        return None, answer

    def _count(self, answer: Answer, epoch: int) -> None:
        """Of an attempt that was begun at that time."""
        if isinstance(answer, Refused):
            self.counters.throttles += 1
            self._admission.throttled(epoch)
        elif answer is not None:
            self._budget.succeeded()
            self._admission.succeeded()
            self.counters.bytes_read += len(answer)

    def _late(self, answered: asyncio.Future[Answer]) -> None:
        self.counters.timeouts += 1
        _tell(answered, None)

    def begin(
        self,
        verb: str,
        sizes: Sequence[int],
        send: Callable[[int, Told], Begun | None],
        done: Callable[[int, Buffer | None], None],
        *,
        covered: bool = False,
    ) -> Begun | None:
        """Send as many of some reads as may go at once, in one attempt each.

        Args:
            verb, covered: As ``run``.
            sizes: What each brings, in bytes; none is empty.
            send: Sends as many of the first as it is told, or fewer; see ``SupportsBegunReads``.
            done: Called for each that was sent with what came, or with ``None``: run it.

        Returns:
            What was sent; ``None`` where nothing was.
        """
        kind, admission = Kind.COVERED if covered else Kind.REQUEST, self._admission
        n = admission.take_now(kind, sizes)
        if not n:
            return None
        attempts = _Begun(self, kind, dict(enumerate(sizes[:n])), done)
        try:
            sent = send(n, attempts.ended)
        except BaseException:
            attempts.leave(0)
            raise
        if sent is None:
            attempts.leave(0)
            return None
        attempts.leave(sent.n)
        attempts.sent = sent
        attempts.deadline = self._deadlines.add(attempts.late)
        requests = self.counters.requests
        requests[verb] = requests.get(verb, 0) + sent.n
        return attempts

    @property
    def n_free(self) -> int:
        """How many reads may be begun now, as far as slots go."""
        return self._admission.n_free

    @property
    def is_calm(self) -> bool:
        """Whether reads may be begun: not as long as the store, which has throttled, is spared."""
        return self._admission.is_calm

    async def _pause(self, delay_s: float) -> None:
        """Before an attempt that is not the first."""
        self.counters.retries += 1
        await self._clock.sleep(delay_s)

    def _delay(self, error: BaseException, attempt: int) -> float | None:
        delay_s = decide(error, attempt, self._policy, self._rng.random)
        if delay_s is None:
            error.add_note(f"given up after {attempt} attempts (Options.max_attempts)")
        elif not self._budget.take():
            error.add_note(f"given up after {attempt} attempts: too many requests fail just now")
            return None
        return delay_s

    async def _enter(self, kind: Kind, nbytes: int) -> Ticket:
        ticket, admitted = self._admission.ask(kind, nbytes)
        self._wake(admitted)
        if ticket.state is State.WAITING:
            await self._admitted(ticket)
        return ticket

    async def _admitted(self, ticket: Ticket) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[ticket] = waiter
        try:
            await waiter
        except BaseException:
            # It may have been admitted in the same turn of the loop as it was cancelled.
            self._leave(ticket)
            raise
        finally:
            del self._waiters[ticket]

    def _leave(self, ticket: Ticket) -> None:
        admitted = self._admission.leave(ticket)
        if admitted:
            self._wake(admitted)

    def _wake(self, admitted: list[Ticket]) -> None:
        for ticket in admitted:
            waiter = self._waiters.get(ticket)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)


def _tell(waiter: asyncio.Future[T], result: T) -> None:
    if not waiter.done():
        waiter.set_result(result)


class _Begun:
    """Attempts that somebody is told the ends of; ``waiting`` are the sizes of those not ended."""

    __slots__ = ("deadline", "done", "epoch", "kind", "n", "scheduler", "sent", "waiting")

    deadline: Deadline
    sent: Begun

    def __init__(
        self,
        scheduler: Scheduler,
        kind: Kind,
        waiting: dict[int, int],
        done: Callable[[int, Buffer | None], None],
    ) -> None:
        self.scheduler = scheduler
        self.epoch = scheduler._admission.epoch
        self.kind = kind
        self.waiting = waiting
        self.done = done
        self.n = len(waiting)

    def leave(self, n: int) -> None:
        """Only the first ``n`` were sent."""
        for i in range(n, self.n):
            self._leave(i)
        self.n = n

    def ended(self, i: int, answer: Answer) -> None:
        self.scheduler._count(answer, self.epoch)
        self._leave(i)
        if not self.waiting:
            self.scheduler._deadlines.discard(self.deadline)
        self.done(i, None if isinstance(answer, Refused) else answer)

    def give_up(self) -> None:
        self.scheduler._deadlines.discard(self.deadline)
        for i in list(self.waiting):
            self._leave(i)
        self.sent.give_up()

    def late(self) -> None:
        late = list(self.waiting)
        self.scheduler.counters.timeouts += len(late)
        self.give_up()
        for i in late:
            self.done(i, None)

    def _leave(self, i: int) -> None:
        admitted = self.scheduler._admission.give_back(self.kind, self.waiting.pop(i))
        if admitted:
            self.scheduler._wake(admitted)


class Hold:
    """Bytes kept in memory, of a scheduler's budget; made by ``Scheduler.hold``.

    Enter it, or ``await acquire()`` in one task and ``release()`` in another.
    """

    def __init__(self, scheduler: Scheduler, nbytes: int) -> None:
        self.scheduler = scheduler
        self.nbytes = nbytes
        self._ticket: Ticket | None = None

    async def acquire(self) -> Hold:
        """Wait until the bytes may be taken."""
        self._ticket = await self.scheduler._enter(Kind.HOLD, self.nbytes)
        return self

    def release(self) -> None:
        """Give them back; idempotent."""
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self.scheduler._leave(ticket)

    async def __aenter__(self) -> Hold:
        return await self.acquire()

    async def __aexit__(self, *exc: object) -> None:
        self.release()
