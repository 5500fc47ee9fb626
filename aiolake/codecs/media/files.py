"""The files that FFmpeg and libsndfile read: bytes at hand, or ranges fetched as they are wanted.

Both call back from C, where an exception cannot pass: these methods raise nothing. A place before
the beginning is not gone to, and after a fetch that failed a file is at its end; ``check`` then
says why.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable

from aiolake.codecs.base import Buffer

__all__ = ["MediaFile", "RangedFile", "WholeFile"]

_KEPT_BLOCKS = 16
_MAX_AHEAD = 8


class MediaFile:
    """A file of a known length, with a place in it.

    Args:
        nbytes: Its length.
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, also one past the end; returns where the file is."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.nbytes}.get(whence)
        if start is not None and start + offset >= 0:
            self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def read(self, n: int = -1) -> bytes:
        """The next ``n`` bytes, fewer only at the end; all that is left for ``n`` below 0."""
        stop = self.nbytes if n < 0 else min(self.nbytes, self._at + n)
        if self._at >= stop:
            return b""
        data = bytes(self._range(self._at, stop))
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """As ``read``, into a buffer; how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def check(self) -> None:
        """Raise what made the file end early, if anything did."""

    def _range(self, start: int, stop: int) -> Buffer:
        """Bytes within the file."""
        raise NotImplementedError


class WholeFile(MediaFile):
    """A file that is in memory."""

    def __init__(self, data: Buffer) -> None:
        super().__init__(len(data))
        self._data = memoryview(data)

    def _range(self, start: int, stop: int) -> Buffer:
        return self._data[start:stop]


class RangedFile(MediaFile):
    """A file of which blocks are fetched when they are touched, more of them where it is read on.

    Args:
        nbytes: Its length.
        block_nbytes: Length of a block, the last may be shorter.
        fetch: Gives the bytes of a range of whole blocks; whatever it raises, ``check`` does.
    """

    def __init__(self, nbytes: int, block_nbytes: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__(nbytes)
        self._block_nbytes = block_nbytes
        self._fetch = fetch
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        self._ahead = 1
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise what a fetch raised."""
        if self._failure is not None:
            raise self._failure

    def _range(self, start: int, stop: int) -> Buffer:
        out = bytearray()
        while start < stop:
            number, skipped = divmod(start, self._block_nbytes)
            block = self._block(number)
            if block is None:
                break
            piece = block[skipped : skipped + stop - start]
            out += piece
            start += len(piece)
        return out

    def _block(self, number: int) -> bytes | None:
        """A block; ``None`` once a fetch has failed."""
        if self._failure is not None:
            return None
        if number not in self._blocks:
            try:
                self._load(number)
            except BaseException as error:
                self._failure = error
                return None
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _load(self, number: int) -> None:
        # Twice as much each time the file is read on from where the last fetch ended.
        self._ahead = min(2 * self._ahead, _MAX_AHEAD) if number == self._next else 1
        start = number * self._block_nbytes
        stop = min(self.nbytes, start + self._ahead * self._block_nbytes)
        data = self._fetch(start, stop)
        if len(data) != stop - start:
            raise EOFError(f"bytes {start}..{stop} were asked for, {len(data)} came")
        for at in range(0, len(data), self._block_nbytes):
            self._blocks[number] = data[at : at + self._block_nbytes]
            number += 1
        self._next = number
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
