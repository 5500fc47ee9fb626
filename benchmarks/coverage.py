"""How well an order is shuffled. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Shuffled", "shuffled"]

_WINDOW = 256
_N_STRETCHES = 64


@dataclass(frozen=True, slots=True)
class Shuffled:
    """What is known of one shuffled pass.

    Attributes:
        travel: Mean distance of a sample from its stored position, as a share of what a random
            permutation gives, which is a third of the dataset: 0 for the stored order, about 1
            for a perfect shuffle.
        coverage: The dataset cut into 64 stretches, the mean share of them that 256 consecutive
            samples touch, as a share of what random ones touch (98 %).
        distinct: Rows delivered at least once, as a share of all.
    """

    travel: float
    coverage: float
    distinct: float


def shuffled(order: Sequence[int], n_rows: int) -> Shuffled:
    """Judge the order in which rows came.

    Args:
        order: Stored positions, as delivered.
        n_rows: Rows of the dataset.
    """
    distance = sum(abs(row - at) for at, row in enumerate(order)) / max(1, len(order))
    return Shuffled(
        distance / (n_rows / 3), _coverage(order, n_rows), len(set(order)) / max(1, n_rows)
    )


def _coverage(order: Sequence[int], n_rows: int) -> float:
    size = max(1, min(_WINDOW, len(order)))
    starts = range(0, len(order) - size + 1, size)
    touched = [
        len({row * _N_STRETCHES // n_rows for row in order[start : start + size]})
        for start in starts
    ]
    random_share = 1 - (1 - 1 / _N_STRETCHES) ** size
    return sum(touched) / len(touched) / _N_STRETCHES / random_share if touched else 0.0
