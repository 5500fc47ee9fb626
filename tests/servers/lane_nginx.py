"""The server that measurements are made against does what they take for granted.

Not collected with the tests, since it needs Debian's packages: name this file to run it.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from tests.servers.http import exchange
from tests.servers.nginx import LATE_S, NginxServer

NAME = "/bucket/a%20b/%C3%A4%2B%25"


@pytest.fixture
def addresses(nginx: NginxServer) -> list[tuple[str, Path | None]]:
    path = nginx.root / "bucket" / "a b" / "ä+%"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0123456789")
    return [
        (nginx.url, None),
        (nginx.late_url, None),
        (nginx.tls_url, nginx.ca),
        (nginx.late_tls_url, nginx.ca),
    ]


def test_each_address_gives_files_and_ranges(addresses: list[tuple[str, Path | None]]) -> None:
    for url, ca in addresses:
        assert exchange("GET", url + NAME, ca=ca).expect(200).body == b"0123456789"
        part = exchange("GET", f"{url}{NAME}?x=1", headers={"range": "bytes=2-4"}, ca=ca)
        assert part.expect(206).body == b"234"
        assert part.headers["content-range"] == "bytes 2-4/10"
        assert exchange("HEAD", url + NAME, ca=ca).expect(200).headers["content-length"] == "10"
        exchange("GET", url + NAME, headers={"range": "bytes=20-30"}, ca=ca).expect(416)
        exchange("GET", f"{url}/bucket/missing", ca=ca).expect(404)


def test_the_late_addresses_are_late_and_the_others_are_not(
    addresses: list[tuple[str, Path | None]],
) -> None:
    for at, (url, ca) in enumerate(addresses):
        took = []
        for _ in range(9):
            began = monotonic()
            exchange("GET", url + NAME, ca=ca).expect(200)
            took.append(monotonic() - began)
        assert (sorted(took)[4] >= LATE_S) is (at % 2 == 1)
