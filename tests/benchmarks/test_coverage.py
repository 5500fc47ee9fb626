import random

import pytest

from benchmarks.coverage import shuffled


def test_the_stored_order_is_not_shuffled() -> None:
    found = shuffled(range(10_000), 10_000)

    assert found.travel == 0
    assert found.distinct == 1
    assert found.coverage < 0.06  # 256 of 10,000 rows lie in 2 or 3 of 64 stretches


def test_a_random_permutation_is_shuffled() -> None:
    order = list(range(10_000))
    random.Random(1).shuffle(order)

    found = shuffled(order, 10_000)

    assert found.travel == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1, abs=0.02)


def test_a_small_buffer_shuffles_little() -> None:
    order = [row + random.Random(row).randrange(-50, 50) for row in range(10_000)]

    found = shuffled(order, 10_000)

    assert found.travel < 0.02
    assert found.coverage < 0.1


def test_rows_that_come_twice_are_counted_once() -> None:
    assert shuffled([0, 1, 2, 2], 4).distinct == 0.75


def test_nothing_delivered_is_judged_too() -> None:
    assert shuffled([], 4).coverage == 0
