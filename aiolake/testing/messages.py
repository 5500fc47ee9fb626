"""Requests and answers of HTTP/1.1 as bytes and back: what a proxy needs of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

__all__ = ["Message", "read_answer", "read_request"]

_OF_ONE_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(slots=True)
class Message:
    """A request or an answer.

    Attributes:
        first: Its first line.
        headers: Names and values, in order.
        body: All of it.
        is_last: Whether the connection ends with it.
    """

    first: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    is_last: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header, named in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def encoded(self) -> bytes:
        """As it is sent: with its own length, unless a header says another."""
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        if self.header("content-length") is None:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body

    def drop(self, *names: str) -> None:
        """Remove headers, named in lower case."""
        self.headers = [header for header in self.headers if header[0].lower() not in names]

    def drop_parameter(self, name: str) -> None:
        """Remove a parameter of a request's query."""
        method, target, version = self.first.split(" ")
        path, _, query = target.partition("?")
        kept = [part for part in query.split("&") if part.partition("=")[0] != name]
        target = "?".join(filter(None, (path, "&".join(kept))))
        self.first = f"{method} {target} {version}"


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message:
    """The next request; a client that asks whether to go on is told to."""
    request = await _head(reader)
    if (request.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.drop("expect")
    await _read_body(reader, request)
    request.drop(*_OF_ONE_HOP)
    return request


async def read_answer(reader: asyncio.StreamReader, method: str) -> Message:
    """The answer to a request of a method."""
    answer = await _head(reader)
    while _status(answer).startswith("1"):
        answer = await _head(reader)
    answer.is_last = (answer.header("connection") or "").lower() == "close"
    if method == "HEAD" or _status(answer) in ("204", "304"):
        answer.drop("connection", "keep-alive")
        return answer
    if answer.header("content-length") is None and answer.header("transfer-encoding") is None:
        answer.is_last = True
        answer.body = await reader.read()
    else:
        await _read_body(reader, answer)
    answer.drop(*_OF_ONE_HOP)
    return answer


def _status(answer: Message) -> str:
    return answer.first.split(" ")[1]


async def _head(reader: asyncio.StreamReader) -> Message:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Message(first, [(name, value.strip()) for name, _, value in pairs])


async def _read_body(reader: asyncio.StreamReader, message: Message) -> None:
    if (message.header("transfer-encoding") or "").lower() == "chunked":
        message.body = await _chunks(reader)
    else:
        message.body = await reader.readexactly(int(message.header("content-length") or 0))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(parts)
