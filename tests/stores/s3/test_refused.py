"""What S3 refuses, and what becomes of it: errors with advice, a replay, another region."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aiolake import urls
from aiolake.credentials.aws_creds import parse_aws_creds
from aiolake.credentials.values import AwsCredential
from aiolake.errors import (
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.options import Options
from aiolake.stores._s3.bucket import Bucket
from aiolake.stores.base import CreateOutcome, Listing, ObjectMeta
from aiolake.stores.factory import open_store
from aiolake.stores.network import Network
from aiolake.stores.s3 import S3Store
from tests.servers.s3 import S3Server
from tests.stores.azure.scripted import Answering, Reply, Seen, failure, listening
from tests.stores.s3.test_contract import creds_of

SECRET = "wJalrSECRETkey"
_n = count()


def keys() -> dict[str, str]:
    """Keys of a test's own: what one store has called expired is expired for all of a process."""
    return {"aws_access_key_id": f"AKIA{next(_n)}", "aws_secret_access_key": SECRET}


def refusal(
    status: int, code: str, message: str = "Words.", more: str = "", **headers: str
) -> Reply:
    body = (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>{more}'
        "<RequestId>1</RequestId></Error>"
    )
    return Reply(status, body.encode(), {k.replace("_", "-"): v for k, v in headers.items()})


@asynccontextmanager
async def scripted(answer: Answering, creds: Any = None) -> AsyncIterator[S3Store]:
    """A store at a server that answers so."""
    async with listening(answer) as port, Network(Options()) as network:
        where = {"endpoint_url": f"http://127.0.0.1:{port}"}
        given = {**keys(), **where} if creds is None else creds
        if callable(given):
            given = given(where)
        store = open_store(urls.parse("s3://box/p"), creds=given, network=network)
        assert isinstance(store, S3Store)
        yield store


REFUSALS = [
    (404, "NoSuchBucket", NotFoundError, r"no such bucket; check.*spelling.*endpoint_url"),
    (403, "InvalidAccessKeyId", UnauthenticatedError, "check aws_access_key_id"),
    (403, "SignatureDoesNotMatch", UnauthenticatedError, "aws_secret_access_key for a missing"),
    (403, "AccessDenied", PermissionDeniedError, "needs s3:GetObject"),
    (403, "InvalidToken", UnauthenticatedError, "aws_session_token"),
    (503, "SlowDown", ThrottledError, "SlowDown"),
    (429, "TooManyRequests", ThrottledError, "TooManyRequests"),
    (500, "InternalError", TransientStoreError, "InternalError"),
    (503, "ServiceUnavailable", TransientStoreError, "ServiceUnavailable"),
    (400, "RequestTimeout", TransientStoreError, "RequestTimeout"),
    (400, "InvalidRequest", StoreError, "InvalidRequest"),
]


@pytest.mark.parametrize(("status", "code", "kind", "words"), REFUSALS)
async def test_refusals_are_errors_with_advice(
    status: int, code: str, kind: type[Exception], words: str
) -> None:
    async with scripted(lambda _: refusal(status, code)) as store:
        with pytest.raises(kind, match=words) as caught:
            await store.get_range("chunks/x", 0, 10)
        assert type(caught.value) is kind
        assert SECRET not in str(caught.value)
        assert "box" in str(caught.value)


async def test_an_object_that_is_missing() -> None:
    async with scripted(lambda _: refusal(404, "NoSuchKey")) as store:
        for call in (store.get("a"), store.get_range("a", 0, 1), store.head("a")):
            error = await failure(call)
            assert isinstance(error, NotFoundError)
            assert str(error) == "there is no object 'a' in s3://box/p"
            assert error.key == "a"


async def test_an_endpoint_that_holds_the_bucket() -> None:
    async with (
        listening(lambda _: refusal(404, "NoSuchKey")) as port,
        Network(Options()) as network,
    ):
        given = {**keys(), "endpoint_url": f"http://127.0.0.1:{port}/box"}
        store = open_store(urls.parse("s3://box/p"), creds=given, network=network)
        error = await failure(store.list(""))
        assert isinstance(error, NotFoundError)
        assert "endpoint_url is the store's address without the bucket" in str(error)
        assert "its path '/box' seems to be too much" in str(error)


async def test_what_is_no_s3_says_so() -> None:
    page = Reply(400, b"<html>Bad gateway</html>", {"content-type": "text/html"})
    async with scripted(lambda _: page) as store:
        assert "does an S3 store answer there?" in str(await failure(store.get("a")))
    async with scripted(lambda _: Reply(200, b"<html></html>")) as store:
        error = await failure(store.list(""))
        assert isinstance(error, TransientStoreError)
        assert "<ListBucketResult> was expected" in str(error)


