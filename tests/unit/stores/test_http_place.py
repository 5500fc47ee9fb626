"""Addresses of objects on static servers, and where redirects may lead."""

from __future__ import annotations

import pytest

from aiolake.errors import StoreError
from aiolake.stores._http.place import place_of, redirected, shown
from aiolake.stores.transport.values import Origin, Tls

PLAIN = Origin("http", "h.example", 80)
SECURE = Origin("https", "h.example", 443)


@pytest.mark.parametrize(
    ("path", "key", "target"),
    [
        ("h.example", "log/1", "/log/1"),
        ("h.example:8080/a/b", "log/1", "/a/b/log/1"),
        ("h.example/a b", "c d", "/a%20b/c%20d"),
        ("h.example/a%20b", "c%20d", "/a%20b/c%2520d"),
        ("h.example/50%", "a?b#c", "/50%25/a%3Fb%23c"),
        ("h.example/ä", "ö", "/%C3%A4/%C3%B6"),
    ],
)
def test_prefixes_are_text_of_urls_and_keys_are_names(path: str, key: str, target: str) -> None:
    place = place_of("https", path, "", Tls(), public_only=False)
    assert place.target(key) == target
    assert place_of("https", path, "s=a/b%2F+=", Tls(), public_only=False).target(key) == (
        f"{target}?s=a/b%2F+="
    )


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a%20b/c d.jpg", "/p/a%20b/c%20d.jpg"),
        ("a.jpg?x=1&y=%2F/#frag", "/p/a.jpg?x=1&y=%2F/"),
        ("100%.jpg", "/p/100%25.jpg"),
    ],
)
def test_links_are_text_of_urls(key: str, target: str) -> None:
    assert place_of("http", "h/p", "", Tls(), public_only=False).linked(key) == target
    assert "?" not in shown(key)


@pytest.mark.parametrize(
    ("origin", "location", "there", "target"),
    [
        (PLAIN, "/b?x=1", PLAIN, "/b?x=1"),
        (PLAIN, "b", PLAIN, "/d/b"),
        (PLAIN, "http://h.example:80/b", PLAIN, "/b"),
        (PLAIN, "https://h.example/b", SECURE, "/b"),
        (PLAIN, "https://H.example", SECURE, "/"),
        (SECURE, "//h.example/b", SECURE, "/b"),
    ],
)
def test_redirects_that_stay(origin: Origin, location: str, there: Origin, target: str) -> None:
    assert redirected(origin, "/d/a?s=1", location, "u") == (there, target)


@pytest.mark.parametrize(
    ("origin", "location"),
    [
        (SECURE, "http://h.example/s3cret"),
        (SECURE, "https://h.example:8443/s3cret"),
        (PLAIN, "http://h.example:8080/s3cret"),
        (PLAIN, "https://www.h.example/s3cret"),
        (PLAIN, "https://h.example@evil.example/s3cret"),
        (PLAIN, "http://127.0.0.1/s3cret"),
        (PLAIN, "file:///s3cret"),
        (PLAIN, "javascript:s3cret"),
        (PLAIN, "http://h.example:x/s3cret"),
    ],
)
def test_redirects_that_leave(origin: Origin, location: str) -> None:
    with pytest.raises(StoreError) as caught:
        redirected(origin, "/d/a?s=1", location, "u")
    assert "s3cret" not in str(caught.value)


def test_what_must_be_public_stays_so() -> None:
    place = place_of("http", "h.example/p", "", Tls(), public_only=True)
    there, _ = redirected(place.origin, "/p/a", "https://h.example/p/a", "u")
    assert there.public_only
