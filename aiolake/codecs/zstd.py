"""One value as one zstd frame that says how long its content is."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from aiolake.codecs.base import Buffer
from aiolake.errors import FormatError

if TYPE_CHECKING:
    from zstandard import ZstdCompressor, ZstdDecompressor

__all__ = ["LEVEL", "compress", "decompress"]

LEVEL = 3
# A block of 128 KiB takes at least 4 bytes, so a frame that claims more lies about its size.
MAX_RATIO = 1 << 16


class _Contexts(threading.local):
    """zstandard's contexts must not be used by two threads at once, and are costly to make."""

    @cached_property
    def compressor(self) -> ZstdCompressor:
        import zstandard

        return zstandard.ZstdCompressor(level=LEVEL)

    @cached_property
    def decompressor(self) -> ZstdDecompressor:
        import zstandard

        return zstandard.ZstdDecompressor()


_contexts = _Contexts()


def compress(data: Buffer) -> bytes:
    """One frame of level 3, its content size in the header."""
    return _contexts.compressor.compress(data)


def decompress(frame: Buffer, nbytes: int | None = None, *, at_most: int | None = None) -> bytes:
    """The content of exactly one frame.

    Args:
        frame: Nothing may follow it.
        nbytes: What its size must be, where that is known.
        at_most: A larger size is refused before anything is allocated.

    Raises:
        FormatError: Not one whole frame, or of another size.
    """
    import zstandard  # Not at the top: it costs more to load than all of this package.

    try:
        size = zstandard.frame_content_size(frame)
        _check_size(size, nbytes, len(frame))
        if at_most is not None and size > at_most:
            raise FormatError(f"a zstd frame claims to hold {size} bytes, over {at_most}")
        content = _contexts.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"a compressed payload is not one zstd frame: {error}") from error
    if len(content) != size:
        raise FormatError(f"a zstd frame of {size} bytes holds {len(content)}")
    return content


def _check_size(size: int, expected: int | None, frame_nbytes: int) -> None:
    if size < 0 or size > frame_nbytes * MAX_RATIO:
        raise FormatError(f"a zstd frame of {frame_nbytes} bytes claims to hold {size}")
    if expected is not None and size != expected:
        raise FormatError(f"a zstd frame should hold {expected} bytes and claims {size}")