async def test_a_pause_that_is_asked_for_is_told() -> None:
    async with scripted(lambda _: refusal(503, "SlowDown", Retry_After="7")) as store:
        error = await failure(store.get("a"))
        assert isinstance(error, ThrottledError)
        assert error.retry_after_s == 7.0


class TestCreate:
    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (Reply(200), CreateOutcome.CREATED),
            (refusal(412, "PreconditionFailed"), CreateOutcome.EXISTS),
            (refusal(409, "ConditionalRequestConflict"), CreateOutcome.UNKNOWN),
        ],
    )
    async def test_outcomes(self, reply: Reply, outcome: CreateOutcome) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return reply

        async with scripted(answer) as store:
            assert await store.create("log/1", [b"whole ", b"body"]) is outcome
        (request,) = seen
        assert request.headers["if-none-match"] == "*"
        assert request.body == b"whole body"

    async def test_a_store_that_knows_no_create_only_puts_is_refused(self) -> None:
        async with scripted(lambda _: refusal(501, "NotImplemented")) as store:
            with pytest.raises(StoreError, match="knows no create-only puts") as caught:
                await store.create("log/1", [b"x"])
            assert not isinstance(caught.value, TransientStoreError)


class TestExpired:
    async def test_an_expired_token_is_replaced_and_the_request_replayed(self) -> None:
        n = 0

        def answer(request: Seen) -> Reply:
            if "first" in request.headers["x-amz-security-token"]:
                return refusal(400, "ExpiredToken", "The provided token has expired.")
            return Reply(206, b"data")

        def fetch() -> AwsCredential:
            nonlocal n
            n += 1
            expires = datetime.now(UTC) + timedelta(hours=1)
            return AwsCredential("A", SECRET, "first" if n == 1 else "second", expires)

        async with listening(answer) as port, Network(Options()) as network:
            import os

            os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{port}"
            try:
                store = open_store(urls.parse("s3://box/p"), creds=fetch, network=network)
                assert bytes(await store.get_range("a", 0, 4)) == b"data"
            finally:
                del os.environ["AWS_ENDPOINT_URL_S3"]
        assert n == 2

    async def test_keys_that_nobody_renews_end_in_words(self) -> None:
        async with scripted(lambda _: refusal(400, "ExpiredToken")) as store:
            with pytest.raises(CredentialExpiredError, match="gives no newer one"):
                await store.get("a")

    async def test_a_wrong_clock_is_set_by_the_servers(self) -> None:
        there = datetime.now(UTC) + timedelta(hours=3)
        dates: list[str] = []

        def answer(request: Seen) -> Reply:
            dates.append(request.headers["x-amz-date"])
            if len(dates) == 1:
                date = format_datetime(there, usegmt=True)
                return refusal(403, "RequestTimeTooSkewed", Date=date)
            return Reply(200, b"data")

        async with scripted(answer) as store:
            assert bytes(await store.get("a")) == b"data"
            assert bytes(await store.get("b")) == b"data"
        assert len(dates) == 3
        assert dates[1][:11] == f"{there:%Y%m%dT%H}"


