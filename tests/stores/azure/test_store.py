"""What is Azure's own: etags, directories, clocks, pages, and azure-storage-blob beside us."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.storage.blob.aio import ContainerClient

from aiolake.errors import (
    ClosedError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    ThrottledError,
    TransientStoreError,
)
from aiolake.options import Options
from aiolake.stores.azure import AzureStore
from aiolake.stores.base import CreateOutcome, ListPage, ObjectMeta, SupportsMatchedReads
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.testing import FakeClock
from tests.servers.azure import AzureServer
from tests.stores.azure.places import address, opened, signature, store_at
from tests.stores.azure.scripted import Reply, Seen, failure, refusal, scripted
from tests.stores.begun import begun


class TestMatchedReads:
    async def test_bytes_come_only_while_the_etag_is_the_same(self, azurite: AzureServer) -> None:
        async with store_at(azurite) as store:
            assert isinstance(store, SupportsMatchedReads)
            await store.put("a", [b"0123456789"])
            etag = (await store.head("a")).etag
            assert etag
            for start, stop in [(0, None), (3, 7), (0, 99), (4, 4), (10, 12), (50, None)]:
                got = await store.get_matching("a", start, stop, etag)
                assert got is not None
                assert bytes(got) == b"0123456789"[start:stop]
            await store.put("a", [b"0123456789"])
            assert (await store.head("a")).etag != etag
            for start, stop in [(0, None), (3, 7), (4, 4)]:
                assert await store.get_matching("a", start, stop, etag) is None


class TestBesideAzuresOwnPackage:
    async def test_what_one_writes_the_other_reads(self, azurite: AzureServer) -> None:
        container, key = azurite.new_container(), "a b/ä%20+/x"
        url = f"{azurite.url}/{container}"
        async with (
            store_at(azurite, container=container, prefix="p q") as store,
            ContainerClient.from_container_url(url, credential=azurite.key) as theirs,
        ):
            await store.put(key, [b"ours"])
            assert await (await theirs.download_blob(f"p q/{key}")).readall() == b"ours"
            await theirs.upload_blob("p q/t ü", b"theirs", metadata={"colour": "red"})
            assert bytes(await store.get("t ü")) == b"theirs"
            assert [meta.key for meta in (await store.list("")).objects] == [key, "t ü"]
            found = await theirs.get_blob_client("p q/t ü").get_blob_properties()
            assert (await store.head("t ü")).etag == found.etag

    async def test_directories_of_a_hierarchical_namespace_are_not_there(
        self, azurite: AzureServer
    ) -> None:
        # Azurite has no such accounts: this is what their directories look like to everybody.
        container = azurite.new_container()
        folder = {"x-ms-meta-hdi_isfolder": "true"}
        azurite.upload(container, "d", b"", headers=folder).expect(201)
        azurite.upload(container, "d/a", b"x").expect(201)
        async with store_at(azurite, container=container) as store:
            assert await store.list("") == ListPage((ObjectMeta("d/a", 1),), None)
            page = await store.list("", limit=1)
            assert page.objects == ()
            assert page.token is not None
            for call in (store.get("d"), store.get_range("d", 0, 1), store.head("d")):
                with pytest.raises(NotFoundError):
                    await call


class TestBodies:
    async def test_a_small_body_is_checked_on_its_way(self) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return Reply(201)

        async with scripted(answer) as store:
            await store.create("a", [b"one ", b"two"])
            await store.put("b", [bytes(2 << 20)])
        first, second = seen
        assert first.headers["content-md5"] == base64.b64encode(
            hashlib.md5(b"one two").digest()
        ).decode("ascii")
        assert first.headers["if-none-match"] == "*"
        assert (first.body, first.target) == (b"one two", "/flowers1/box/p/a")
        assert "content-md5" not in second.headers
        assert "if-none-match" not in second.headers
        assert {each.headers["x-ms-version"] for each in seen} == {"2021-12-02"}

    async def test_a_body_that_changed_on_its_way_may_be_sent_again(self) -> None:
        async with scripted(lambda _: refusal(400, "Md5Mismatch")) as store:
            assert isinstance(await failure(store.put("a", [b"x"])), TransientStoreError)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (Reply(201), CreateOutcome.CREATED),
            (refusal(409, "BlobAlreadyExists"), CreateOutcome.EXISTS),
            (refusal(412, "ConditionNotMet"), CreateOutcome.EXISTS),
            (refusal(412, "LeaseIdMissing"), CreateOutcome.EXISTS),
        ],
    )
    async def test_of_a_create(self, reply: Reply, outcome: CreateOutcome) -> None:
        async with scripted(lambda _: reply) as store:
            assert await store.create("a", [b"x"]) is outcome

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (refusal(409, "ContainerBeingDeleted"), TransientStoreError),
            (refusal(409, "Whatever"), TransientStoreError),
            (refusal(500, "OperationTimedOut"), TransientStoreError),
            (refusal(503, "ServerBusy", retry_after="4"), ThrottledError),
            (Reply(502, b"<html>"), TransientStoreError),
            (refusal(404, "ContainerNotFound"), NotFoundError),
        ],
    )
    async def test_of_a_create_that_is_none(
        self, reply: Reply, kind: type[TransientStoreError]
    ) -> None:
        async with scripted(lambda _: reply) as store:
            assert type(await failure(store.create("a", [b"x"]))) is kind

    async def test_a_missing_blob_is_deleted_and_a_missing_container_is_not(self) -> None:
        async with scripted(lambda _: refusal(404, "BlobNotFound")) as store:
            await store.delete(["a", "b"])
        async with scripted(lambda _: refusal(404, "ContainerNotFound")) as store:
            assert isinstance(await failure(store.delete(["a", "b"])), NotFoundError)


class TestPages:
    async def test_an_empty_page_has_a_token_that_goes_on(self) -> None:
        def answer(request: Seen) -> Reply:
            rest = "marker=2%219%20a" in request.target
            blob = "<Blob><Name>p/x</Name><Properties><Content-Length>7</Content-Length>"
            blobs = f"<Blobs>{blob}</Properties></Blob></Blobs>" if rest else "<Blobs />"
            token = "<NextMarker />" if rest else "<NextMarker>2!9 a</NextMarker>"
            return Reply(200, f"<EnumerationResults>{blobs}{token}</EnumerationResults>".encode())

        async with scripted(answer) as store:
            page = await store.list("")
            assert page == ListPage((), "2!9 a")
            assert await store.list("", token=page.token) == ListPage((ObjectMeta("x", 7),), None)

    async def test_a_page_cut_short_may_be_asked_for_again(self) -> None:
        async with scripted(lambda _: Reply(200, b"<EnumerationResults><Blobs>")) as store:
            assert isinstance(await failure(store.list("")), TransientStoreError)


class TestClocks:
    async def test_a_key_signs_again_by_the_servers_clock(self) -> None:
        ahead = timedelta(hours=2)
        dates: list[datetime] = []

        def answer(request: Seen) -> Reply:
            now = datetime.now(UTC) + ahead
            dates.append(parsedate_to_datetime(request.headers["x-ms-date"]))
            date = {"date": format_datetime(now, usegmt=True)}
            if abs(now - dates[-1]) > timedelta(minutes=15):
                return refusal(403, "AuthenticationFailed", "Request date header too old", **date)
            return Reply(200, b"body", date)

        async with scripted(answer) as store:
            assert bytes(await store.get("a")) == b"body"
            assert bytes(await store.get("a")) == b"body"
        assert len(dates) == 3
        assert dates[1] - dates[0] > timedelta(hours=1)

    async def test_a_good_signature_serves_under_a_clock_that_is_hours_ahead(
        self, azurite: AzureServer
    ) -> None:
        container = azurite.new_container()
        good = signature(azurite, container, life=timedelta(hours=1))
        async with store_at_another_time(azurite, container, good, timedelta(hours=3)) as store:
            await store.put("a", [b"0123456789"])
            assert bytes(await store.get_range("a", 2, 5)) == b"234"
            assert await begun(store, "a", 2, 5) == b"234"
            state = store.lease.state()
            assert state.expires_at is not None
            assert state.expires_at > store.lease.now()  # by the server's clock

    @pytest.mark.parametrize(
        ("ahead", "words"),
        [(timedelta(hours=3), "180 min ahead of"), (timedelta(hours=-3), "180 min behind")],
    )
    async def test_a_signature_that_ended_is_refused_by_the_server(
        self, azurite: AzureServer, ahead: timedelta, words: str
    ) -> None:
        container = azurite.new_container()
        over = signature(azurite, container, life=timedelta(hours=-1))
        ends = parse_qs(over)["se"][0].replace("T", " ")
        async with store_at_another_time(azurite, container, over, ahead) as store:
            for call in (store.get("a"), store.head("a"), store.list("")):
                error = await failure(call)
                assert isinstance(error, CredentialExpiredError)
                assert f"sas_token in creds= expired at {ends}" in str(error)
                assert words in str(error)
                assert "sig=" not in str(error)

    async def test_a_key_that_is_wrong_is_not_tried_twice(self) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return refusal(403, "AuthenticationFailed", "The MAC signature found ...")

        async with scripted(answer) as store:
            error = await failure(store.get("a"))
        assert len(seen) == 1
        assert "keys list" in str(error)


class TestRanges:
    async def test_an_empty_range_costs_one_head_and_knows_what_is_missing(
        self, azurite: AzureServer
    ) -> None:
        async with store_at(azurite) as store:
            with pytest.raises(NotFoundError):
                await store.get_range("missing", 3, 3)

    async def test_an_answer_of_another_range_is_none(self) -> None:
        wrong = Reply(206, b"abc", {"content-range": "bytes 0-2/10"})
        async with scripted(lambda _: wrong) as store:
            assert isinstance(await failure(store.get_range("a", 4, 7)), TransientStoreError)
            assert await begun(store, "a", 4, 7) is None
            assert await begun(store, "a", 0, 3) == b"abc"

    async def test_a_cache_without_ranges_gives_all(self) -> None:
        async with scripted(lambda _: Reply(200, b"0123456789")) as store:
            assert bytes(await store.get_range("a", 4, 7)) == b"456"


class TestKeys:
    async def test_backslashes_would_become_slashes(self, azurite: AzureServer) -> None:
        async with store_at(azurite) as store:
            for call in (store.put("a\\b", [b"x"]), store.get("a\\b"), store.delete(["a\\b"])):
                with pytest.raises(InvalidInputError, match="turns"):
                    await call


class TestStores:
    async def test_of_one_credential_share_its_lease(self, azurite: AzureServer) -> None:
        async with Network(Options()) as network:
            stores = [_open(network, azurite, f"p{n}") for n in range(3)]
            assert len({id(store.lease) for store in stores}) == 1
            state = stores[0].lease.state()
            assert state.source == "account_key in creds="

    async def test_a_closed_one_refuses_and_the_others_go_on(self, azurite: AzureServer) -> None:
        async with Network(Options()) as network:
            container = azurite.new_container()
            one, other = (_open(network, azurite, f"p{n}", container) for n in range(2))
            await one.aclose()
            for call in (one.get("a"), one.list(""), one.delete(["a"]), one.put("a", [])):
                with pytest.raises(ClosedError):
                    await call
            await other.put("a", [b"x"])

    async def test_a_signature_that_ends_is_told_so(self, azurite: AzureServer) -> None:
        container = azurite.new_container()
        over = signature(azurite, container, life=timedelta(seconds=-5))
        async with store_at(azurite, container=container, sas_token=over) as store:
            error = await failure(store.get("a"))
        assert isinstance(error, CredentialExpiredError)
        assert "sas_token in creds=" in str(error)


@asynccontextmanager
async def store_at_another_time(
    server: AzureServer, container: str, sas_token: str, ahead: timedelta
) -> AsyncIterator[AzureStore]:
    clock = FakeClock(datetime.now(UTC) + ahead)
    async with Network(Options(), clock=clock) as network:
        yield opened(network, server, address(server, container), sas_token=sas_token)


def _open(network: Network, server: AzureServer, prefix: str, container: str = "any") -> AzureStore:
    url = address(server, container, prefix)
    creds: dict[str, Any] = {"account_key": server.key, "endpoint_url": server.url}
    store = open_store(url, creds=creds, network=network)
    assert isinstance(store, AzureStore)
    return store
