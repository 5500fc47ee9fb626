"""A static server with ranges, and what others do differently."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from aiolake import urls
from aiolake.options import Options
from aiolake.stores.factory import open_store
from aiolake.stores.http import HttpStore
from aiolake.stores.network import Network
from tests.servers.certificates import Certificate

__all__ = ["Site", "opened", "served", "served_elsewhere"]

Handler = Callable[[web.Request, Path], Awaitable[web.StreamResponse]]


async def with_ranges(request: web.Request, path: Path) -> web.StreamResponse:
    """As nginx answers."""
    return web.FileResponse(path)


async def without_ranges(request: web.Request, path: Path) -> web.StreamResponse:
    """As ``python -m http.server`` answers: all of it, whatever part is asked for."""
    return web.Response(body=path.read_bytes())


@dataclass
class Site:
    """A directory that is served, how, and what was asked for."""

    root: Path
    handler: Handler = with_ranges
    token: str | None = None
    basic: tuple[str, str] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    moved: dict[str, tuple[int, str]] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    refuses_head: bool = False
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""

    def put(self, name: str, data: bytes) -> None:
        """Place a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    @property
    def methods(self) -> list[str]:
        """Of all requests."""
        return [method for method, _, _ in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One answer."""
        self.asked.append((request.method, request.path_qs, request.headers.get("Range")))
        self.headers.append(request.headers)
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        if request.path in self.moved:
            status, location = self.moved[request.path]
            return web.Response(status=status, headers={"Location": location})
        if not self._known(request):
            return web.Response(status=401)
        if any(request.query.get(name) != value for name, value in self.query.items()):
            return web.Response(status=403)
        if request.method == "HEAD" and self.refuses_head:
            return web.Response(status=405)
        path = self.root / request.path[1:]
        if not path.is_file():
            return web.Response(status=404)
        return await self.handler(request, path)

    def _known(self, request: web.Request) -> bool:
        shown = request.headers.get("Authorization")
        if self.token is not None:
            return shown == f"Bearer {self.token}"
        if self.basic is not None:
            return shown == f"Basic {base64.b64encode(':'.join(self.basic).encode()).decode()}"
        return shown is None


@asynccontextmanager
async def served(site: Site, certificate: Certificate | None = None) -> AsyncIterator[Site]:
    """The site on a free port, by TLS with a certificate; on this test's loop."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.chain, certificate.key)
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await listener.start()
        site.url = f"http{'s' if certificate else ''}://127.0.0.1:{runner.addresses[0][1]}"
        yield site
    finally:
        await runner.cleanup()


@contextmanager
def served_elsewhere(site: Site) -> Iterator[Site]:
    """As ``served``, on a loop and in a thread of its own: its tasks are not the test's."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served(site)):
        yield site


@asynccontextmanager
async def opened(url: str, creds: Any = None) -> AsyncIterator[HttpStore]:
    """The store of an address, in a network of its own."""
    async with Network(Options()) as network:
        store = open_store(urls.parse(url), creds=creds, network=network)
        assert isinstance(store, HttpStore)
        try:
            yield store
        finally:
            await store.aclose()
