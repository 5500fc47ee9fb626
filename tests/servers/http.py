"""One HTTP request, with the standard library alone: the tests' way past the code under test."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["Answer", "exchange"]

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def expect(self, *statuses: int) -> Answer:
        """Itself, if its status is one of these.

        Raises:
            AssertionError: It is another.
        """
        assert self.status in statuses, f"{self.status}: {self.body[:500]!r}"
        return self


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    ca: Path | None = None,
) -> Answer:
    """Send a request on a connection of its own; no proxy, no redirect.

    Raises:
        OSError: No connection.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    context = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
    connection = (
        http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        if context is None
        else http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context
        )
    )
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    except http.client.HTTPException as error:
        raise ConnectionError(f"{method} {url}: {error!r}") from error
    finally:
        connection.close()
