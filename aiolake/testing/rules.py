"""What may go wrong with a request, and with which. Values, and the count of their matches."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TypeAlias

from aiolake.errors import AiolakeError, PermissionDeniedError

__all__ = [
    "Crash",
    "Fault",
    "FlipBit",
    "IgnoreCreateOnly",
    "LandsLater",
    "Latency",
    "LostAnswer",
    "NoListing",
    "Refuse",
    "Rule",
    "Script",
    "StaleListing",
    "Throttle",
    "Transient",
    "Truncate",
    "Unordered",
]


@dataclass(frozen=True, slots=True)
class Latency:
    """The request takes this much longer, by the store's clock."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Throttle:
    """ThrottledError, and nothing was done; ``create`` says UNKNOWN, as backends do."""

    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Transient:
    """TransientStoreError, and nothing was done; ``create`` says UNKNOWN."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """It was done, and the answer did not come: TransientStoreError, or UNKNOWN of ``create``."""


@dataclass(frozen=True, slots=True)
class LandsLater:
    """A put or create that takes effect later than its answer, which is as for LostAnswer.

    Attributes:
        after_requests: It lands before the request that comes this much later; without it, when
            ``FaultStore.land`` is called.
    """

    after_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """A definite refusal: the error made by ``error``, and nothing was done."""

    error: Callable[[], AiolakeError] = field(
        default=lambda: PermissionDeniedError("refused by a test's rule")
    )


@dataclass(frozen=True, slots=True)
class Truncate:
    """The bytes read end this many early."""

    nbytes: int = 1


@dataclass(frozen=True, slots=True)
class FlipBit:
    """One bit of the bytes read is wrong: of the byte at ``position``, else at a random one."""

    position: int | None = None


@dataclass(frozen=True, slots=True)
class StaleListing:
    """A listing lacks the last so many objects created under its prefix through this store."""

    creates_ago: int = 1


@dataclass(frozen=True, slots=True)
class Unordered:
    """A listing comes in random order; declare it with ``FaultStore(listing=...)``."""


@dataclass(frozen=True, slots=True)
class NoListing:
    """``list`` is refused with PermissionDeniedError."""


@dataclass(frozen=True, slots=True)
class IgnoreCreateOnly:
    """``create`` overwrites and says CREATED, as stores do that ignore the condition."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies at this request: it and every later one raise SimulatedCrashError.

    Attributes:
        acts: Whether the store still does what it was asked.
    """

    acts: bool = False


Fault: TypeAlias = (
    Latency
    | Throttle
    | Transient
    | LostAnswer
    | LandsLater
    | Refuse
    | Truncate
    | FlipBit
    | StaleListing
    | Unordered
    | NoListing
    | IgnoreCreateOnly
    | Crash
)

_READS = frozenset({"get", "get_range"})
_WRITES = frozenset({"put", "create"})
_VERBS: dict[type[Fault], frozenset[str]] = {
    Truncate: _READS,
    FlipBit: _READS,
    LandsLater: _WRITES,
    IgnoreCreateOnly: frozenset({"create"}),
    StaleListing: frozenset({"list"}),
    Unordered: frozenset({"list"}),
    NoListing: frozenset({"list"}),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault and the requests it strikes.

    Attributes:
        fault: What goes wrong.
        verb: Only requests of this verb; ``None`` is every verb the fault is possible for.
        key: Only keys of this shape (``*``, ``?``, ``[...]``); for ``list`` the prefix, for
            ``delete`` any of the keys.
        after: So many matching requests are spared first.
        times: So many are struck then; ``None`` is all.
        probability: Each that could be struck is, with this probability, drawn from the store's
            seed.
    """

    fault: Fault
    verb: str | None = None
    key: str = "*"
    after: int = 0
    times: int | None = 1
    probability: float = 1.0

    def concerns(self, verb: str, keys: Iterable[str]) -> bool:
        """Whether a request is of the kind this rule is about."""
        if self.verb not in (None, verb):
            return False
        possible = _VERBS.get(type(self.fault))
        if possible is not None and verb not in possible:
            return False
        return any(fnmatchcase(key, self.key) for key in keys)


class Script:
    """Rules, and how often each was met; the faults of one request are those of all its rules.

    Args:
        rules: In the order in which their faults are applied.
        seed: Of everything random.
    """

    def __init__(self, rules: Iterable[Rule] = (), *, seed: int = 0) -> None:
        self._rules: list[Rule] = []
        self._met: list[int] = []
        self._struck: list[int] = []
        self.rng = random.Random(seed)
        self.add(*rules)

    def add(self, *rules: Rule) -> None:
        """Add rules."""
        self._rules.extend(rules)
        self._met.extend(0 for _ in rules)
        self._struck.extend(0 for _ in rules)

    def clear(self) -> None:
        """Forget all rules: nothing goes wrong from here on."""
        self._rules, self._met, self._struck = [], [], []

    def n_struck(self, rule: Rule) -> int:
        """How many requests a rule struck."""
        return sum(
            struck for known, struck in zip(self._rules, self._struck, strict=True) if known is rule
        )

    def may_strike(self, verb: str, key: str) -> bool:
        """Whether some rule that is not used up concerns a request."""
        return any(
            rule.concerns(verb, (key,)) and not self._used_up(index)
            for index, rule in enumerate(self._rules)
        )

    def faults(self, verb: str, keys: Iterable[str]) -> list[Fault]:
        """What goes wrong with this request, which is counted."""
        keys = list(keys)
        struck = [index for index, rule in enumerate(self._rules) if rule.concerns(verb, keys)]
        return [self._rules[index].fault for index in struck if self._strikes(index)]

    def _strikes(self, index: int) -> bool:
        rule = self._rules[index]
        self._met[index] += 1
        if self._met[index] <= rule.after or self._used_up(index):
            return False
        if rule.probability < 1.0 and self.rng.random() >= rule.probability:
            return False
        self._struck[index] += 1
        return True

    def _used_up(self, index: int) -> bool:
        times = self._rules[index].times
        return times is not None and self._struck[index] >= times
