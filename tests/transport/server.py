"""A server that answers as a script says, byte for byte, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiolake.stores.transport.values import Origin, Tls

Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request, Writer], Awaitable[None]]


def ok(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def always(data: bytes) -> Answer:
    async def answer(_: Request, writer: Writer) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def reset(writer: Writer) -> None:
    """End a connection as a crashed machine's would."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Server:
    """What it was asked, and over how many connections."""

    port: int
    scheme: str
    ca_file: str | None
    answer: Answer
    requests: list[Request] = field(default_factory=list)
    n_connections: int = 0
    n_open: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def origin(self) -> Origin:
        tls = Tls(ca_file=self.ca_file)
        host = "127.0.0.1" if self.scheme == "http" else "localhost"
        return Origin("https" if self.scheme == "https" else "http", host, self.port, tls)

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self.n_connections += 1
        self.n_open += 1
        try:
            while True:
                request = await read_request(reader)
                self.requests.append(request)
                await self.answer(request, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self.n_open -= 1
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


@asynccontextmanager
async def serving(
    answer: Answer, *, context: ssl.SSLContext | None = None, ca_file: str | None = None
) -> AsyncIterator[Server]:
    """A server on a free port; its connections are closed at the end."""
    found: list[Server] = []

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        await found[0].serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    found.append(Server(port, "http" if context is None else "https", ca_file, answer))
    try:
        yield found[0]
    finally:
        server.close()
        await asyncio.sleep(0.01)  # what the client closed is seen to be closed
        tasks = list(found[0].tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@contextmanager
def in_a_thread(body: bytes) -> Iterator[Origin]:
    """A server that answers everything with a body, and leaves no task in the test's loop."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Origin("http", "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
