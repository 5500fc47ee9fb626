"""What must happen in the child of a ``fork``.

A child inherits objects whose sockets, threads and event loop belong to its parent. It must not
use them, and it must not drop them either: closing an inherited socket unregisters the parent's
from the epoll both share. So the child counts one generation up, keeps what was registered for
ever, and forgets its random state.

Source: epoll(7), "Questions and answers", on file descriptors that outlive a close.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Final

__all__ = [
    "current",
    "generation",
    "keep_for_ever",
    "keep_in_child",
    "on_child",
    "random_source",
]

_log = logging.getLogger("aiolake")


class _Current:
    """The process's place in its line of forks; one attribute, for hot paths."""

    __slots__ = ("generation",)

    def __init__(self) -> None:
        self.generation = 0


current: Final = _Current()
_random: Final = random.Random()
_kept: Final[list[object]] = []
_watched: Final[weakref.WeakValueDictionary[int, object]] = weakref.WeakValueDictionary()
_callbacks: Final[list[Callable[[], Callable[[], object] | None]]] = []


def generation() -> int:
    """How many forks lie between the first process and this one."""
    return current.generation


def random_source() -> random.Random:
    """The generator for jitter and the like; a child's differs from its parent's."""
    return _random


def keep_for_ever(obj: object) -> None:
    """Hold a reference to ``obj`` until the process is gone, past the interpreter's end."""
    if not _kept:
        _leak(_kept)
    _kept.append(obj)


def keep_in_child(obj: object) -> None:
    """If ``obj`` is alive at a fork, hold it for ever in the child; here it may die as usual."""
    _watched[id(obj)] = obj


def on_child(callback: Callable[[], object]) -> None:
    """Call ``callback`` in every child right after the fork; a bound method is held weakly."""
    _callbacks.append(_reference(callback))


def _reference(callback: Callable[[], object]) -> Callable[[], Callable[[], object] | None]:
    if isinstance(callback, MethodType):
        return weakref.WeakMethod(callback, _callbacks.remove)
    return lambda: callback


def _after_in_child() -> None:
    current.generation += 1
    for obj in list(_watched.values()):
        keep_for_ever(obj)
    _random.seed()
    for reference in list(_callbacks):
        callback = reference()
        if callback is not None:
            _call(callback)


def _leak(obj: object) -> None:
    # A module's globals are destroyed at the interpreter's end, and with them what they hold: an
    # inherited loop would then be closed, an inherited portal would wait for its thread.
    with contextlib.suppress(ImportError):
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(obj))


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        # The others must run too: each protects the parent from this child.
        _log.exception("a callback failed after fork: %r", callback)


os.register_at_fork(after_in_child=_after_in_child)
