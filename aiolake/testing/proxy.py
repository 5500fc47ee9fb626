"""A proxy between a client and a real server that does to answers what networks and clouds do."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiolake.errors import InvalidInputError
from aiolake.testing.messages import Message, read_answer, read_request
from aiolake.testing.proxy_rules import (
    Answered,
    ClosedInside,
    Dated,
    Delayed,
    Flipped,
    Lost,
    ProxyFault,
    ProxyRule,
    ProxyScript,
    ResetBefore,
    ResetInside,
    Rewritten,
    Stalled,
    Stripped,
)

__all__ = ["FaultProxy"]


class FaultProxy:
    """``async with FaultProxy(server_url, rules) as proxy:`` and send requests to ``proxy.url``.

    Requests keep the ``Host`` they came with, so that signatures hold.

    Args:
        upstream: ``http://host:port``.
        rules: The first that strikes a request happens to it.
        seed: Of the draws.

    Attributes:
        requests: How many came, by method.
        faults: How many were done, by name.
        n_open: Connections of clients that are open.
        n_most_open: The most there were at once.
    """

    def __init__(self, upstream: str, rules: Sequence[ProxyRule] = (), *, seed: int = 0) -> None:
        parts = urlsplit(upstream)
        if parts.scheme != "http" or parts.hostname is None or parts.port is None:
            raise InvalidInputError(
                f"the server behind a proxy is http://host:port, got {upstream!r}"
            )
        self._host, self._port = parts.hostname, parts.port
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.n_open = 0
        self.n_most_open = 0
        self._rng = random.Random(seed)
        self._script = ProxyScript(rules, self._rng)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def rules(self) -> Sequence[ProxyRule]:
        """Those in force; others may be set at any time, and are counted from then on."""
        return self._script.rules

    @rules.setter
    def rules(self, rules: Sequence[ProxyRule]) -> None:
        self._script = ProxyScript(rules, self._rng)

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0.01)  # what clients have closed is seen to be closed
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.n_open += 1
        self.n_most_open = max(self.n_most_open, self.n_open)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the client went away, or the proxy is being closed
        finally:
            self.n_open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether another may follow on the connection."""
        request = await read_request(reader, writer)
        method, target, _ = request.first.split(" ")
        self.requests[method] += 1
        fault = self._script.drawn(method, target)
        if fault is not None:
            self.faults[type(fault).__name__] += 1
        match fault:
            case Answered(status, body, headers):
                body = b"" if method == "HEAD" else body
                answer = Message(f"HTTP/1.1 {status} Answered", list(headers.items()), body)
                return await _sent(answer, writer)
            case ResetBefore():
                return _reset(writer)
            case Stripped(name):
                request.drop(name.lower())
                request.drop_parameter(name)
            case _:
                pass
        answer = await self._forwarded(request, method)
        if isinstance(fault, Lost):
            return _reset(writer)
        return await self._answered(answer, fault, writer)

    async def _answered(
        self, answer: Message, fault: ProxyFault | None, writer: asyncio.StreamWriter
    ) -> bool:
        match fault:
            case Delayed(by):
                await asyncio.sleep(by.total_seconds())
            case Flipped() if answer.body:
                body = bytearray(answer.body)
                body[self._rng.randrange(len(body))] ^= 1 << self._rng.randrange(8)
                answer.body = bytes(body)
            case Rewritten(by):
                answer.body = by(answer.body)
            case Dated(by):
                answer.drop("date")
                answer.headers.append(
                    ("Date", format_datetime(datetime.now(UTC) + by, usegmt=True))
                )
            case ResetInside() | ClosedInside() | Stalled() if answer.body:
                return await self._cut(answer, fault, writer)
            case _:
                pass
        return await _sent(answer, writer)

    async def _cut(
        self,
        answer: Message,
        fault: ResetInside | ClosedInside | Stalled,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Send an answer up to some byte of its body."""
        data = answer.encoded()
        writer.write(data[: len(data) - self._rng.randint(1, len(answer.body))])
        await writer.drain()
        match fault:
            case Stalled(by):
                await asyncio.sleep(by.total_seconds())
            case ResetInside():
                await asyncio.sleep(0.002)  # else what was written would be thrown away with it
                return _reset(writer)
            case ClosedInside():
                pass
        return False

    async def _forwarded(self, request: Message, method: str) -> Message:
        """The server's answer; a kept connection that it had closed is replaced."""
        data = request.encoded()
        while self._idle:
            reader, writer = self._idle.pop()
            if reader.at_eof() or reader.exception() is not None:
                writer.close()
                continue
            try:
                return await self._asked(reader, writer, data, method)
            except asyncio.IncompleteReadError as error:
                # Closed while the request was on its way. Half an answer is not asked for again.
                if error.partial:
                    raise
            except ConnectionError:
                pass
        reader, writer = await asyncio.open_connection(self._host, self._port)
        return await self._asked(reader, writer, data, method)

    async def _asked(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes,
        method: str,
    ) -> Message:
        try:
            writer.write(data)
            await writer.drain()
            answer = await read_answer(reader, method)
        except BaseException:
            writer.close()
            raise
        if answer.is_last:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return answer


async def _sent(answer: Message, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer.encoded())
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
