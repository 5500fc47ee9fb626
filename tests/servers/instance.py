"""The endpoint that lends an EC2 instance's credentials: IMDSv2, which asks for a token first."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.processes import LOCALHOST

__all__ = ["ROLE_OF_INSTANCE", "Instance", "instance_endpoint"]

ROLE_OF_INSTANCE = "trainer"
_TOKENS = "/latest/api/token"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_LIFE = "x-aws-ec2-metadata-token-ttl-seconds"
_TOKEN = "x-aws-ec2-metadata-token"

Reply = tuple[int, str]


@dataclass
class Instance:
    """What the endpoint does.

    Attributes:
        lend: Gives keys: ``AccessKeyId``, ``SecretAccessKey``, ``SessionToken``, ``Expiration``.
        has_role: Whether the instance was given one.
        failures: Statuses of the next answers about credentials, before it goes well again.
        url: Where it is.
        n_lent: How often it lent.
        n_without_token: How often it was asked without a token, and refused.
    """

    lend: Callable[[], Mapping[str, str]]
    has_role: bool = True
    failures: list[int] = field(default_factory=list)
    url: str = ""
    n_lent: int = 0
    n_without_token: int = 0
    _tokens: set[str] = field(default_factory=set)

    def give_token(self, life_s: str | None) -> Reply:
        """A token for the next requests."""
        if life_s is None or not 1 <= int(life_s) <= 21_600:
            return 400, "say how long the token is to live"
        token = uuid.uuid4().hex
        self._tokens.add(token)
        return 200, token

    def answer(self, path: str, token: str | None) -> Reply:
        """The role's name, or its credentials."""
        if token not in self._tokens:
            self.n_without_token += 1
            return 401, "no token"
        if self.failures:
            return self.failures.pop(0), "not now"
        if self.has_role and path == _ROLES:
            return 200, ROLE_OF_INSTANCE
        if not self.has_role or path != f"{_ROLES}{ROLE_OF_INSTANCE}":
            return 404, "not found"
        keys = self.lend()
        self.n_lent += 1
        document = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": keys["Expiration"],
        }
        return 200, json.dumps(document)


@contextmanager
def instance_endpoint(instance: Instance) -> Iterator[Instance]:
    """Serve it from a thread; AWS_EC2_METADATA_SERVICE_ENDPOINT is its ``url``."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            known = self.path == _TOKENS
            self._reply(instance.give_token(self.headers.get(_LIFE)) if known else (404, ""))

        def do_GET(self) -> None:
            self._reply(instance.answer(self.path, self.headers.get(_TOKEN)))

        def _reply(self, reply: Reply) -> None:
            status, text = reply
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOCALHOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    instance.url = f"http://{LOCALHOST}:{server.server_port}/"
    try:
        yield instance
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
