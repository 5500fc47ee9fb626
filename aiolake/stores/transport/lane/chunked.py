"""Bodies in chunks, as they come. Pure.

Source: RFC 9112, section 7.1.
"""

from __future__ import annotations

import re

from aiolake.stores.transport.lane.head import UnusualError

__all__ = ["ChunkedBody"]

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?")
_MOST_LINE_NBYTES = 4096


class ChunkedBody:
    """Feed it what arrives until it is ``ended``.

    Attributes:
        ended: Whether the last chunk and the empty line behind it have come.
        rest: What came behind the end.
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self._pending = bytearray()
        self._pieces: list[bytes] = []
        self._left = 0
        self._state = self._size

    def body(self) -> bytes:
        """What has come."""
        return b"".join(self._pieces)

    def feed(self, data: bytes) -> None:
        """Take what has arrived.

        Raises:
            UnusualError: These are no chunks.
        """
        self._pending += data
        while not self.ended and self._state():
            pass
        if self.ended:
            self.rest = bytes(self._pending)

    def _line(self) -> bytes | None:
        end = self._pending.find(b"\r\n")
        if end < 0:
            if len(self._pending) > _MOST_LINE_NBYTES:
                raise UnusualError("a chunk's size of unusual length")
            return None
        line = bytes(self._pending[:end])
        del self._pending[: end + 2]
        return line

    def _size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise UnusualError("a chunk without a size")
        self._left = int(match.group(1), 16)
        self._state = self._data if self._left else self._trailer
        return True

    def _data(self) -> bool:
        piece = bytes(self._pending[: self._left])
        del self._pending[: len(piece)]
        self._left -= len(piece)
        if piece:
            self._pieces.append(piece)
        if self._left:
            return False
        self._state = self._after
        return True

    def _after(self) -> bool:
        if len(self._pending) < 2:
            return False
        if self._pending[:2] != b"\r\n":
            raise UnusualError("a chunk longer than its size")
        del self._pending[:2]
        self._state = self._size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self.ended = line == b""
        return True
