"""``doctor`` on the way to a server: names, ports, certificates and proxies that are wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

import aiolake
from aiolake import Bytes, Tensor
from aiolake.cli.common import Common
from aiolake.cli.doctor.command import doctor
from aiolake.cli.exits import Exit
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.processes import free_port
from tests.stores.http.server import Site, served

N_ROWS = 120
LONG = 4_000


@dataclass
class Examined:
    """What ``doctor`` said: verdicts, details and advice by check."""

    code: Exit
    verdicts: dict[str, str]
    details: dict[str, str]
    advice: dict[str, str]


class Examining:
    """Runs ``doctor`` on this test's loop."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    async def __call__(
        self, url: str, *, creds: str | None = None, read_only: bool = False
    ) -> Examined:
        """Examine an address."""
        self._capture.readouterr()
        code = await doctor(url, read_only=read_only, common=Common(json=True, creds=creds))
        found = json.loads(self._capture.readouterr().out)["findings"]
        verdicts, details, advice = (
            {each["check"]: each[name] for each in found}
            for name in ("verdict", "detail", "advice")
        )
        return Examined(code, verdicts, details, advice)


@pytest.fixture
def examine(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Examining:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return Examining(capfdbinary)


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    """A dataset of half a MB, to be served."""
    root = tmp_path / "root"
    async with (
        aiolake.create_dataset(root / "set", {"x": Tensor("int64"), "b": Bytes()}) as ds,
        ds.transaction() as tx,
    ):
        rows = list(range(N_ROWS))
        await tx.append(columns={"x": rows, "b": [bytes([i]) * LONG for i in rows]})
    return Site(root)


async def test_a_plain_server_is_examined_by_reading_its_dataset(
    examine: Examining, site: Site
) -> None:
    before = sorted(site.root.rglob("*"))
    async with served(site):
        found = await examine(f"{site.url}/set")
    assert found.code is Exit.OK
    assert found.verdicts["tcp"] == found.verdicts["reach"] == "ok"
    assert found.verdicts["latency"] == found.verdicts["bandwidth"] == "ok"
    assert not {"dns", "tls", "proxy"} & set(found.verdicts)  # numbers, and this machine
    assert found.verdicts["create"] == "note"
    assert "of 30" in found.details["latency"]
    assert "of 1 chunk of column 'b', one request" in found.details["bandwidth"]
    (chunk,) = (path.name for path in (site.root / "set" / "chunks").rglob("*") if path.is_file())
    small = [part for _, path, part in site.asked if chunk in path and part is not None]
    assert chunk in found.details["latency"]
    assert len(set(small)) >= 30
    assert sorted(site.root.rglob("*")) == before


async def test_where_nothing_is_there_speed_is_skipped(examine: Examining, tmp_path: Path) -> None:
    async with served(Site(tmp_path)) as site:
        found = await examine(f"{site.url}/nothing")
    assert found.verdicts["latency"] == found.verdicts["bandwidth"] == "skipped"
    assert "nothing to read" in found.details["latency"]
    assert found.verdicts["dataset"] == "note"


async def test_without_chunks_the_newest_log_entry_is_read(
    examine: Examining, tmp_path: Path
) -> None:
    async with aiolake.create_dataset(tmp_path / "set", {"x": Tensor("int64")}):
        pass
    found = await examine(str(tmp_path / "set"), read_only=True)
    assert "log/" in found.details["latency"]
    assert found.verdicts["bandwidth"] == "skipped"
    assert "the newest log entry: too little" in found.details["bandwidth"]


async def test_a_name_is_looked_up(examine: Examining, site: Site) -> None:
    async with served(site):
        found = await examine(f"{site.url}/set".replace("127.0.0.1", "localhost"))
    assert found.code is Exit.OK
    assert found.verdicts["dns"] == found.verdicts["tcp"] == "ok"
    assert found.details["dns"].startswith("localhost is ")
    assert "connected to 127.0.0.1 port" in found.details["tcp"]


async def test_a_name_that_nobody_knows_ends_it(examine: Examining) -> None:
    found = await examine("http://no-such-host.invalid/set")
    assert found.code is Exit.FAILED
    assert list(found.verdicts) == ["address", "dns"]
    assert "no-such-host.invalid" in found.details["dns"]
    assert found.advice["dns"].startswith("check ")


async def test_a_port_that_refuses_ends_it(examine: Examining) -> None:
    port = free_port()
    found = await examine(f"http://127.0.0.1:{port}/set")
    assert found.code is Exit.FAILED
    assert list(found.verdicts) == ["address", "tcp"]
    assert f"port {port}: 127.0.0.1 refuses" in found.details["tcp"]
    assert "check the port" in found.advice["tcp"]


async def test_good_tls_says_how_long_it_is_good(
    examine: Examining, site: Site, certificate: Certificate
) -> None:
    async with served(site, certificate):
        found = await examine(f"{site.url}/set", creds=f"verify={certificate.ca}")
    assert found.code is Exit.OK
    assert found.verdicts["tls"] == found.verdicts["latency"] == "ok"
    assert found.details["tls"].startswith("TLSv1.3 in ")
    assert "more days" in found.details["tls"]


async def test_a_certificate_that_ends_soon_is_noted(
    examine: Examining, site: Site, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path, expires_in=timedelta(days=5, hours=1))
    async with served(site, certificate):
        found = await examine(f"{site.url}/set", creds=f"verify={certificate.ca}")
    assert (found.code, found.verdicts["tls"]) == (Exit.OK, "note")
    assert "good for 5 more days" in found.details["tls"]
    assert found.verdicts["dataset"] == "ok"


async def test_a_certificate_of_an_unknown_authority_ends_it(
    examine: Examining, site: Site, certificate: Certificate, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path)
    async with served(site, certificate):
        found = await examine(f"{site.url}/set")
        wrong = await examine(f"{site.url}/set", creds=f"verify={other.ca}")
    for each in (found, wrong):
        assert each.code is Exit.FAILED
        assert list(each.verdicts) == ["address", "tcp", "tls"]
        assert "is not trusted" in each.details["tls"]
    assert "verify=/path/ca.pem" in found.advice["tls"]
    assert str(other.ca) in wrong.advice["tls"]
    assert site.asked == []


async def test_expired_and_other_certificates_want_other_remedies(
    examine: Examining, site: Site, tmp_path: Path
) -> None:
    for names, expires_in, advice in (
        (("127.0.0.1",), timedelta(days=-1), "renew the server's certificate"),
        (("flowers.example",), None, "name the server as its certificate does"),
    ):
        where = tmp_path / names[0]
        where.mkdir()
        certificate = make_certificate(where, names=names, expires_in=expires_in)
        async with served(site, certificate):
            found = await examine(f"{site.url}/set", creds=f"verify={certificate.ca}")
        assert found.verdicts["tls"] == "failed"
        assert advice in found.advice["tls"]


async def test_a_certificate_that_is_not_checked_is_noted(
    examine: Examining, site: Site, certificate: Certificate
) -> None:
    async with served(site, certificate):
        found = await examine(f"{site.url}/set", creds="verify=false")
    assert (found.code, found.verdicts["tls"]) == (Exit.OK, "note")
    assert "not checked" in found.details["tls"]


async def test_a_file_of_certificates_that_is_missing_is_named(
    examine: Examining, site: Site, certificate: Certificate
) -> None:
    async with served(site, certificate):
        found = await examine(f"{site.url}/set", creds="verify=/no/such/ca.pem")
    assert found.verdicts["tls"] == "failed"
    assert "/no/such/ca.pem" in found.details["tls"]


async def test_tls_to_a_plain_port_ends_it(examine: Examining, site: Site) -> None:
    async with served(site):
        found = await examine(f"{site.url}/set".replace("http:", "https:"))
    assert found.code is Exit.FAILED
    assert list(found.verdicts) == ["address", "tcp", "tls"]
    assert "does not speak TLS" in found.details["tls"]
    assert f"name it as {site.url}" in found.advice["tls"]


@dataclass
class Tunnels:
    """A proxy that leads to any server, all by one port, or refuses to."""

    port: int
    refusal: str = ""
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {self.refusal or '200 OK'}\r\n\r\n".encode())
            if not self.refusal:
                there = await asyncio.open_connection("127.0.0.1", self.port)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(pump(reader, there[1]))
                    tasks.create_task(pump(there[0], writer))
        except asyncio.IncompleteReadError:
            pass  # it was only tried whether somebody is there
        finally:
            writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on all that comes."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxied(tunnels: Tunnels) -> AsyncIterator[str]:
    """Where the proxy is."""
    server = await asyncio.start_server(tunnels.serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_proxy_is_named_and_tried_instead_of_the_server(
    examine: Examining, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(site):  # it takes no notice of the host, so it can play a proxy
        monkeypatch.setenv("http_proxy", site.url)
        found = await examine("http://flowers.invalid/set")
    assert found.code is Exit.OK
    assert found.details["proxy"] == f"requests to flowers.invalid go by {site.url} of http_proxy"
    assert "dns" not in found.verdicts  # whom only the proxy knows
    assert found.details["tcp"].startswith("connected to 127.0.0.1")
    assert (found.verdicts["tls"], found.verdicts["dataset"]) == ("note", "ok")
    assert "not encrypted" in found.details["tls"]


async def test_tls_is_tried_through_a_proxy(
    examine: Examining, site: Site, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(site, certificate):
        tunnels = Tunnels(int(site.url.rpartition(":")[2]))
        async with proxied(tunnels) as proxy:
            monkeypatch.setenv("https_proxy", f"http://me:s%40cret@{proxy}")
            url = site.url.replace("127.0.0.1", "localhost")
            found = await examine(f"{url}/set", creds=f"verify={certificate.ca}")
            assert found.code is Exit.OK
            assert found.verdicts["tls"] == found.verdicts["dataset"] == "ok"
            assert f"go by http://{proxy} of https_proxy" in found.details["proxy"]
            assert "cret" not in str(found)
            authorizations = {
                line for head in tunnels.heads for line in head.split("\r\n") if "Basic" in line
            }
            assert authorizations == {"Proxy-Authorization: Basic bWU6c0BjcmV0"}
            tunnels.refusal = "407 Proxy Authentication Required"
            refused = await examine(f"{url}/set", creds=f"verify={certificate.ca}")
    assert refused.code is Exit.FAILED
    assert "407" in refused.details["proxy"]
    assert "user and password" in refused.advice["proxy"]
    assert "reach" not in refused.verdicts


async def test_a_proxy_that_is_not_there_ends_it(
    examine: Examining, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    async with served(site):
        found = await examine(f"{site.url}/set")
        assert list(found.verdicts) == ["address", "proxy", "tcp"]
        assert found.code is Exit.FAILED
        assert "http_proxy in the environment" in found.advice["tcp"]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        past = await examine(f"{site.url}/set")
    assert past.code is Exit.OK
    assert "proxy" not in past.verdicts


@pytest.mark.parametrize("text", ["127.0.0.1:3128", "socks5://127.0.0.1:1080", "http://:x"])
async def test_a_proxy_that_cannot_be_used_ends_it(
    examine: Examining, site: Site, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("http_proxy", text)
    async with served(site):
        found = await examine(f"{site.url}/set")
    assert list(found.verdicts) == ["address", "proxy"]
    assert "http://host:port" in found.advice["proxy"]


async def test_a_proxy_that_is_passed_over_is_said_to_be(
    examine: Examining, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "https://127.0.0.1:1")
    async with served(site):
        found = await examine(f"{site.url}/set")
    assert found.code is Exit.OK
    assert "is not used" in found.details["proxy"]
