"""Half-open byte ranges and runs of integers, as values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ByteRange"]


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes ``[start, stop)`` of one object; ``stop`` is exclusive, both are >= 0."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start
