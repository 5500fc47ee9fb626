"""A proxy between a client and a real server that does to answers what networks and clouds do."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from aiolake.errors import InvalidInputError

__all__ = [
    "Answered",
    "ClosedInside",
    "Dated",
    "Delayed",
    "FaultProxy",
    "Flipped",
    "Lost",
    "ProxyFault",
    "ProxyRule",
    "ResetBefore",
    "ResetInside",
    "Rewritten",
    "Stalled",
    "Stripped",
]

_NOT_PASSED_ON = ("connection", "transfer-encoding", "content-length", "keep-alive")


@dataclass(frozen=True, slots=True)
class Delayed:
    """The first byte of the answer comes later."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Answered:
    """The proxy answers; the server hears nothing."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """The connection is reset (RST) before the server hears anything."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The server acts, and the connection is reset before its answer."""


@dataclass(frozen=True, slots=True)
class ResetInside:
    """The connection is reset within the body."""


@dataclass(frozen=True, slots=True)
class ClosedInside:
    """The connection is closed properly within the body, short of its length."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing more comes, within the body, for so long."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Flipped:
    """One bit of the body is another."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """A header of the request, or a parameter of its query, does not reach the server."""

    name: str


@dataclass(frozen=True, slots=True)
class Dated:
    """The answer's ``Date`` is off: the clock of one of the two is wrong."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The answer's body is another: a listing out of order, say."""

    by: Callable[[bytes], bytes]


ProxyFault: TypeAlias = (
    Delayed
    | Answered
    | ResetBefore
    | Lost
    | ResetInside
    | ClosedInside
    | Stalled
    | Flipped
    | Stripped
    | Dated
    | Rewritten
)


@dataclass(frozen=True, slots=True)
class ProxyRule:
    """What happens to which requests.

    Attributes:
        fault: What happens.
        share: To so many of them, 0 to 1.
        method: Of the requests; any without it.
        within: Text that their target has.
        first: Only so many times; without end where it is ``None``.
    """

    fault: ProxyFault
    share: float = 1.0
    method: str | None = None
    within: str = ""
    first: int | None = None

    def fits(self, method: str, target: str) -> bool:
        """Whether a request is meant."""
        return (self.method is None or self.method == method) and self.within in target


@dataclass(slots=True)
class _Message:
    first: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def encoded(self, body: bytes | None = None, *, length: bool = True) -> bytes:
        body = self.body if body is None else body
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class FaultProxy:
    """``async with FaultProxy(server_url, rules) as proxy:`` and send requests to ``proxy.url``.

    Requests keep the ``Host`` they came with, so that signatures hold.

    Args:
        upstream: ``http://host:port``.
        rules: The first that fits and is drawn happens; replaced at any time by ``rules = ...``.
        seed: Of the draws.

    Attributes:
        rules: Those in force.
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
        self.rules = list(rules)
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.n_open = 0
        self.n_most_open = 0
        self._rng = random.Random(seed)
        self._done: Counter[ProxyRule] = Counter()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

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
        request = await _message(reader)
        method, target, _ = request.first.split(" ")
        self.requests[method] += 1
        fault = self._drawn(method, target)
        match fault:
            case Answered(status, body, headers):
                answer = _Message(f"HTTP/1.1 {status} X", list(headers.items()), body)
                writer.write(answer.encoded(b"" if method == "HEAD" else None))
                await writer.drain()
                return True
            case ResetBefore():
                return _reset(writer)
            case Stripped(name):
                request = _without(request, name)
            case _:
                pass
        answer = await self._forwarded(request, method)
        if isinstance(fault, Lost):
            return _reset(writer)
        return await self._answered(answer, fault, method, writer)

    def _drawn(self, method: str, target: str) -> ProxyFault | None:
        for rule in self.rules:
            if not rule.fits(method, target) or self._rng.random() >= rule.share:
                continue
            if rule.first is not None and self._done[rule] >= rule.first:
                continue
            if rule.first is not None:
                self._done[rule] += 1
            self.faults[type(rule.fault).__name__] += 1
            return rule.fault
        return None

    async def _answered(
        self, answer: _Message, fault: ProxyFault | None, method: str, writer: asyncio.StreamWriter
    ) -> bool:
        body = answer.body
        match fault:
            case Delayed(by):
                await asyncio.sleep(by.total_seconds())
            case Flipped() if body:
                at = self._rng.randrange(len(body))
                body = body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]
            case Rewritten(by):
                body = by(body)
            case Dated(by):
                date = format_datetime(datetime.now(UTC) + by, usegmt=True)
                answer.headers = [h for h in answer.headers if h[0].lower() != "date"]
                answer.headers.append(("Date", date))
            case _:
                pass
        data = answer.encoded(body, length=answer.header("content-length") is None)
        if isinstance(fault, ResetInside | ClosedInside | Stalled) and body:
            writer.write(data[: len(data) - self._rng.randint(1, len(body))])
            await writer.drain()
            if isinstance(fault, Stalled):
                await asyncio.sleep(fault.by.total_seconds())
            elif isinstance(fault, ResetInside):
                await asyncio.sleep(0.002)  # else what was written would be thrown away with it
                return _reset(writer)
            return False
        writer.write(data)
        await writer.drain()
        return True

    async def _forwarded(self, request: _Message, method: str) -> _Message:
        """The server's answer; a kept connection that it had closed is replaced once."""
        data = request.encoded()
        while self._idle:
            reader, writer = self._idle.pop()
            try:
                return await self._asked(reader, writer, data, method)
            except (asyncio.IncompleteReadError, OSError):
                writer.close()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        return await self._asked(reader, writer, data, method)

    async def _asked(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes,
        method: str,
    ) -> _Message:
        try:
            writer.write(data)
            await writer.drain()
            answer = await _message(reader, of=method)
        except BaseException:
            writer.close()
            raise
        if (answer.header("connection") or "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        if method == "HEAD":
            return answer
        answer.headers = [h for h in answer.headers if h[0].lower() not in _NOT_PASSED_ON]
        return answer


async def _message(reader: asyncio.StreamReader, of: str | None = None) -> _Message:
    """A request, or the answer to a request ``of`` a method, with all of its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = [(name, value.strip()) for name, _, value in pairs]
    message = _Message(first, headers, b"")
    status = first.split(" ")[1] if of is not None else ""
    if of == "HEAD" or status in ("204", "304"):
        return message
    if (message.header("transfer-encoding") or "").lower() == "chunked":
        message.body = await _chunks(reader)
    else:
        message.body = await reader.readexactly(int(message.header("content-length") or 0))
    if of is None:
        message.headers = [h for h in headers if h[0].lower() not in _NOT_PASSED_ON]
    return message


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(parts)


def _without(request: _Message, name: str) -> _Message:
    method, target, version = request.first.split(" ")
    path, mark, query = target.partition("?")
    kept = "&".join(part for part in query.split("&") if part.partition("=")[0] != name)
    headers = [h for h in request.headers if h[0].lower() != name.lower()]
    target = f"{path}{mark}{kept}" if kept else path
    return _Message(f"{method} {target} {version}", headers, request.body)


def _reset(writer: asyncio.StreamWriter) -> bool:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