class TestRegions:
    @pytest.mark.parametrize(
        "moved",
        [
            refusal(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3"),
            refusal(400, "AuthorizationHeaderMalformed", more="<Region>eu-west-3</Region>"),
            refusal(307, "TemporaryRedirect", x_amz_bucket_region="eu-west-3"),
        ],
    )
    async def test_the_buckets_region_is_learnt_once(self, moved: Reply) -> None:
        scopes: list[str] = []

        def answer(request: Seen) -> Reply:
            scope = request.headers["authorization"].split("/")[2]
            scopes.append(scope)
            return moved if scope != "eu-west-3" else Reply(200, b"data")

        async with scripted(answer) as store:
            for key in ("a", "b"):
                assert bytes(await store.get(key)) == b"data"
        assert scopes == ["us-east-1", "eu-west-3", "eu-west-3"]

    async def test_a_head_learns_it_too(self) -> None:
        def answer(request: Seen) -> Reply:
            if "eu-west-3" not in request.headers["authorization"]:
                return Reply(400, b"", {"x-amz-bucket-region": "eu-west-3"})
            return Reply(200, b"12345", {"etag": '"e"'})

        async with scripted(answer) as store:
            assert await store.head("a") == ObjectMeta("a", 5, "e")

    async def test_a_region_that_stays_wrong_is_said(self) -> None:
        reply = refusal(301, "PermanentRedirect", "Use another endpoint.")
        async with scripted(lambda _: reply) as store:
            with pytest.raises(StoreError, match="give region_name in creds="):
                await store.get("a")


class TestHeaders:
    async def test_what_was_asked_for_is_sent(self) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return Reply(200, b"x")

        def creds(where: dict[str, str]) -> dict[str, str]:
            return {
                **keys(),
                **where,
                "request_payer": "requester",
                "sse_kms_key_id": "key/1",
                "storage_class": "STANDARD_IA",
            }

        async with listening(answer) as port, Network(Options()) as network:
            given = creds({"endpoint_url": f"http://127.0.0.1:{port}"})
            store = open_store(urls.parse("s3://box/p"), creds=given, network=network)
            await store.get("a")
            await store.put("b", [b"x"])
        read, write = (request.headers for request in seen)
        assert read["x-amz-request-payer"] == write["x-amz-request-payer"] == "requester"
        assert write["x-amz-server-side-encryption"] == "aws:kms"
        assert write["x-amz-server-side-encryption-aws-kms-key-id"] == "key/1"
        assert write["x-amz-storage-class"] == "STANDARD_IA"
        assert "x-amz-storage-class" not in read
        signed = write["authorization"]
        assert "x-amz-server-side-encryption" in signed

    async def test_anonymous_requests_are_not_signed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return Reply(200, b"x")

        async with listening(answer) as port, Network(Options()) as network:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            store = open_store(urls.parse("s3://box/p"), creds="anonymous", network=network)
            await store.get("a")
        assert seen[0].target == "/box/p/a"
        assert "authorization" not in seen[0].headers

    async def test_anonymous_beside_an_endpoint(self) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return Reply(200, b"x")

        async with listening(answer) as port, Network(Options()) as network:
            creds = {"credentials": "anonymous", "endpoint_url": f"http://127.0.0.1:{port}"}
            store = open_store(urls.parse("s3://box/p"), creds=creds, network=network)
            await store.get("a")
        assert "authorization" not in seen[0].headers

    async def test_a_function_beside_an_endpoint(self) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return Reply(200, b"x")

        async with listening(answer) as port, Network(Options()) as network:
            creds = {"credentials": keys, "endpoint_url": f"http://127.0.0.1:{port}"}
            store = open_store(urls.parse("s3://box/p"), creds=creds, network=network)
            await store.get("a")
        assert "Credential=AKIA" in seen[0].headers["authorization"]

    async def test_names_as_hosts(self) -> None:
        """``virtual`` puts the bucket's name before the server's."""
        from aiolake.stores._s3.place import place_at
        from aiolake.stores.transport.values import Origin

        origin, base = Origin.parse("https://s3.example.com/base/")
        place = place_at(origin, base, "box", "r", "virtual")
        assert (place.origin.authority, place.target("a b")) == (
            "box.s3.example.com",
            "/base/a%20b",
        )


async def test_a_directory_bucket_lists_in_no_order() -> None:
    async with Network(Options()) as network:
        for name, listing in (("b--use1-az4--x-s3", Listing.UNORDERED), ("b", Listing.ORDERED)):
            creds = {**keys(), "endpoint_url": "http://127.0.0.1:1"}
            store = open_store(urls.parse(f"s3://{name}/p"), creds=creds, network=network)
            assert store.listing is listing


class TestEndpoints:
    """Hosts are botocore's choice where no store is named."""

    @pytest.mark.parametrize(
        ("bucket", "region", "variables", "url"),
        [
            ("box", "eu-west-3", {}, "https://box.s3.eu-west-3.amazonaws.com"),
            ("a.b", "eu-west-3", {}, "https://s3.eu-west-3.amazonaws.com/a.b"),
            ("box", "cn-north-1", {}, "https://box.s3.cn-north-1.amazonaws.com.cn"),
            (
                "box",
                "us-west-2",
                {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
                "https://box.s3.dualstack.us-west-2.amazonaws.com",
            ),
        ],
    )
    async def test_of_aws(
        self,
        monkeypatch: pytest.MonkeyPatch,
        bucket: str,
        region: str,
        variables: dict[str, str],
        url: str,
    ) -> None:
        from aiolake.credentials.aws_creds import AwsCreds
        from aiolake.stores._s3.bucket import Bucket

        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        place = await Bucket(bucket, AwsCreds(region=region)).found()
        assert place.origin.url + place.path == url
        assert place.region == region

    async def test_of_a_profile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        from aiolake.credentials.aws_creds import AwsCreds
        from aiolake.stores._s3.bucket import Bucket

        config = tmp_path / "config"
        config.write_text(
            "[profile lab]\nregion = lab-1\nendpoint_url = https://s3.lab.example:9000\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        place = await Bucket("box", AwsCreds(profile="lab")).found()
        assert place.origin.url == "https://s3.lab.example:9000"
        assert place.region == "lab-1"

    @pytest.mark.parametrize(
        ("bucket", "config", "creds", "words"),
        [
            ("büx", "", {}, "AWS has no bucket of such a name"),
            ("box", "", {"region": "eu west"}, "check region_name, which is such as"),
            ("box", "", {"profile_name": "gone"}, "'aws configure list-profiles' shows"),
            ("box", "endpoint_url = lab:9000", {"profile_name": "lab"}, "in ~/.aws/config"),
        ],
    )
    async def test_what_cannot_be_resolved(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        bucket: str,
        config: str,
        creds: dict[str, str],
        words: str,
    ) -> None:
        (tmp_path / "config").write_text(f"[profile lab]\n{config}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        with pytest.raises(InvalidInputError, match=words) as caught:
            await Bucket(bucket, parse_aws_creds(creds)).found()
        assert "\n" not in str(caught.value)

    async def test_a_variable_that_is_no_url_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
        with pytest.raises(InvalidInputError, match="AWS_ENDPOINT_URL_S3 'localhost:9000' must be"):
            await Bucket("box", parse_aws_creds(None)).found()


class TestRealRefusals:
    """As a server that checks words them."""

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"aws_access_key_id": "AKIAUNKNOWN"}, "check aws_access_key_id"),
            ({"aws_secret_access_key": "wrong"}, "check aws_secret_access_key"),
        ],
    )
    async def test_wrong_keys(
        self, moto_checked: S3Server, wrong: dict[str, str], words: str
    ) -> None:
        creds = creds_of(moto_checked, **wrong)
        url = urls.parse(f"s3://{moto_checked.new_bucket()}/p")
        async with Network(Options()) as network:
            store = open_store(url, creds=creds, network=network)
            with pytest.raises(UnauthenticatedError, match=words):
                await store.get("a")

    async def test_a_bucket_that_is_not_there(self, moto: S3Server) -> None:
        async with Network(Options()) as network:
            store = open_store(
                urls.parse("s3://nosuchbucket/p"), creds=creds_of(moto), network=network
            )
            for call in (store.get("a"), store.list(""), store.create("a", [b"x"])):
                error = await failure(call)
                assert isinstance(error, NotFoundError)
                assert "there is no such bucket" in str(error)


