"""How much a test marked ``soak`` does: little in the ordinary suite, all of it in the lane."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")


def full_length() -> bool:
    """Whether this run is ``.ci/lanes/soak``."""
    return os.environ.get("AIOLAKE_SOAK") == "1"


def pick(reduced: T, full: T) -> T:
    """``full`` in the lane ``soak``, ``reduced`` everywhere else."""
    return full if full_length() else reduced
