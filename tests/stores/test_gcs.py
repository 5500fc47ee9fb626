"""Google Cloud Storage, by fake-gcs-server behind a gate that looks at every token."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aiolake import urls
from aiolake._aio import map_concurrently
from aiolake.credentials.values import BearerCredential
from aiolake.errors import (
    ClosedError,
    CredentialExpiredError,
    NotFoundError,
    StoreError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.options import Options
from aiolake.stores._gcs.uploads import VENDOR_NBYTES
from aiolake.stores.base import CreateOutcome, Store, SupportsMatchedReads
from aiolake.stores.factory import open_store
from aiolake.stores.gcs import GcsStore
from aiolake.stores.network import Network
from aiolake.testing import StoreContract
from tests.credentials.google.cloud import EMAIL, Cloud, running_cloud
from tests.scale import pick
from tests.servers.gcs import GcsServer
from tests.stores.begun import begun
from tests.stores.gcs import opened
from tests.transport.server import always, ok, serving


@pytest.fixture(scope="module")
def bucket(fake_gcs: GcsServer) -> str:
    return fake_gcs.new_bucket()


@pytest.fixture
def cloud(fake_gcs: GcsServer) -> Iterator[Cloud]:
    with running_cloud(fake_gcs.url) as cloud:
        yield cloud


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with Network(Options()) as network:
        yield network


@pytest.fixture
def store(cloud: Cloud, network: Network, bucket: str) -> GcsStore:
    return opened(cloud, network, bucket)


class TestGcs(StoreContract):
    @pytest.fixture(autouse=True)
    async def _ready(self, cloud: Cloud, network: Network, bucket: str) -> AsyncIterator[None]:
        self.cloud, self.network, self.bucket = cloud, network, bucket
        yield
        assert set(cloud.uploads) <= {"multipart"}

    async def make_store(self) -> Store:
        store = opened(self.cloud, self.network, self.bucket)
        await store.lease.get()  # a first fetch goes on when who asked for it is cancelled
        return store


class TestGcsWithoutCredentials(StoreContract):
    """Straight to the server, as with an emulator."""

    n_many = 1001

    @pytest.fixture(autouse=True)
    def _ready(
        self,
        fake_gcs: GcsServer,
        network: Network,
        bucket: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs.url.removeprefix("http://"))
        self.network, self.bucket = network, bucket

    async def make_store(self) -> Store:
        url = f"gcp://{self.bucket}/{uuid.uuid4().hex}"
        return open_store(urls.parse(url), network=self.network)


async def test_both_ways_of_uploading_tell_the_truth(store: GcsStore, cloud: Cloud) -> None:
    for n in (0, 1, VENDOR_NBYTES, VENDOR_NBYTES + 1):
        data = [b"x" * (n // 2), b"y" * (n - n // 2)]
        assert await store.create(f"a/{n}", data) is CreateOutcome.CREATED
        assert await store.create(f"a/{n}", [b"other"]) is CreateOutcome.EXISTS
        assert await store.create(f"a/{n}", [bytes(VENDOR_NBYTES + 1)]) is CreateOutcome.EXISTS
        assert bytes(await store.get(f"a/{n}")) == b"".join(data)
    assert cloud.uploads == {"multipart": 12}


async def test_a_race_of_small_and_big_creates_has_one_winner(store: GcsStore) -> None:
    for round in range(3):

        async def create(n: int, key: str = f"race/{round}") -> CreateOutcome:
            size = 100 if n % 2 else VENDOR_NBYTES + 1
            return await store.create(key, [bytes([n]) * size])

        outcomes = await map_concurrently(create, range(20))
        assert outcomes.count(CreateOutcome.CREATED) == 1
        assert outcomes.count(CreateOutcome.EXISTS) == 19
        winner = outcomes.index(CreateOutcome.CREATED)
        assert set(bytes(await store.get(f"race/{round}"))) == {winner}


async def _verbs(store: GcsStore) -> dict[str, Callable[[], Awaitable[object]]]:
    await store.put("a", [b"0123456789"])
    return {
        "get": lambda: store.get("a"),
        "get_range": lambda: store.get_range("a", 2, 5),
        "head": lambda: store.head("a"),
        "list": lambda: store.list(""),
        "put": lambda: store.put("b", [b"x"]),
        "put big": lambda: store.put("c", [bytes(VENDOR_NBYTES + 1)]),
        "create": lambda: store.create("d", [b"x"]),
        "create big": lambda: store.create("e", [bytes(VENDOR_NBYTES + 1)]),
        "delete": lambda: store.delete(["a", "b"]),
    }


async def test_every_verb_outlives_a_token_that_ended_early(store: GcsStore, cloud: Cloud) -> None:
    for n, (verb, send) in enumerate((await _verbs(store)).items(), 1):
        cloud.revoke()
        await send()
        assert cloud.asked["jwt-bearer"] == 1 + n, verb
    assert await store.create("d", [b"y"]) is CreateOutcome.EXISTS
    assert {meta.key for meta in (await store.list("")).objects} == {"c", "d", "e"}
    state = store.lease.state()
    assert (state.n_renewals, state.n_failures) == (10, 0)
    assert state.source == f"the service account {EMAIL} of creds="


async def test_sixteen_tasks_that_need_a_renewal_cause_one(store: GcsStore, cloud: Cloud) -> None:
    await store.put("a", [b"0123456789"])
    cloud.revoke()
    await map_concurrently(lambda _: store.get("a"), range(16))
    assert cloud.asked["jwt-bearer"] == 2
    assert cloud.refused <= 16


async def test_a_token_that_nobody_renews_ends_with_words(
    cloud: Cloud, network: Network, bucket: str
) -> None:
    token = cloud.give("own")["access_token"]
    creds = {"gcs_oauth_token": token, "endpoint_url": cloud.url}
    store = opened(cloud, network, bucket, creds)
    await store.put("a", [b"x"])
    cloud.revoke()
    with pytest.raises(CredentialExpiredError, match="gives no newer one") as refused:
        await store.get("a")
    assert token not in str(refused.value)


async def test_a_given_token_that_seems_over_is_sent_and_the_server_decides(
    cloud: Cloud, network: Network, bucket: str
) -> None:
    token = cloud.give("own")["access_token"]
    ends = datetime.now(UTC) - timedelta(hours=2)
    creds = {"gcs_oauth_token": token, "expires_at": ends, "endpoint_url": cloud.url}
    store = opened(cloud, network, bucket, creds)
    await store.put("a", [b"x"])
    assert bytes(await store.get("a")) == b"x"
    cloud.revoke()
    with pytest.raises(CredentialExpiredError, match=f"expired at {ends:%Y-%m-%d %H:%M:%S}Z"):
        await store.get("a")


async def test_who_shows_nothing_is_told_that_the_bucket_is_not_public(
    cloud: Cloud, network: Network, bucket: str
) -> None:
    creds = {"credentials": "anonymous", "endpoint_url": cloud.url}
    store = opened(cloud, network, bucket, creds)
    with pytest.raises(UnauthenticatedError, match="not public"):
        await store.get("a")
    with pytest.raises(UnauthenticatedError, match="not public"):
        await store.create("a", [b"x"])


async def test_every_request_names_the_quota_project(
    cloud: Cloud, network: Network, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in = {**cloud.log_in(), "quota_project_id": "of-file", "endpoint_url": cloud.url}
    account = cloud.account(endpoint_url=cloud.url, quota_project_id="not-read")
    for variable, creds, expected in [
        ("", log_in, "of-file"),
        ("of-variable", log_in, "of-variable"),
        ("of-variable", account, "of-variable"),
        ("", account, None),
    ]:
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", variable)
        store = opened(cloud, network, bucket, creds)
        cloud.projects.clear()
        verbs = await _verbs(store)
        for n, send in enumerate(list(verbs.values())[:-1], 2):  # but the deletes
            await send()
            assert cloud.projects == [expected] * n
        etag = (await store.head("a")).etag
        assert await store.get_matching("a", 0, 4, etag or "") is not None
        assert await begun(store, "a", 0, 4) == b"0123"
        await verbs["delete"]()
        assert set(cloud.projects) == {expected}
        assert len(cloud.projects) == 9 + 3 + 2


async def test_an_answer_of_another_range_is_none(network: Network) -> None:
    answer = always(ok(b"abc", "206 Partial Content", "Content-Range: bytes 0-2/10\r\n"))
    async with serving(answer) as server:
        creds = {"credentials": "anonymous", "endpoint_url": server.origin.url}
        store = open_store(urls.parse("gs://flowers/p"), creds=creds, network=network)
        with pytest.raises(TransientStoreError, match="were asked for"):
            await store.get_range("a", 4, 7)
        assert await begun(store, "a", 4, 7) is None
        assert await begun(store, "a", 0, 3) == b"abc"


async def test_what_was_given_as_a_token_names_no_quota_project_unless_it_says_one(
    cloud: Cloud, network: Network, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "of-variable")
    token = cloud.give("own")["access_token"]

    def say_one() -> BearerCredential:
        return BearerCredential(token, quota_project="own")

    for creds in ({"gcs_oauth_token": token}, {"credentials": say_one}):
        store = opened(cloud, network, bucket, {**creds, "endpoint_url": cloud.url})
        await store.put("a", [b"x"])
    anonymous = opened(
        cloud, network, bucket, {"credentials": "anonymous", "endpoint_url": cloud.url}
    )
    with pytest.raises(UnauthenticatedError, match="not public"):
        await anonymous.get("a")
    assert cloud.projects == [None, "own", None]


async def test_a_key_google_does_not_know_is_refused_once(
    cloud: Cloud, network: Network, bucket: str
) -> None:
    cloud.failures += [(400, {"error": "invalid_grant", "error_description": "Invalid JWT"})]
    store = opened(cloud, network, bucket)
    with pytest.raises(UnauthenticatedError, match="the key was deleted"):
        await store.get("a")
    assert cloud.asked["jwt-bearer"] == 1


async def test_a_bucket_that_is_not_there(cloud: Cloud, network: Network) -> None:
    store = opened(cloud, network, "no-such-bucket")
    for send in (store.list(""), store.put("a", [b"x"]), store.create("a", [b"x"])):
        with pytest.raises(NotFoundError, match="there is no bucket 'no-such-bucket'"):
            await send
    with pytest.raises(NotFoundError, match="or no bucket 'no-such-bucket'"):
        await store.get("a")


async def test_nothing_listens(network: Network, bucket: str, cloud: Cloud) -> None:
    creds = {"credentials": "anonymous", "endpoint_url": "http://127.0.0.1:1"}
    store = opened(cloud, network, bucket, creds)
    for send in (store.get("a"), store.create("a", [b"x"]), store.put("a", [bytes(2 << 20)])):
        with pytest.raises(TransientStoreError, match="nothing listens at"):
            await send


async def test_an_etag_is_a_generation(store: GcsStore) -> None:
    assert isinstance(store, SupportsMatchedReads)
    await store.put("a", [b"0123456789"])
    etag = (await store.head("a")).etag
    assert etag is not None
    assert etag.isdecimal()
    for start, stop, expected in [(0, None, b"0123456789"), (2, 5, b"234"), (4, 4, b"")]:
        found = await store.get_matching("a", start, stop, etag)
        assert found is not None
        assert bytes(found) == expected
    await store.put("a", [b"abcdefghij"])
    for start, stop in [(0, None), (2, 5), (4, 4)]:
        assert await store.get_matching("a", start, stop, etag) is None
    assert await store.get_matching("a", 0, 3, "another-stores") is None


async def test_bytes_that_are_marked_as_gzip_are_read_as_they_are_stored(
    store: GcsStore, fake_gcs: GcsServer
) -> None:
    place = store._place
    packed = gzip.compress(b"0123456789" * 100)
    said = {"name": place.name("a.gz"), "contentEncoding": "gzip"}
    body = (
        b"--b\r\ncontent-type: application/json\r\n\r\n"
        + json.dumps(said).encode()
        + b"\r\n--b\r\ncontent-type: text/plain\r\n\r\n"
        + packed
        + b"\r\n--b--\r\n"
    )
    fake_gcs.request(
        "POST",
        f"/upload/storage/v1/b/{place.bucket}/o?uploadType=multipart",
        body,
        headers={"content-type": "multipart/related; boundary=b"},
    ).expect(200)
    assert bytes(await store.get("a.gz")) == packed
    assert bytes(await store.get_range("a.gz", 3, 20)) == packed[3:20]
    assert (await store.head("a.gz")).size == len(packed)


async def test_a_wrong_checksum_is_refused_by_the_server(
    store: GcsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.stores._gcs.bodies.checksum", lambda data: "AAAAAA==")
    for data in (b"x", bytes(2 << 20)):
        with pytest.raises(StoreError, match="CRC32C does not match"):
            await store.put("a", [data])


@pytest.mark.soak
async def test_cancellations_at_random_moments_leave_nothing(
    store: GcsStore, network: Network
) -> None:
    draw = random.Random(4)
    verbs = list((await _verbs(store)).values())
    await map_concurrently(lambda send: send(), verbs[:-1])
    await store.put("a", [b"0123456789"])

    async def cancelled(_: int) -> None:
        async with asyncio.timeout(draw.random() * 0.02):
            await draw.choice(verbs[:-1])()

    async def survived(n: int) -> None:
        with contextlib.suppress(TimeoutError):
            await cancelled(n)

    await map_concurrently(survived, range(pick(300, 2000)), limit=32)
    assert network.transport.statistics().in_use == 0
    for _ in range(pick(100, 1000)):
        assert bytes(await store.get_range("a", 0, 4)) == b"0123"
    await store.put("b", [b"y"])
    assert bytes(await store.get("b")) == b"y"


async def test_a_closed_store_says_so(store: GcsStore) -> None:
    await store.aclose()
    with pytest.raises(ClosedError, match="was closed"):
        await store.get("a")
