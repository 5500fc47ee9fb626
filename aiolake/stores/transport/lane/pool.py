"""Which connections there are, and which may serve the next request. Pure state, no waiting."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Generic, TypeVar

from aiolake.stores.transport.values import Origin

__all__ = ["Pool"]

C = TypeVar("C")


class Pool(Generic[C]):
    """Connections by their server; the one used last serves next, so that the others grow old."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, deque[tuple[C, float]]] = defaultdict(deque)
        self._used: set[C] = set()
        self.n_idle = 0

    @property
    def n_used(self) -> int:
        """Connections that serve a request."""
        return len(self._used)

    @property
    def used(self) -> set[C]:
        """Those connections."""
        return self._used

    def take(self, origin: Origin) -> C | None:
        """An idle connection, from now on used; ``None`` where a new one is needed."""
        idle = self._idle[origin]
        if not idle:
            return None
        connection, _ = idle.pop()
        self.n_idle -= 1
        self._used.add(connection)
        return connection

    def add(self, connection: C) -> None:
        """A new connection, used."""
        self._used.add(connection)

    def give_back(self, origin: Origin, connection: C, now: float) -> None:
        """A connection that has served and may serve again."""
        self._used.remove(connection)
        self._idle[origin].append((connection, now))
        self.n_idle += 1

    def forget(self, origin: Origin, connection: C) -> None:
        """A connection that is gone, wherever it was."""
        self._used.discard(connection)
        kept = deque((each, since) for each, since in self._idle[origin] if each is not connection)
        self.n_idle -= len(self._idle[origin]) - len(kept)
        self._idle[origin] = kept

    def take_old(self, before: float) -> list[C]:
        """Remove the connections that have been idle since before a moment; to be closed."""
        found: list[C] = []
        for idle in self._idle.values():
            while idle and idle[0][1] < before:
                found.append(idle.popleft()[0])
        self.n_idle -= len(found)
        return found

    def take_all(self) -> list[C]:
        """Remove every connection; to be closed."""
        found = [*self._used, *(each for idle in self._idle.values() for each, _ in idle)]
        self._used.clear()
        self._idle.clear()
        self.n_idle = 0
        return found
