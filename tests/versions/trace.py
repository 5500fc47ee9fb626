"""Prints the schedule of a seed: ``python -m tests.versions.trace SEED``."""

from __future__ import annotations

import sys

from tests.versions.schedules import explain

if __name__ == "__main__":
    print(explain(int(sys.argv[1])))
