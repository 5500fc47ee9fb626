"""What a store must do, as far as it reads, against a server that serves files."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aiolake.credentials.http_creds import Linked
from aiolake.errors import (
    ClosedError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores import http
from aiolake.stores.base import Listing, ObjectMeta
from tests.servers.certificates import make_certificate
from tests.stores.begun import begun
from tests.stores.http.server import Site, opened, served, without_ranges

KEYS = [
    "a b/c d",
    "a%20b",
    "percent%",
    "plus+and&and=and?and#",
    "quote'\"<>`{}|^~[]",
    "umlaut/ä/é/日本語/🙂",
    "x" * 200,
]
DATA = bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("prefix", ["", "/data/v1", "/my data/ä", "/my%20data/%C3%A4", "/50%"])
async def test_objects_are_read_under_any_prefix(site: Site, prefix: str) -> None:
    place = {"/my%20data/%C3%A4": "/my data/ä"}.get(prefix, prefix)
    site.put(f"{place}/log/1".lstrip("/"), DATA)
    async with served(site), opened(site.url + prefix) as store:
        assert bytes(await store.get("log/1")) == DATA
        assert bytes(await store.get_range("log/1", 5, 9)) == DATA[5:9]
        assert (await store.head("log/1")) == ObjectMeta("log/1", len(DATA))


@pytest.mark.parametrize("key", KEYS)
async def test_keys_mean_what_they_say(site: Site, key: str) -> None:
    site.put(key, b"this one")
    async with served(site), opened(site.url) as store:
        assert bytes(await store.get(key)) == b"this one"
        assert bytes(await store.get_range(key, 0, 4)) == b"this"
        assert (await store.head(key)).size == 8
        with pytest.raises(NotFoundError):
            await store.get(key[:-1] + "z")


@pytest.mark.parametrize("handler", [None, without_ranges])
async def test_ranges_are_half_open_and_cut_at_the_end(site: Site, handler: Any) -> None:
    site.handler = handler or site.handler
    site.put("a", b"0123456789")
    site.put("empty", b"")
    async with served(site), opened(site.url) as store:
        cases = [(0, 10), (0, 1), (9, 10), (3, 7), (4, 4), (0, 0), (8, 99), (10, 20), (50, 60)]
        for start, stop in cases:
            assert bytes(await store.get_range("a", start, stop)) == b"0123456789"[start:stop]
        assert bytes(await store.get_range("empty", 0, 5)) == b""
        assert bytes(await store.get("empty")) == b""
        assert (await store.head("empty")).size == 0
        for start, stop in [(-1, 5), (5, 4), (99, 98)]:
            with pytest.raises(InvalidInputError):
                await store.get_range("a", start, stop)
        for key in ("", "/a", "a/", "a//b", "../a", "a/./b", "a\x00b"):
            with pytest.raises(InvalidInputError):
                await store.get(key)


async def test_what_is_missing_is_not_found(site: Site) -> None:
    site.put("dir/a", b"x")
    async with served(site), opened(site.url) as store:
        for key in ("b", "dir", "dir/b", "dir/a/below"):
            for read in (store.get(key), store.get_range(key, 0, 1), store.head(key)):
                with pytest.raises(NotFoundError) as caught:
                    await read
                assert caught.value.key == key


async def test_nothing_is_written_or_listed(site: Site) -> None:
    async with served(site), opened(site.url) as store:
        assert store.listing is Listing.NONE
        with pytest.raises(ReadOnlyError, match="read-only; write by"):
            await store.put("a", [b"x"])
        with pytest.raises(ReadOnlyError):
            await store.create("a", [b"x"])
        with pytest.raises(ReadOnlyError):
            await store.delete(["a"])
        await store.delete([])
        with pytest.raises(PermissionDeniedError, match="cannot be listed"):
            await store.list("")
        assert site.asked == []


async def test_a_closed_store_says_so(site: Site) -> None:
    async with served(site), opened(site.url) as store:
        await store.aclose()
        with pytest.raises(ClosedError):
            await store.get("a")


async def test_a_part_is_one_request_once_ranges_are_known(site: Site) -> None:
    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        await store.get("a")
        for i in range(5):
            await store.get_range("a", i, i + 10)
    assert site.methods == ["GET"] * 6


async def test_before_that_one_request_more(site: Site) -> None:
    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        for i in range(5):
            await store.get_range("a", i, i + 10)
    assert site.methods == ["HEAD"] + ["GET"] * 5


async def test_a_large_object_of_a_server_without_ranges_is_not_downloaded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WHOLE_NBYTES", 1000)
    site.handler = without_ranges
    site.put("small", DATA[:1000])
    site.put("large", DATA)
    async with served(site), opened(site.url) as store:
        assert bytes(await store.get_range("small", 3, 9)) == DATA[3:9]
        with pytest.raises(StoreError, match="does not say that it knows ranges"):
            await store.get_range("large", 0, 1)
        assert bytes(await store.get("large")) == DATA  # all of it is what is wanted
    assert ("GET", "/large", "bytes=0-0") not in site.asked


async def test_a_server_that_refuses_head_is_asked_otherwise(site: Site) -> None:
    site.refuses_head = True
    site.put("a", DATA)
    site.put("empty", b"")
    async with served(site), opened(site.url) as store:
        assert (await store.head("a")).size == len(DATA)
        assert (await store.head("empty")).size == 0
        assert bytes(await store.get_range("a", 3, 9)) == DATA[3:9]


async def test_reads_while_an_etag_holds(site: Site) -> None:
    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        etag = (await store.head("a")).etag
        assert etag
        assert bytes(await store.get_matching("a", 5, 9, etag) or b"?") == DATA[5:9]
        assert bytes(await store.get_matching("a", 5, None, etag) or b"?") == DATA[5:]
        assert await store.get_matching("a", 4, 4, etag) == b""
        for other in ("other", 'x"y', 'W/"x"'):
            assert await store.get_matching("a", 5, 9, other) is None
            assert await store.get_matching("a", 4, 4, other) is None


async def test_a_server_that_knows_no_conditions_is_found_out(site: Site) -> None:
    site.handler = without_ranges
    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        assert await store.get_matching("a", 5, 9, "other") is None


async def test_tokens_users_and_headers_are_sent(site: Site) -> None:
    site.put("a", b"x")
    async with served(site):
        site.token = "t0ken"
        async with opened(site.url, {"token": "t0ken"}) as store:
            assert bytes(await store.get("a")) == b"x"
            assert store.lease is not None
        async with opened(site.url, lambda: {"token": "t0ken"}) as store:
            assert bytes(await store.get("a")) == b"x"
        site.token, site.basic = None, ("ann", "pä:ss")
        async with opened(site.url, {"username": "ann", "password": "pä:ss"}) as store:
            assert bytes(await store.get("a")) == b"x"
            assert store.lease is None
        site.basic = None
        async with opened(site.url, {"headers": {"X-Team": "blue"}}) as store:
            await store.get("a")
        assert site.headers[-1]["X-Team"] == "blue"


async def test_an_expired_token_is_replaced_by_a_new_one(site: Site) -> None:
    site.put("a", b"x")
    site.token = "second"
    tokens = iter(["first", "second"])
    async with served(site), opened(site.url, lambda: {"token": next(tokens)}) as store:
        assert bytes(await store.get("a")) == b"x"
    assert site.methods == ["GET", "GET"]


async def test_a_given_token_that_seems_over_is_sent_and_the_server_decides(site: Site) -> None:
    site.put("a", b"x")
    site.token = "t0ken"
    creds = {"token": "t0ken", "expires_at": datetime.now(UTC) - timedelta(hours=2)}
    async with served(site), opened(site.url, creds) as store:
        assert bytes(await store.get("a")) == b"x"
        site.token = "another"
        with pytest.raises(CredentialExpiredError, match=r"'token' in creds= expired at \d{4}-"):
            await store.get("a")


async def test_a_query_is_sent_and_never_shown(site: Site) -> None:
    site.put("d/a", DATA)
    site.query = {"sig": "s3cr/t+=", "b": "1"}
    query = "sig=s3cr%2Ft%2B%3D&b=1"
    async with served(site):
        for url, creds in [(f"{site.url}/d?{query}", None), (f"{site.url}/d", {"query": query})]:
            async with opened(url, creds) as store:
                assert bytes(await store.get("a")) == DATA
                assert store.url == f"{site.url}/d"
                with pytest.raises(NotFoundError) as caught:
                    await store.get("b")
                assert "s3cr" not in str(caught.value) + repr(caught.value)
                assert "s3cr" not in repr(caught.value.context)


async def test_refusals_say_what_to_try(site: Site) -> None:
    site.put("a", b"x")
    site.token = "t"
    async with served(site):
        async with opened(site.url) as store:
            with pytest.raises(UnauthenticatedError, match=r"give creds=\{'token'"):
                await store.get("a")
        async with opened(site.url, {"token": "wr0ng"}) as store:
            with pytest.raises(UnauthenticatedError) as caught:
                await store.get("a")
            assert "wr0ng" not in str(caught.value)
        site.token = None
        async with opened(site.url) as store:
            for status, kind in [(403, PermissionDeniedError), (410, NotFoundError)]:
                site.statuses = [status]
                with pytest.raises(kind):
                    await store.get("a")
            for status in (500, 502, 503):
                site.statuses = [status]
                with pytest.raises(TransientStoreError):
                    await store.get("a")


async def test_an_answer_of_another_range_is_refused(site: Site) -> None:
    async def wrong(request: web.Request, path: Path) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response()
        headers = {"Content-Range": "bytes 1-4/100", "Accept-Ranges": "bytes"}
        return web.Response(status=206, body=b"1234", headers=headers)

    site.handler = wrong
    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        with pytest.raises(TransientStoreError, match="were asked for"):
            await store.get_range("a", 0, 4)


async def test_reads_are_begun_once_the_server_has_sent_a_part(site: Site) -> None:
    site.put("a b/ä", DATA)
    async with served(site), opened(site.url, {"headers": {"X-Team": "blue"}}) as store:
        await store.get("a b/ä")  # it says that it knows ranges, and has sent none
        assert await begun(store, "a b/ä", 0, 4) == "not begun"
        await store.get_range("a b/ä", 0, 4)
        for start, stop in [(0, 1), (7, 4000), (len(DATA) - 1, len(DATA))]:
            assert await begun(store, "a b/ä", start, stop) == DATA[start:stop]
        assert site.headers[-1]["X-Team"] == "blue"
        for key, start, stop in [("a b/ä", 100, 99_999), ("a b/ä", 99_998, 99_999), ("b", 0, 1)]:
            assert await begun(store, key, start, stop) is None
        with pytest.raises(InvalidInputError, match="start < stop"):
            await begun(store, "a b/ä", 7, 7)
        with pytest.raises(InvalidInputError):
            await begun(store, "../a", 0, 1)
        ranges = [("a b/ä", 0, 4000), ("a b/ä", 7, 9)]
        sent = store.begin_ranges(ranges, lambda *_: pytest.fail("it was given up"))
        assert sent is not None
        assert sent.n == 1  # there is one connection
        sent.give_up()
        assert bytes(await store.get_range("a b/ä", 0, 4)) == DATA[:4]
        await store.aclose()
        assert await begun(store, "a b/ä", 0, 4) == "not begun"


async def test_a_begun_read_takes_no_answer_of_another_range(site: Site) -> None:
    async def wrong(request: web.Request, path: Path) -> web.StreamResponse:
        headers = {"Content-Range": "bytes 1-4/100"}
        return web.Response(status=206, body=b"1234", headers=headers)

    async def odd(request: web.Request, path: Path) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 0-{'3' * 5000}/100"}
        return web.Response(status=206, body=b"1234", headers=headers)

    site.put("a", DATA)
    async with served(site), opened(site.url) as store:
        await store.get_range("a", 0, 4)
        site.handler = wrong
        assert await begun(store, "a", 0, 4) is None
        assert await begun(store, "a", 1, 5) == b"1234"
        site.handler = odd
        async with asyncio.timeout(5):
            assert await begun(store, "a", 0, 4) is None
        with pytest.raises(TransientStoreError):
            await store.get_range("a", 0, 4)
        site.handler = without_ranges
        assert await begun(store, "a", 0, 4) is None
        assert await begun(store, "a", 0, 4) == "not begun"  # of whole objects one was enough


async def test_no_read_is_begun_where_the_server_sends_on(site: Site) -> None:
    site.put("new/a", DATA)
    site.put("here", DATA)
    site.moved = {"/old/a": (302, "/new/a")}
    async with served(site):
        for first in ("get_range", "begin_ranges"):
            async with opened(site.url) as store:
                await store.get_range("here", 0, 4)
                assert await begun(store, "here", 0, 4) == DATA[:4]
                if first == "get_range":
                    assert bytes(await store.get_range("old/a", 0, 4)) == DATA[:4]
                else:
                    assert await begun(store, "old/a", 0, 4) is None
                assert await begun(store, "here", 0, 4) == "not begun"


async def test_begun_reads_show_the_token(site: Site) -> None:
    site.put("a", DATA)
    site.token = "second"
    tokens = iter(["first", "second", "third"])
    async with served(site), opened(site.url, lambda: {"token": next(tokens)}) as store:
        assert bytes(await store.get_range("a", 0, 4)) == DATA[:4]
        assert await begun(store, "a", 3, 9) == DATA[3:9]
        site.token = "third"
        assert await begun(store, "a", 3, 9) is None
        assert bytes(await store.get_range("a", 3, 9)) == DATA[3:9]
        assert await begun(store, "a", 3, 9) == DATA[3:9]


async def test_begun_reads_of_links_take_the_text_of_their_urls(site: Site) -> None:
    site.put("a b/cät.jpg", DATA)
    site.query = {"sig": "x/y//z"}
    key = "a%20b/c%C3%A4t.jpg?sig=x/y//z"
    async with served(site), opened(site.url, Linked("anonymous")) as store:
        await store.get_range(key, 0, 4)
        for text in (key, "a b/cät.jpg?sig=x%2Fy%2F%2Fz#part"):
            assert await begun(store, text, 3, 9) == DATA[3:9]
        assert await begun(store, "a%20b/c%C3%A4t.jpg?sig=other", 3, 9) is None
        with pytest.raises(InvalidInputError, match="names no object"):
            await begun(store, "", 0, 1)


async def test_redirects_on_the_same_server_are_followed(site: Site) -> None:
    site.put("new/a", DATA)
    site.moved = {
        "/old/a": (302, "/new/a?x=1"),
        "/older/a": (301, "../old/a"),
        "/circle": (307, "/circle"),
        "/nowhere": (302, ""),
    }
    async with served(site):
        async with opened(f"{site.url}/older") as store:
            assert bytes(await store.get("a")) == DATA
            assert bytes(await store.get_range("a", 3, 5)) == DATA[3:5]
        async with opened(site.url) as store:
            with pytest.raises(StoreError, match="in circles"):
                await store.get("circle")
            with pytest.raises(StoreError, match="without saying where"):
                await store.get("nowhere")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:1/a?sig=s3cret",
        "http://localhost/a?sig=s3cret",
        "file:///etc/passwd",
        "http://user:s3cret@127.0.0.1/a",
        "http://169.254.169.254/s3cret",
        "//other.example/s3cret",
        "gopher://x/s3cret",
    ],
)
async def test_redirects_elsewhere_are_not(site: Site, location: str) -> None:
    site.moved = {"/a": (302, location)}
    async with served(site), opened(site.url, {"token": "t0ken"}) as store:
        with pytest.raises(StoreError) as caught:
            await store.get("a")
        assert "s3cret" not in str(caught.value)
        assert "not followed" in str(caught.value)
    assert len(site.asked) == 1


async def test_a_certificate_is_checked_as_told(site: Site, tmp_path: Path) -> None:
    site.put("a", DATA)
    certificate = make_certificate(tmp_path)
    async with served(site, certificate):
        trusting: list[Any] = [
            {"ca_bundle": str(certificate.ca)},
            {"verify": str(certificate.ca)},
            {"verify": False},
        ]
        for creds in trusting:
            async with opened(site.url, creds) as store:
                assert bytes(await store.get_range("a", 3, 9)) == DATA[3:9]
        async with opened(site.url) as store:
            with pytest.raises(StoreError, match="is not trusted"):
                await store.get("a")
        plain, site.asked = site.url.replace("https:", "http:"), []
        async with opened(plain) as store:
            with pytest.raises(StoreError):
                await store.get("a")
        assert site.asked == []


async def test_a_host_that_has_moved_to_tls_is_followed_there(site: Site, tmp_path: Path) -> None:
    secure = Site(tmp_path / "secure")
    secure.put("a", DATA)
    certificate = make_certificate(tmp_path)
    async with served(secure, certificate), served(site):
        site.moved = {"/a": (301, f"{secure.url}/a")}
        async with opened(site.url, {"token": "t", "ca_bundle": str(certificate.ca)}) as store:
            secure.token = "t"
            for _ in range(3):
                assert bytes(await store.get("a")) == DATA
    assert len(site.asked) == 1
    assert len(secure.asked) == 3


async def test_links_are_the_text_of_their_urls(site: Site) -> None:
    site.put("a b/cät.jpg", DATA)
    site.query = {"sig": "x/y//z"}
    async with served(site), opened(site.url, Linked("anonymous")) as store:
        for key in ("a%20b/c%C3%A4t.jpg?sig=x/y//z", "a b/cät.jpg?sig=x%2Fy%2F%2Fz#part"):
            assert bytes(await store.get(key)) == DATA
        with pytest.raises(PermissionDeniedError) as caught:
            await store.get("a%20b/c%C3%A4t.jpg?sig=s3cret")
        assert "s3cret" not in f"{caught.value} {caught.value.context}"


async def test_a_host_that_a_dataset_names_must_be_public(site: Site) -> None:
    site.put("a", DATA)
    async with served(site), opened(site.url, Linked(None, public_only=True)) as store:
        with pytest.raises(PermissionDeniedError, match="private address"):
            await store.get("a")
    assert site.asked == []
