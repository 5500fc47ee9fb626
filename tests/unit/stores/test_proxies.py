"""Which proxy the environment names for a server."""

from __future__ import annotations

import pytest

from aiolake.stores.transport.proxies import proxy_of
from aiolake.stores.transport.values import Origin

PLAIN = Origin("http", "store.example", 80)
SECURE = Origin("https", "store.example", 443)


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")


def test_a_proxy_is_of_a_scheme() -> None:
    assert proxy_of(SECURE) == "http://proxy.example:3128"
    assert proxy_of(PLAIN) is None


def test_no_proxy_excepts_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "other.example,.example")
    assert proxy_of(SECURE) is None


def test_what_must_be_public_is_asked_directly() -> None:
    assert proxy_of(Origin("https", "store.example", 443, public_only=True)) is None
