"""One resource per event loop, shared by all who acquire it there."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiolake._aio import fork
from aiolake._aio.opening import Closeable
from aiolake.errors import WrongLoopError

__all__ = ["LoopRegistry"]

R = TypeVar("R", bound=Closeable)


@dataclass(slots=True, eq=False)
class _Slot(Generic[R]):
    # Weak, because a resource refers to its loop: held strongly, a loop that ended without a
    # release would never die. Users hold the resource.
    resource: weakref.ref[R]
    n_users: int = 0


class LoopRegistry(Generic[R]):
    """Makes the running loop's resource for its first user, closes it after its last.

    Holds neither loops nor resources alive; a resource needs a ``__weakref__``. In the child of a
    fork the registry is empty, and the inherited resources are kept for ever.
    """

    def __init__(self) -> None:
        self._slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Slot[R]] = (
            weakref.WeakKeyDictionary()
        )
        self._inherited: set[int] = set()
        fork.on_child(self._after_fork)

    def acquire(self, factory: Callable[[], R]) -> R:
        """The running loop's resource, made by ``factory`` if there is none; one user more."""
        loop = asyncio.get_running_loop()
        slot = self._slots.get(loop)
        resource = None if slot is None else slot.resource()
        if slot is None or resource is None:
            resource = factory()
            slot = self._slots[loop] = _Slot(weakref.ref(resource))
            fork.keep_in_child(resource)
        slot.n_users += 1
        return resource

    async def release(self, resource: R) -> None:
        """One user less; the last one closes the resource. After a fork nothing happens.

        Raises:
            WrongLoopError: It is not this loop's, or was released as often as acquired.

        Cancellation: the user is gone in any case; closing obeys the resource's own ``aclose``.
        """
        if id(resource) in self._inherited:
            return
        loop = asyncio.get_running_loop()
        slot = self._slots.get(loop)
        if slot is None or slot.resource() is not resource:
            raise WrongLoopError(
                f"{resource!r} is not in use on this event loop; release it once for each "
                "acquire, on the loop that acquired it"
            )
        slot.n_users -= 1
        if slot.n_users == 0:
            del self._slots[loop]
            await resource.aclose()

    def _after_fork(self) -> None:
        for slot in list(self._slots.values()):
            resource = slot.resource()
            if resource is not None:  # kept for ever, so that its id stays its own
                self._inherited.add(id(resource))
        self._slots.clear()