async def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from aiolake.credentials.aws import require_aiobotocore
    from aiolake.errors import MissingExtraError

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "aiobotocore" else real(name)
    )
    require_aiobotocore.cache_clear()
    async with Network(Options()) as network:
        with pytest.raises(MissingExtraError, match=r"pip install 'aiolake\[s3\]'"):
            open_store(urls.parse("s3://b/p"), network=network)


async def test_bad_creds_are_refused_before_anything_is_asked() -> None:
    async with Network(Options()) as network:
        with pytest.raises(InvalidInputError, match="'aws_access_key_id'"):
            open_store(urls.parse("s3://b/p"), creds={"AWS_ACCESS_KEY_ID": "x"}, network=network)


@pytest.mark.parametrize(
    ("creds", "words"),
    [
        ({"credentials": "anonymos"}, "no word that is known"),
        ({"credentials": {}}, "the keys of a dict stand beside it"),
        ({"credentials": "ENV", **keys()}, "has both 'credentials' and keys"),
        ({"credentials": "ENV", "profile_name": "a"}, "has both 'credentials' and 'profile_name'"),
        ({"credentials": "anonymous", "role_arn": "arn:x"}, "a role is assumed with keys"),
        ({"storage_class": f"STANDARD\n{SECRET}"}, "'storage_class'.*line break"),
        (
            {"endpoint_url": f"minio:{SECRET}@lab:9000"},
            "form https://host:port, got '...@lab:9000'",
        ),
        ({"verify": ""}, "'verify'.*an empty text"),
    ],
)
def test_creds_that_make_no_sense(creds: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        parse_aws_creds(creds)
    assert SECRET not in str(caught.value)


def test_a_file_of_certificates_may_be_in_the_users_home() -> None:
    assert parse_aws_creds({"verify": "~/ca.pem"}).ca_file == str(Path("~/ca.pem").expanduser())
    assert parse_aws_creds({"endpoint_url": "HTTPS://lab"}).endpoint_url == "HTTPS://lab"
