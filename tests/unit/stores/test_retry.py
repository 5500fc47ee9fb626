from __future__ import annotations

import pytest

from aiolake.errors import (
    AiolakeError,
    DeadlineError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
)
from aiolake.stores.retry import RetryBudget, RetryPolicy, decide

POLICY = RetryPolicy(max_attempts=4, base_s=0.1, cap_s=0.5)


def almost_one() -> float:
    return 0.999


@pytest.mark.parametrize("error", [ThrottledError("slow"), TransientStoreError("lost")])
def test_the_ceiling_doubles_up_to_the_cap_and_ends_with_the_attempts(error: StoreError) -> None:
    policy = RetryPolicy(max_attempts=5, base_s=0.1, cap_s=0.5)
    delays = [decide(error, attempt, policy, almost_one) for attempt in range(1, 7)]
    assert delays[:4] == pytest.approx([0.0999, 0.1998, 0.3996, 0.4995])
    assert delays[4:] == [None, None]


def test_jitter_is_full() -> None:
    assert decide(TransientStoreError("x"), 3, POLICY, lambda: 0.0) == 0.0
    assert decide(TransientStoreError("x"), 3, POLICY, lambda: 0.5) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "error",
    [
        StoreError("full"),
        NotFoundError("x"),
        PermissionDeniedError("x"),
        DeadlineError("x"),
        AiolakeError("x"),
        ValueError("x"),
    ],
)
def test_what_another_attempt_cannot_mend_is_not_retried(error: Exception) -> None:
    assert decide(error, 1, POLICY, almost_one) is None


def test_the_store_s_own_wish_is_the_least_delay() -> None:
    asked = ThrottledError("slow", retry_after_s=3)
    assert decide(asked, 1, POLICY, almost_one) == 3.0
    assert decide(ThrottledError("slow", retry_after_s=None), 1, POLICY, lambda: 0.0) == 0.0


def test_one_attempt_is_no_retry() -> None:
    policy = RetryPolicy(max_attempts=1)
    assert decide(TransientStoreError("x"), 1, policy, almost_one) is None


def test_very_many_attempts_do_not_overflow() -> None:
    policy = RetryPolicy(max_attempts=10**6, cap_s=7)
    assert decide(TransientStoreError("x"), 10**5, policy, lambda: 1.0) == 7


def test_the_budget_is_used_up_and_earned_back() -> None:
    budget = RetryBudget(capacity=2, refill=0.5, tokens=2)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    budget.succeeded()
    assert not budget.take()
    budget.succeeded()
    assert budget.take()
    for _ in range(100):
        budget.succeeded()
    assert budget.tokens == 2
