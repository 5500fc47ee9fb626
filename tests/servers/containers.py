"""The endpoint that lends a container's credentials, as ECS and EKS have it; fails and lies."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["TOKEN", "Lender", "container_endpoint"]

TOKEN = "the container's own"
"""What clients must show (AWS_CONTAINER_AUTHORIZATION_TOKEN)."""


@dataclass
class Lender:
    """What the endpoint does.

    Attributes:
        lend: Gives keys: ``AccessKeyId``, ``SecretAccessKey``, ``SessionToken``, ``Expiration``.
        fails: The share of requests that are answered 500.
        lies_by: Added to the expiry that is told.
        url: Where it is.
        n_asked: How often it was asked.
        n_lent: How often it lent.
        n_failed: How often it failed.
    """

    lend: Callable[[], Mapping[str, str]]
    fails: float = 0.0
    lies_by: timedelta = timedelta(0)
    url: str = ""
    n_asked: int = 0
    n_lent: int = 0
    n_failed: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(3))

    def answer(self, token: str | None) -> tuple[int, dict[str, str]]:
        """A status and a document."""
        self.n_asked += 1
        if token != TOKEN:
            return 403, {"message": "another's token"}
        if self.rng.random() < self.fails:
            self.n_failed += 1
            return 500, {"message": "not now"}
        keys = dict(self.lend())
        expires = datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00"))
        told = (expires + self.lies_by).astimezone(UTC)
        self.n_lent += 1
        return 200, {
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": f"{told:%Y-%m-%dT%H:%M:%SZ}",
        }


@contextmanager
def container_endpoint(lender: Lender) -> Iterator[Lender]:
    """Serve it from a thread; processes of the test find it by its ``url``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = lender.answer(self.headers.get("Authorization"))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    lender.url = f"http://127.0.0.1:{server.server_port}/credentials"
    try:
        yield lender
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
