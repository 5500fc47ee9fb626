"""Azure's blob service as ``azurite`` plays it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from tests.servers.certificates import Certificate
from tests.servers.environments import ready
from tests.servers.http import Answer, exchange
from tests.servers.node import npm_environment, pick_node
from tests.servers.processes import LOCALHOST, serving
from tests.servers.signing import azure_headers

__all__ = ["AZURITE", "AzureServer", "azurite_server"]

AZURITE = npm_environment("azurite", "azurite@3.37.0")

_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key that every emulator of this service knows; no secret."""


@dataclass(frozen=True, slots=True)
class AzureServer:
    """A server that speaks to one account.

    Attributes:
        url: The account's endpoint, as ``http://host:port/account``.
        account: Its name.
        key: Its key, in base64.
        ca: The certificate to trust, of a server with TLS.
    """

    url: str
    account: str = _ACCOUNT
    key: str = _KEY
    ca: Path | None = None

    @property
    def root(self) -> str:
        """The address without the account."""
        return self.url.removesuffix(f"/{self.account}")

    @property
    def connection_string(self) -> str:
        """As Azure's libraries take it."""
        protocol = self.url.partition(":")[0]
        return (
            f"DefaultEndpointsProtocol={protocol};AccountName={self.account};"
            f"AccountKey={self.key};BlobEndpoint={self.url};"
        )

    def at(self, root: str) -> AzureServer:
        """The same server, reached by another address without account: a proxy's."""
        return replace(self, url=f"{root}/{self.account}")

    def new_container(self) -> str:
        """Make an empty container; its name, which no other has."""
        name = f"container-{uuid.uuid4().hex[:20]}"
        self.request("PUT", f"/{name}?restype=container").expect(201)
        return name

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request signed with the account's key; the path is what follows the account."""
        url = self.url + path
        signed = azure_headers(
            method, url, body, account=self.account, key=self.key, headers=headers
        )
        return exchange(method, url, headers=signed, body=body, ca=self.ca)

    def path(self, container: str, key: str) -> str:
        """The path of a blob."""
        return f"/{container}/{quote(key, safe='/-_.~')}"

    def upload(
        self, container: str, key: str, body: bytes, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Write a block blob in one request."""
        kind = {"x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream"}
        return self.request(
            "PUT", self.path(container, key), body, headers={**kind, **(headers or {})}
        )


@contextmanager
def azurite_server(certificate: Certificate | None = None) -> Iterator[AzureServer]:
    """An azurite of its own, in memory; with a certificate by TLS, and taking bearer tokens too."""
    script = ready(AZURITE) / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    command = [str(pick_node().node), str(script), *_options(certificate)]
    ca = certificate.ca if certificate is not None else None
    protocol = "http" if certificate is None else "https"

    def answers(port: int) -> bool:
        # Without a signature it is refused, which is an answer too.
        return exchange("GET", f"{protocol}://{LOCALHOST}:{port}/", ca=ca).status >= 400

    with serving("azurite", lambda port: [*command, "--blobPort", str(port)], answers) as port:
        yield AzureServer(f"{protocol}://{LOCALHOST}:{port}/{_ACCOUNT}", ca=ca)


def _options(certificate: Certificate | None) -> list[str]:
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    options += ["--blobHost", LOCALHOST]
    if certificate is not None:
        options += ["--oauth", "basic", "--cert", str(certificate.chain)]
        options += ["--key", str(certificate.key)]
    return options
