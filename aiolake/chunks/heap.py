"""Memory of payloads: kept by the process for the next ones rather than given back each time."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["keep_freed_memory"]

_RAISED_TO_BYTES = 4 << 20


@functools.cache
def keep_freed_memory() -> None:
    """Let freed payloads stay in the heap, up to 8 MiB, for the payloads that come next.

    By default glibc gives the top of the heap back to the kernel once 128 KiB of it are free, and
    takes arrays of 128 KiB from the kernel one by one: then every batch pays for the zeroing of
    all its pages, which is more than to read it. glibc raises both limits by itself when a large
    block is freed; so one is, which was never touched.

    Source: mallopt(3), M_MMAP_THRESHOLD, "dynamic mmap threshold".
    """
    np.empty(_RAISED_TO_BYTES, np.uint8)
