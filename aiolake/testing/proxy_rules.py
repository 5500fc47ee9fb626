"""What a proxy does to requests and answers, and to which. Values, and how often they were met."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

__all__ = [
    "Answered",
    "ClosedInside",
    "Dated",
    "Delayed",
    "Flipped",
    "Lost",
    "ProxyFault",
    "ProxyRule",
    "ProxyScript",
    "ResetBefore",
    "ResetInside",
    "Rewritten",
    "Stalled",
    "Stripped",
]


@dataclass(frozen=True, slots=True)
class Delayed:
    """The first byte of the answer comes later."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Answered:
    """The proxy answers; the server hears nothing."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """The connection is reset (RST) before the server hears anything."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The server acts, and the connection is reset before its answer."""


@dataclass(frozen=True, slots=True)
class ResetInside:
    """The connection is reset within the body."""


@dataclass(frozen=True, slots=True)
class ClosedInside:
    """The connection is closed properly within the body, short of its length."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing more comes, within the body, for so long."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Flipped:
    """One bit of the body is another."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """A header of the request, or a parameter of its query, does not reach the server."""

    name: str


@dataclass(frozen=True, slots=True)
class Dated:
    """The answer's ``Date`` is off: the clock of one of the two is wrong."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The answer's body is another: a listing out of order, say."""

    by: Callable[[bytes], bytes]


ProxyFault: TypeAlias = (
    Delayed
    | Answered
    | ResetBefore
    | Lost
    | ResetInside
    | ClosedInside
    | Stalled
    | Flipped
    | Stripped
    | Dated
    | Rewritten
)


@dataclass(frozen=True, slots=True)
class ProxyRule:
    """What happens to which requests.

    Attributes:
        fault: What happens.
        share: To so many of them, 0 to 1.
        method: Of the requests; any without it.
        within: Text that their target has.
        first: Only so many times; without end where it is ``None``.
        after: So many that fit are spared first.
        every: Of those that fit then, each so-many-th; all where it is 1.
    """

    fault: ProxyFault
    share: float = 1.0
    method: str | None = None
    within: str = ""
    first: int | None = None
    after: int = 0
    every: int = 1

    def fits(self, method: str, target: str) -> bool:
        """Whether a request is meant."""
        return (self.method is None or self.method == method) and self.within in target


class ProxyScript:
    """Rules, and how often each was met. Pure but for its generator.

    Args:
        rules: In their order of precedence.
        rng: Of the draws.
    """

    def __init__(self, rules: Sequence[ProxyRule], rng: random.Random) -> None:
        self.rules = tuple(rules)
        self._rng = rng
        self._met = [0] * len(self.rules)
        self._done = [0] * len(self.rules)

    def drawn(self, method: str, target: str) -> ProxyFault | None:
        """What happens to this request, which is counted: by the first rule that strikes it."""
        for at, rule in enumerate(self.rules):
            if rule.fits(method, target) and self._strikes(at, rule):
                return rule.fault
        return None

    def _strikes(self, at: int, rule: ProxyRule) -> bool:
        self._met[at] += 1
        turn = self._met[at] - rule.after
        if turn <= 0 or turn % rule.every or self._done[at] == rule.first:
            return False
        if self._rng.random() >= rule.share:
            return False
        self._done[at] += 1
        return True
