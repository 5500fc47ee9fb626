"""Which windows a range lies in, and which files are let go of."""

from __future__ import annotations

import random

from aiolake.chunks.disk import WINDOW_NBYTES, Mirror, evicted, windows


def test_a_range_is_in_every_window_it_has_bytes_in() -> None:
    w = WINDOW_NBYTES
    assert list(windows(0, 1)) == [(0, 0)]
    assert list(windows(5, w)) == [(0, 5)]
    assert list(windows(5, w + 1)) == [(0, 5), (1, w)]
    assert list(windows(w, w + 1)) == [(1, w)]
    assert list(windows(w - 1, 3 * w + 1)) == [(0, w - 1), (1, w), (2, 2 * w), (3, 3 * w)]


def test_the_least_recently_used_go_until_there_is_room() -> None:
    found = [Mirror(name, 100, used) for name, used in [("b", 2), ("a", 1), ("c", 3), ("d", 4)]]
    assert evicted(found, 460) == []  # 400 fit into seven eighths
    assert [each.path for each in evicted(found, 400)] == ["a"]
    assert [each.path for each in evicted(found, 230)] == ["a", "b"]
    assert len(evicted(found, 1)) == 4


def test_what_stays_is_within_the_bound() -> None:
    rng = random.Random(1)
    for _ in range(200):
        found = [
            Mirror(str(i), rng.randrange(1000), rng.random()) for i in range(rng.randrange(30))
        ]
        bound = rng.randrange(1, 10000)
        gone = evicted(found, bound)
        stay = [each for each in found if each not in gone]
        assert sum(each.nbytes for each in stay) <= bound
        if gone and stay:
            assert max(each.used for each in gone) <= min(each.used for each in stay)
