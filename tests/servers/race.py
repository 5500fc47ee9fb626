"""Many writers of one name at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.servers.http import Answer

__all__ = ["N_WRITERS", "race"]

N_WRITERS = 20


def race(create: Callable[[bytes], Answer]) -> tuple[Counter[int], bytes]:
    """Let 20 threads create at once; how often each status came, and what the winner wrote."""
    start = threading.Barrier(N_WRITERS)

    def compete(n: int) -> Answer:
        start.wait()
        return create(b"writer %d" % n)

    with ThreadPoolExecutor(N_WRITERS) as threads:
        answers = list(threads.map(compete, range(N_WRITERS)))
    (winner,) = [n for n, answer in enumerate(answers) if answer.status < 300]
    return Counter(answer.status for answer in answers), b"writer %d" % winner
