"""crc32c (Castagnoli), the checksum of everything stored.

Source: RFC 3720, appendix B.4.
"""

from __future__ import annotations

from typing import Any

import google_crc32c

from aiolake.errors import CorruptDataError

__all__ = ["crc32c", "verify"]


_SLICE_BYTES = 64 * 1024


def crc32c(data: Any, seed: int = 0) -> int:
    """The crc32c of a contiguous buffer; ``seed`` continues an earlier one."""
    if type(data) is bytes:
        return google_crc32c.extend(seed, data)  # type: ignore[no-any-return]
    # The extension takes bytes alone: slices are copied that stay in the processor's cache.
    view = memoryview(data)
    for start in range(0, len(view), _SLICE_BYTES):
        seed = google_crc32c.extend(seed, bytes(view[start : start + _SLICE_BYTES]))
    return seed


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
