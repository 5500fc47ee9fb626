from __future__ import annotations

import subprocess
import sys

PROBE = """
import resource
from aiolake.chunks.heap import keep_freed_memory
keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytes(20_000) for _ in range(100)]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(min(faults() for _ in range(3)))
"""


def test_payloads_reuse_the_memory_of_freed_ones() -> None:
    answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=True)
    assert int(answer.stdout) <= 20
