"""What is wrong with a dataset, gathered rather than raised."""

from __future__ import annotations

from dataclasses import dataclass

from aiolake.errors import AiolakeError

__all__ = ["Problem", "Problems"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with an object.

    Attributes:
        key: The object.
        message: What is wrong, and what to do.
        start: First byte concerned, where known.
        stop: One past the last.
    """

    key: str
    message: str
    start: int | None = None
    stop: int | None = None


class Problems:
    """Problems, each once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def all(self) -> tuple[Problem, ...]:
        """Those there are."""
        return tuple(self._found)

    def add(
        self, key: str, message: str, start: int | None = None, stop: int | None = None
    ) -> None:
        """One more."""
        self._found[Problem(key=key, message=message, start=start, stop=stop)] = None

    def note(self, key: str, error: AiolakeError) -> None:
        """An error as a problem, of the object it names, else of ``key``."""
        context = error.context
        named = context.get("key", key)
        self.add(named, error.message, context.get("start"), context.get("stop"))
