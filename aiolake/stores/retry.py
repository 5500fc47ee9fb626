"""Whether, and after what delay, a failed request is sent again. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aiolake.errors import StoreError, ThrottledError, TransientStoreError

__all__ = ["RetryBudget", "RetryPolicy", "decide"]


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential backoff with full jitter.

    Attributes:
        max_attempts: Attempts at one request, the first included.
        base_s: The longest delay before the second attempt; it doubles from there.
        cap_s: No delay drawn is longer.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    max_attempts: int = 6
    base_s: float = 0.1
    cap_s: float = 10.0


def decide(
    error: BaseException, attempt: int, policy: RetryPolicy, rng: Callable[[], float]
) -> float | None:
    """The seconds to wait before the next attempt, or ``None`` to give up.

    Args:
        error: How the last attempt failed; its ``retry_after_s``, if the store named one, is the
            least delay.
        attempt: How many attempts there were.
        policy: The limits.
        rng: Draws from [0, 1).
    """
    if not isinstance(error, ThrottledError | TransientStoreError):
        return None
    if attempt >= policy.max_attempts:
        return None
    ceiling = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 62))
    return max(rng() * ceiling, _asked_for(error))


def _asked_for(error: StoreError) -> float:
    asked = error.context.get("retry_after_s", 0.0)
    return float(asked) if isinstance(asked, int | float) else 0.0


class RetryBudget(msgspec.Struct):
    """Tokens for retries, over everything a session does.

    Each retry takes one, each success gives back a part of one: a store that is down gets a
    bounded number of requests more than it was asked, not ``max_attempts`` times as many.
    """

    capacity: float = 100.0
    refill: float = 0.5
    tokens: float = 100.0

    def take(self) -> bool:
        """Take a token, or say there is none."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True

    def succeeded(self) -> None:
        """Give back what a success earns."""
        if self.tokens < self.capacity:
            self.tokens = min(self.capacity, self.tokens + self.refill)
