"""IAM Identity Center: the portal that lends a role's keys, and the one that renews a login."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.processes import LOCALHOST

__all__ = ["ACCOUNT", "SSO_ROLE", "Portal", "portal_endpoint"]

ACCOUNT, SSO_ROLE = "123456789012", "Reader"


@dataclass
class Portal:
    """What the endpoints do.

    Attributes:
        lend: Gives keys: ``AccessKeyId``, ``SecretAccessKey``, ``SessionToken``, ``Expiration``.
        url: Where they are.
        logins: Access tokens that are good.
        refresh_token: Buys another login; once.
        n_lent: How often keys were lent.
        n_renewed: How often a login was renewed.
    """

    lend: Callable[[], Mapping[str, str]]
    url: str = ""
    logins: set[str] = field(default_factory=set)
    refresh_token: str = ""
    n_lent: int = 0
    n_renewed: int = 0

    def log_in(self) -> str:
        """An access token, as ``aws sso login`` would get it."""
        token = uuid.uuid4().hex
        self.logins.add(token)
        return token

    def credentials(self, target: str, login: str | None) -> tuple[int, Any]:
        """``GET /federation/credentials``."""
        parts = urlsplit(target)
        asked = parse_qs(parts.query)
        if parts.path != "/federation/credentials":
            return 404, {}
        if login not in self.logins:
            return 401, {"message": "Session token not found or invalid"}
        if (asked["account_id"], asked["role_name"]) != ([ACCOUNT], [SSO_ROLE]):
            return 403, {"message": "No access"}
        self.n_lent += 1
        keys = self.lend()
        expires = datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00"))
        role = {
            "accessKeyId": keys["AccessKeyId"],
            "secretAccessKey": keys["SecretAccessKey"],
            "sessionToken": keys["SessionToken"],
            "expiration": int(1000 * expires.timestamp()),
        }
        return 200, {"roleCredentials": role}

    def renew(self, asked: Mapping[str, str]) -> tuple[int, Any]:
        """``POST /token``."""
        if not self.refresh_token or asked.get("refreshToken") != self.refresh_token:
            return 400, {"error": "invalid_grant", "error_description": "no such refresh token"}
        self.refresh_token = uuid.uuid4().hex
        self.n_renewed += 1
        return 200, {
            "accessToken": self.log_in(),
            "expiresIn": 28_800,
            "refreshToken": self.refresh_token,
            "tokenType": "Bearer",
        }


@contextmanager
def portal_endpoint(portal: Portal) -> Iterator[Portal]:
    """Serve it from a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = self.headers.get("x-amz-sso_bearer_token")
            self._send(*portal.credentials(self.path, login))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*portal.renew(json.loads(body)))

        def _send(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 401:
                self.send_header("x-amzn-ErrorType", "UnauthorizedException")
            elif status == 403:
                self.send_header("x-amzn-ErrorType", "ForbiddenException")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOCALHOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    portal.url = f"http://{LOCALHOST}:{server.server_port}"
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
