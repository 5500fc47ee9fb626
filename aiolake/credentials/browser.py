"""Waiting for a browser's answer on a port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiolake.credentials.login import Reply, Request, reply_to
from aiolake.errors import UnauthenticatedError

__all__ = ["Waiting", "open_and_say", "waiting"]

_LONGEST_HEAD = 16 << 10


@dataclass(slots=True)
class Waiting:
    """A port that waits.

    Attributes:
        redirect: Where the browser is to be sent.
        replies: The answers that count.
    """

    redirect: str
    replies: asyncio.Queue[Reply] = field(repr=False)

    async def code(self, timeout_s: float) -> str:
        """What the browser brings, to be exchanged for a token.

        Raises:
            UnauthenticatedError: It did not come in time, or the user refused.
        """
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self.replies.get()
        except TimeoutError as error:
            raise UnauthenticatedError(
                f"nobody logged in with the browser within {timeout_s:g} s; try again. On a "
                "machine without one, log in elsewhere and copy the saved file, or use a "
                "service-account JSON"
            ) from error
        if reply.code is None:
            raise UnauthenticatedError(
                f"the log-in with the browser was refused: {reply.refusal}; try again, and allow "
                "the access that is asked for",
                reason=reply.refusal,
            )
        return reply.code


@asynccontextmanager
async def waiting(request: Request) -> AsyncIterator[Waiting]:
    """Listen on a free port of 127.0.0.1, until the block is left."""
    replies: asyncio.Queue[Reply] = asyncio.Queue()
    open_ones: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Redirect(request, replies.put_nowait, open_ones), "127.0.0.1", 0
    )
    try:
        port = server.sockets[0].getsockname()[1]
        yield Waiting(f"http://127.0.0.1:{port}/", replies)
    finally:
        server.close()
        for transport in tuple(open_ones):
            transport.close()  # what was written goes out; a browser's idle ones just end
        await server.wait_closed()


class _Redirect(asyncio.Protocol):
    """One connection of a browser; no task, so that none is left."""

    def __init__(
        self, request: Request, heard: Callable[[Reply], None], open_ones: set[asyncio.Transport]
    ) -> None:
        self._request = request
        self._heard = heard
        self._open_ones = open_ones
        self._head = b""

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._open_ones.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) <= _LONGEST_HEAD:
            return
        reply = reply_to(self._head, self._request)
        self._transport.write(reply.encoded())
        self._transport.close()
        if reply.code is not None or reply.refusal is not None:
            self._heard(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_ones.discard(self._transport)


async def open_and_say(url: str) -> None:
    """Open the user's browser, and say the address for who has none here."""
    sys.stderr.write(f"aiolake: log in with a browser at\n{url}\n")
    sys.stderr.flush()
    if _has_screen():
        with contextlib.suppress(webbrowser.Error):
            await asyncio.to_thread(webbrowser.open, url)


def _has_screen() -> bool:
    """Without one there may be a browser for terminals, which would take this one."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
