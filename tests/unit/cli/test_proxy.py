"""What doctor says of proxies."""

from __future__ import annotations

import pytest

from aiolake.cli.doctor.findings import Verdict
from aiolake.cli.doctor.proxy import proxy_finding, read_proxy, tunnel_finding, usable
from aiolake.stores.transport.values import Origin

ORIGIN = Origin("https", "store.example", 443)


def test_a_proxy_is_shown_without_its_user() -> None:
    proxy = read_proxy("http://me:s%40cret@proxy.example:3128", ORIGIN)
    assert (proxy.url, proxy.variable) == ("http://proxy.example:3128", "https_proxy")
    assert proxy.authorization == "Basic bWU6c0BjcmV0"
    found = proxy_finding(proxy, ORIGIN)
    assert found.verdict is Verdict.NOTE
    assert "cret" not in f"{found} {proxy}"
    assert proxy.authorization not in f"{found} {proxy}"
    assert usable(proxy) is proxy


def test_a_proxy_has_a_port() -> None:
    assert read_proxy("http://proxy.example", ORIGIN).url == "http://proxy.example:80"
    assert read_proxy("http://[::1]:3128/", ORIGIN).url == "http://[::1]:3128"


@pytest.mark.parametrize("text", ["", "proxy:3128", "socks5://proxy:1", "http://", "http://p:x"])
def test_what_is_no_proxy_fails(text: str) -> None:
    found = proxy_finding(read_proxy(text, ORIGIN), ORIGIN)
    assert found.verdict is Verdict.FAILED
    assert "no_proxy=store.example" in found.advice


def test_a_proxy_by_tls_is_passed_over() -> None:
    proxy = read_proxy("https://proxy.example", ORIGIN)
    assert proxy_finding(proxy, ORIGIN).verdict is Verdict.NOTE
    assert usable(proxy) is None


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ("HTTP/1.1 200 Connection established", None),
        ("HTTP/1.0 407 Proxy Authentication Required", "user and password"),
        ("HTTP/1.1 403 Forbidden", "have the proxy allow it"),
        ("HTTP/1.1", "have the proxy allow it"),
        ("SSH-2.0-OpenSSH 200", "have the proxy allow it"),
        ("", "have the proxy allow it"),
    ],
)
def test_an_answer_to_connect(answer: str, advice: str | None) -> None:
    proxy = read_proxy("http://me:secret@proxy.example:3128", ORIGIN)
    found = tunnel_finding(proxy, ORIGIN, answer)
    if advice is None:
        assert found is None
    else:
        assert found is not None
        assert found.verdict is Verdict.FAILED
        assert advice in found.advice


def test_a_proxy_may_know_a_user_that_its_url_does_not_name() -> None:
    proxy = read_proxy("http://proxy.example:3128", ORIGIN)
    found = tunnel_finding(proxy, ORIGIN, "HTTP/1.1 407 Proxy Authentication Required")
    assert found is not None
    assert found.verdict is Verdict.NOTE
