"""crc32c (Castagnoli), the checksum of everything stored.

Source: RFC 3720, appendix B.4.
"""

from __future__ import annotations

from typing import Any

import google_crc32c

from aiolake.errors import CorruptDataError

__all__ = ["crc32c", "verify"]


def crc32c(data: Any, seed: int = 0) -> int:
    """The crc32c of a contiguous buffer; ``seed`` continues an earlier one."""
    return google_crc32c.extend(seed, data)  # type: ignore[no-any-return]


def verify(data: Any, expected: int, key: str, start: int = 0) -> None:
    """Check a buffer read from ``[start, start + len(data))`` of an object.

    Raises:
        CorruptDataError: The checksum differs; names the key and the range.
    """
    if google_crc32c.value(data) != expected:
        stop = start + len(data)
        raise CorruptDataError(
            f"bytes {start}..{stop} of {key!r} do not match their checksum; restore the object "
            "from a copy, or open an older snapshot",
            key=key,
            start=start,
            stop=stop,
        )
