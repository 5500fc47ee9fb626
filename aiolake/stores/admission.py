"""Who may go now: a count limit and a byte budget, as state without any I/O. Pure.

Three things are admitted. A *request* takes a slot and bytes while it is in flight. A *hold* takes
bytes only, for as long as a consumer keeps them. A *covered* request takes a slot only: its bytes
belong to a hold.

Nobody waits for bytes while holding some, and what holds wait for (a consumer) never stands in
front of what requests wait for (other requests, which end by themselves): so nothing waits for
ever.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Admission", "Kind", "State", "Ticket"]


class Kind(enum.Enum):
    """What is asked for."""

    REQUEST = "request"
    COVERED = "covered"
    HOLD = "hold"


class State(enum.Enum):
    """Where a ticket stands."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    GONE = "gone"


@dataclass(eq=False, slots=True)
class Ticket:
    """One asker's place; ``number`` is the order of asking, ``epoch`` that of slow-downs."""

    kind: Kind
    nbytes: int
    number: int
    state: State = State.WAITING
    epoch: int = 0


class Admission:
    """First come, first served within each kind; what does not fit lets other kinds pass.

    * A request goes when a slot is free and its bytes fit beside those in flight and held; one
      larger than the budget goes when no other request's bytes are in flight.
    * Holds together take at most half of the budget (one alone may take more), so that there is
      always room for requests; a request younger than a hold that only waits for requests to end
      waits too, or small requests could keep it out.
    * The limit of slots halves when the store throttles (once for all requests that were in
      flight then) and grows by one for each limit's worth of successes.
    """

    def __init__(self, max_inflight: int, max_bytes: int) -> None:
        self.max_inflight = max_inflight
        self.max_bytes = max_bytes
        self.limit = float(max_inflight)
        self.inflight = 0
        self.inflight_bytes = 0
        self.held_bytes = 0
        self.waiting = 0
        self.epoch = 0
        """How often the store has asked to slow down."""
        self._number = 0
        self._queues: dict[Kind, deque[Ticket]] = {kind: deque() for kind in Kind}

    def ask(self, kind: Kind, nbytes: int) -> tuple[Ticket, list[Ticket]]:
        """A ticket, and all that are admitted now (it may be among them)."""
        self._number += 1
        ticket = Ticket(kind, nbytes, self._number)
        if not self.waiting and self._fits(ticket):
            self._take(ticket)
            return ticket, []
        self._queues[kind].append(ticket)
        self.waiting += 1
        return ticket, self._admit()

    def take_now(self, kind: Kind, sizes: Sequence[int]) -> int:
        """Admit as many of some requests as need not wait, first come first; how many that are.

        They have no tickets: what each has is given back by ``give_back``.
        """
        n = 0
        for nbytes in sizes[: self.n_free]:
            if kind is not Kind.COVERED and not self._bytes_fit(nbytes):
                break
            self._add(kind, nbytes, 1)
            n += 1
        return n

    def give_back(self, kind: Kind, nbytes: int) -> list[Ticket]:
        """Give back what one of those has; the tickets admitted because of it."""
        self.inflight -= 1
        if kind is not Kind.COVERED:
            self.inflight_bytes -= nbytes
        return self._admit() if self.waiting else []

    @property
    def n_free(self) -> int:
        """Requests that may be begun now, as far as slots go.

        None where others wait; and none as long as the store, which has throttled, is asked less:
        what is begun and refused is asked for twice.
        """
        return 0 if self.waiting or not self.is_calm else self.max_inflight - self.inflight

    @property
    def is_calm(self) -> bool:
        """Whether the store is asked as much as it may be."""
        return self.limit >= self.max_inflight

    def leave(self, ticket: Ticket) -> list[Ticket]:
        """Give back what a ticket has, or its place; the tickets admitted because of it."""
        if ticket.state is State.WAITING:
            self.waiting -= 1
        elif ticket.state is State.ADMITTED:
            self._add(ticket.kind, ticket.nbytes, -1)
        ticket.state = State.GONE
        return self._admit() if self.waiting else []

    def throttled(self, epoch: int) -> None:
        """The store asked the sender of a request of that time to slow down."""
        if epoch == self.epoch:
            self.epoch += 1
            self.limit = max(1.0, self.limit / 2)

    def succeeded(self) -> None:
        """The store answered a request."""
        if self.limit < self.max_inflight:
            self.limit = min(float(self.max_inflight), self.limit + 1.0 / self.limit)

    def _admit(self) -> list[Ticket]:
        admitted = []
        while (ticket := self._next()) is not None:
            self._queues[ticket.kind].popleft()
            self.waiting -= 1
            self._take(ticket)
            admitted.append(ticket)
        return admitted

    def _next(self) -> Ticket | None:
        reserved = False
        for ticket in sorted(self._heads(), key=lambda head: head.number):
            if self._fits(ticket) and not (reserved and ticket.kind is Kind.REQUEST):
                return ticket
            reserved = reserved or (ticket.kind is Kind.HOLD and self._hold_fits(ticket.nbytes))
        return None

    def _heads(self) -> list[Ticket]:
        for queue in self._queues.values():
            while queue and queue[0].state is State.GONE:
                queue.popleft()
        return [queue[0] for queue in self._queues.values() if queue]

    def _fits(self, ticket: Ticket) -> bool:
        if ticket.kind is Kind.HOLD:
            return self._hold_fits(ticket.nbytes) and self._bytes_fit(ticket.nbytes)
        if self.inflight >= int(self.limit):
            return False
        return ticket.kind is Kind.COVERED or self._bytes_fit(ticket.nbytes)

    def _bytes_fit(self, nbytes: int) -> bool:
        used = self.inflight_bytes
        return used == 0 or used + self.held_bytes + nbytes <= self.max_bytes

    def _hold_fits(self, nbytes: int) -> bool:
        return self.held_bytes == 0 or self.held_bytes + nbytes <= self.max_bytes // 2

    def _take(self, ticket: Ticket) -> None:
        ticket.state = State.ADMITTED
        ticket.epoch = self.epoch
        self._add(ticket.kind, ticket.nbytes, 1)

    def _add(self, kind: Kind, nbytes: int, sign: int) -> None:
        if kind is Kind.HOLD:
            self.held_bytes += sign * nbytes
            return
        self.inflight += sign
        if kind is Kind.REQUEST:
            self.inflight_bytes += sign * nbytes
