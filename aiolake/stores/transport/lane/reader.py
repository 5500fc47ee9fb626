"""One response, read from whatever pieces the socket brings. Pure: memory in, a response out.

A body of known length is received where it stays: what came with the head is copied once, the
rest goes from the kernel into it.
"""

from __future__ import annotations

from collections.abc import Callable

from aiolake.stores.base import Buffer
from aiolake.stores.transport.lane.chunked import ChunkedBody
from aiolake.stores.transport.lane.head import (
    END,
    MOST_HEAD_NBYTES,
    Head,
    UnusualError,
    read_head,
)
from aiolake.stores.transport.values import Response

__all__ = ["Reader", "Slab"]


class Slab:
    """Memory that a connection receives heads and short bodies in, used again and again."""

    def __init__(self) -> None:
        self.data = bytearray(MOST_HEAD_NBYTES)
        self.view = memoryview(self.data)


class Reader:
    """Receives one response: fill ``buffer()``, then say how much with ``received()``.

    Args:
        slab: Of the connection.
        method: Of the request.
        take: Gives memory for a body that the slab is too small for.
    """

    def __init__(self, slab: Slab, method: str, take: Callable[[int], memoryview]) -> None:
        self._take = take
        self._slab = slab
        self._method = method
        self._filled = 0
        self._searched = 0
        self._head: Head | None = None
        self._body: memoryview | None = None
        self._view = slab.view
        self._n_body = 0
        self._chunked: ChunkedBody | None = None
        self.surplus = False

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return self._filled > 0 or self._head is not None

    @property
    def in_body(self) -> bool:
        """Whether the buffer is the rest of a body of known length: it may be filled at once."""
        return self._body is not None

    @property
    def keeps(self) -> bool:
        """Whether the connection may be used again after this response."""
        return self._head is not None and self._head.keeps and not self.surplus

    def buffer(self) -> memoryview:
        """Where the next bytes go; never empty before the end."""
        if self._body is not None:
            return self._view[self._n_body :]
        if self._chunked is not None:
            return self._view
        return self._view[self._filled :]

    def received(self, n: int) -> Response | None:
        """Take ``n`` bytes that lie in the buffer; the response once it is whole.

        Raises:
            UnusualError: It is to be read by another client.
        """
        if self._body is not None:
            self._n_body += n
            return self._whole(self._body) if self._n_body == len(self._body) else None
        if self._chunked is not None:
            return self._of_chunks(self._slab.data[:n])
        self._filled += n
        return self._look_for_head()

    def cut(self) -> tuple[Response, Buffer] | None:
        """The head and what came of the body, where the response is cut short behind its head."""
        if self._head is None:
            return None
        head = Response(self._head.status, self._head.headers, b"")
        if self._chunked is not None:
            return head, self._chunked.body()
        return head, b"" if self._body is None else self._body[: self._n_body]

    def _look_for_head(self) -> Response | None:
        data = self._slab.data
        end = data.find(END, max(0, self._searched - 3), self._filled)
        self._searched = self._filled
        if end < 0:
            if self._filled == len(data):
                raise UnusualError("a head of unusual length")
            return None
        head = self._head = read_head(bytes(self._view[:end]), self._method)
        start = end + len(END)
        if head.length is None:
            self._chunked = ChunkedBody()
            return self._of_chunks(data[start : self._filled])
        here = self._filled - start
        if here >= head.length:
            self.surplus = here > head.length
            return self._whole(bytes(self._view[start : start + head.length]))
        self._body = self._take(head.length)
        self._body[:here] = self._view[start : self._filled]
        self._n_body = here
        self._view = self._body
        return None

    def _of_chunks(self, data: bytearray) -> Response | None:
        assert self._chunked is not None
        self._chunked.feed(bytes(data))
        if not self._chunked.ended:
            return None
        self.surplus = bool(self._chunked.rest)
        return self._whole(self._chunked.body())

    def _whole(self, body: Buffer) -> Response:
        assert self._head is not None
        return Response(self._head.status, self._head.headers, body)
