"""The server that plays Azure does what the tests of our store take for granted."""

from __future__ import annotations

from dataclasses import replace

from tests.servers.azure import AzureServer
from tests.servers.race import race

ONLY_IF_MISSING = {"if-none-match": "*"}


def test_azurite_keeps_bytes_and_gives_ranges(azurite: AzureServer) -> None:
    keeps_bytes(azurite)


def test_azurite_with_tls_keeps_bytes_and_gives_ranges(azurite_oauth: AzureServer) -> None:
    keeps_bytes(azurite_oauth)


def test_azurite_lets_one_of_twenty_create(azurite: AzureServer) -> None:
    container = azurite.new_container()
    statuses, won = race(
        lambda body: azurite.upload(container, "log/1", body, headers=ONLY_IF_MISSING)
    )
    assert statuses == {201: 1, 409: 19}
    assert azurite.request("GET", azurite.path(container, "log/1")).body == won


def test_azurite_refuses_a_wrong_key(azurite: AzureServer) -> None:
    container = azurite.new_container()
    wrong = replace(azurite, key="d3Jvbmc=")
    wrong.upload(container, "a", b"x").expect(403)


def keeps_bytes(server: AzureServer) -> None:
    container = server.new_container()
    path = server.path(container, "a b/ä+%")
    server.upload(container, "a b/ä+%", b"0123456789").expect(201)
    assert server.request("GET", path).expect(200).body == b"0123456789"
    part = server.request("GET", path, headers={"range": "bytes=2-4"}).expect(206)
    assert part.body == b"234"
    listed = server.request("GET", f"/{container}?restype=container&comp=list").expect(200)
    assert "<Name>a b/ä+%</Name>" in listed.body.decode()
    server.request("GET", server.path(container, "missing")).expect(404)
