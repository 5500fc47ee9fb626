"""crc32c (Castagnoli), the checksum of everything stored.

Source: RFC 3720, appendix B.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import google_crc32c
import numpy as np

from aiolake.errors import CorruptDataError

__all__ = ["crc32c", "crc32c_of_bytes", "verify"]

crc32c_of_bytes: Callable[[bytes], int] = google_crc32c.value
"""As ``crc32c``, of ``bytes`` alone, for loops over many."""


def crc32c(data: Any) -> int:
    """The crc32c of a contiguous buffer, without copying it."""
    if type(data) is not bytes:
        # The C function takes read-only buffers that need no release: bytes, and such an array.
        data = np.frombuffer(data, np.uint8)
        data.flags.writeable = False
    return crc32c_of_bytes(data)


def verify(data: Any, expected: int, key: str, start: int = 0) -> None:
    """Check a buffer read from ``[start, start + len(data))`` of an object.

    Raises:
        CorruptDataError: The checksum differs; names the key and the range.
    """
    if crc32c(data) != expected:
        stop = start + len(data)
        raise CorruptDataError(
            f"bytes {start}..{stop} of {key!r} do not match their checksum; restore the object "
            "from a copy, or open an older snapshot",
            key=key,
            start=start,
            stop=stop,
        )
