"""Google's access tokens, each way of getting them against an endpoint that looks closely."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiolake.credentials.google import provider_of
from aiolake.credentials.google_creds import parse
from aiolake.credentials.values import BearerCredential
from aiolake.errors import InvalidInputError, TransientStoreError, UnauthenticatedError
from tests.credentials.google.cloud import AWS_TYPE, EMAIL, Cloud, running_cloud
from tests.servers.processes import free_port


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


def now() -> datetime:
    return datetime.now(UTC)


async def fetched(creds: Any, env: dict[str, str] | None = None) -> BearerCredential:
    found = await provider_of(parse(creds).source, now=now, environ=env or {}).fetch()
    assert isinstance(found, BearerCredential)
    return found


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def lasts(credential: BearerCredential, seconds: float) -> bool:
    assert credential.expires_at is not None
    rest = credential.expires_at - now()
    return timedelta(seconds=seconds - 5) < rest <= timedelta(seconds=seconds)


async def test_a_service_account_signs_for_its_token(cloud: Cloud, tmp_path: Path) -> None:
    cloud.life_s = 1800
    path = written(tmp_path / "job.json", cloud.account())
    for creds in (cloud.account(), path, str(path)):
        credential = await fetched(creds)
        assert cloud.is_good(credential.token)
        assert lasts(credential, 1800)
    assert cloud.asked["jwt-bearer"] == 3
    assert cloud.seen["claims"]["scope"].endswith("/devstorage.read_write")


async def test_a_token_is_fetched_anew_each_time(cloud: Cloud) -> None:
    provider = provider_of(parse(cloud.account()).source, now=now, environ={})
    assert await provider.fetch() != await provider.fetch()
    assert cloud.asked["jwt-bearer"] == 2


async def test_a_key_that_was_exchanged_is_found(cloud: Cloud, tmp_path: Path) -> None:
    path = written(tmp_path / "job.json", {"type": "service_account"})
    provider = provider_of(parse(path).source, now=now, environ={})
    with pytest.raises(InvalidInputError, match="lacks 'client_email', 'private_key'"):
        await provider.fetch()
    written(path, cloud.account())
    assert (await provider.fetch()).expires_at is not None
    assert provider.source == f"the service account {EMAIL} of {path}"


async def test_signing_holds_the_loop_for_a_moment_only(cloud: Cloud) -> None:
    provider = provider_of(parse(cloud.account()).source, now=now, environ={})
    await provider.fetch()
    used = time.thread_time()
    await provider.fetch()
    assert time.thread_time() - used < 0.03  # PyJWT alone, given the text, takes 0.04


async def test_the_log_in_of_gcloud_is_a_default(cloud: Cloud, tmp_path: Path) -> None:
    written(tmp_path / "application_default_credentials.json", cloud.log_in())
    for creds in (None, "google_default"):
        credential = await fetched(creds, {"CLOUDSDK_CONFIG": str(tmp_path)})
        assert credential.token.startswith("ya29.user.")


async def test_the_variable_goes_before_the_log_in(cloud: Cloud, tmp_path: Path) -> None:
    written(tmp_path / "application_default_credentials.json", cloud.log_in())
    path = written(tmp_path / "job.json", cloud.account())
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    for creds in (None, "ENV"):
        assert (await fetched(creds, env)).token.startswith("ya29.account.")
    with pytest.raises(UnauthenticatedError, match="GOOGLE_APPLICATION_CREDENTIALS names, and"):
        await fetched("ENV", {"CLOUDSDK_CONFIG": str(tmp_path)})


async def test_the_metadata_server_is_the_last_default(cloud: Cloud, tmp_path: Path) -> None:
    cloud.life_s = 700
    host = cloud.url.removeprefix("http://")
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": host}
    provider = provider_of(parse(None).source, now=now, environ=env)
    credential = await provider.fetch()
    assert isinstance(credential, BearerCredential)
    assert lasts(credential, 700)
    assert provider.source == "this machine (by its metadata server)"


async def test_a_token_that_is_handed_out_again_keeps_its_expiry(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = cloud.give("metadata")
    monkeypatch.setattr(cloud, "give", lambda way: given)
    host = cloud.url.removeprefix("http://")
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": host}
    provider = provider_of(parse(None).source, now=now, environ=env)
    first = await provider.fetch()
    given["expires_in"] -= 2
    assert await provider.fetch() == first


async def test_where_there_is_nothing_it_says_where_it_looked(tmp_path: Path) -> None:
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": "metadata.invalid"}
    with pytest.raises(UnauthenticatedError, match="no Google credentials were found") as refused:
        await fetched(None, env)
    for part in ("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path), "gcloud auth", "creds="):
        assert part in str(refused.value)


async def test_a_metadata_server_that_fails_may_mend(cloud: Cloud, tmp_path: Path) -> None:
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": "127.0.0.1:1"}
    with pytest.raises(TransientStoreError, match="could not be reached"):
        await fetched(None, env)


def external(cloud: Cloud, source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{cloud.url}/token",
        "credential_source": source,
        **more,
    }


async def test_a_token_of_another_provider_is_exchanged(cloud: Cloud, tmp_path: Path) -> None:
    text = tmp_path / "token"
    text.write_text("subject-1\n")
    as_json = written(tmp_path / "token.json", {"value": "subject-1"})
    form = {"type": "json", "subject_token_field_name": "value"}
    sources: list[dict[str, Any]] = [
        {"file": str(text)},
        {"file": str(as_json), "format": form},
        {"url": f"{cloud.url}/subject", "headers": {"X-Key": "k"}, "format": form},
    ]
    for source in sources:
        credential = await fetched(external(cloud, source))
        assert credential.token.startswith("ya29.exchange.")
        assert lasts(credential, 3600)
        assert cloud.seen["token-exchange"]["scope"].endswith("/devstorage.read_write")


async def test_an_identity_of_aws_is_shown_by_a_signed_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {
        "environment_id": "aws1",
        "region_url": f"{cloud.url}/aws/zone",
        "url": f"{cloud.url}/aws/roles",
        "imdsv2_session_token_url": f"{cloud.url}/aws/session",
    }
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    given = {**external(cloud, source), "subject_token_type": AWS_TYPE}
    assert (await fetched(given)).token.startswith("ya29.exchange.")
    headers = {each["key"]: each["value"] for each in cloud.seen["aws"]["headers"]}
    assert headers["host"] == "sts.eu-west-1.amazonaws.com"
    assert headers["x-amz-security-token"] == "token-1"
    assert headers["x-goog-cloud-target-resource"] == given["audience"]
    with pytest.raises(UnauthenticatedError, match="set AWS_REGION"):
        await fetched({**given, "credential_source": {"environment_id": "aws1"}})
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    with pytest.raises(UnauthenticatedError, match="set AWS_ACCESS_KEY_ID"):
        await fetched({**given, "credential_source": {"environment_id": "aws1"}})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    await fetched({**given, "credential_source": {"environment_id": "aws1"}})
    assert "sts.us-east-2" in cloud.seen["aws"]["url"]


async def test_an_exchange_may_show_a_client(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("subject-1")
    source = {"file": str(tmp_path / "token")}
    await fetched(external(cloud, source, client_id="id", client_secret="secret"))
    assert cloud.seen["token-exchange"]["headers"]["Authorization"] == "Basic aWQ6c2VjcmV0"


async def test_who_may_act_as_an_account_gets_its_token_and_its_expiry(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("subject-1")
    acting = {"service_account_impersonation_url": f"{cloud.url}/impersonate/{EMAIL}"}
    creds = [
        external(cloud, {"file": str(tmp_path / "token")}, **acting),
        {"type": "impersonated_service_account", "source_credentials": cloud.log_in(), **acting},
        {
            "type": "impersonated_service_account",
            "source_credentials": cloud.account(),
            "delegates": ["d1"],
            **acting,
        },
    ]
    cloud.said_life_s = 77  # of the first token, which is not the account's
    cloud.life_s = 900
    for given in creds:
        credential = await fetched(given)
        assert credential.token.startswith("ya29.acting.")
        assert lasts(credential, 901)
    assert cloud.seen["impersonate"]["delegates"] == ["d1"]
    assert cloud.seen["claims"]["scope"].endswith("/cloud-platform")


async def test_the_quota_project_is_of_the_variable_else_of_the_file(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("subject-1")
    of_file = {"quota_project_id": "of-file"}
    acting = {"service_account_impersonation_url": f"{cloud.url}/impersonate/{EMAIL}"}
    log_in, account = {**cloud.log_in(), **of_file}, cloud.account(**of_file)
    pool = external(cloud, {"file": str(tmp_path / "token")}, **of_file)
    kind = {"type": "impersonated_service_account", "source_credentials": cloud.log_in()}
    files = [(log_in, "of-file"), (pool, "of-file"), ({**kind, **acting, **of_file}, "of-file")]
    for given, project in [*files, (account, None), (cloud.log_in(), None)]:
        assert (await fetched(given)).quota_project == project
        named = {"GOOGLE_CLOUD_QUOTA_PROJECT": "of-variable"}
        assert (await fetched(given, named)).quota_project == "of-variable"
    host = cloud.url.removeprefix("http://")
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": host}
    assert (await fetched(None, env)).quota_project is None
    assert (await fetched(None, {**env, **named})).quota_project == "of-variable"


async def test_a_quota_project_that_could_be_a_header_of_its_own_is_refused(cloud: Cloud) -> None:
    for project in ("pro\r\nx: y", "two words", "ä", 5):
        with pytest.raises(InvalidInputError, match="can be no project's id"):
            await fetched({**cloud.log_in(), "quota_project_id": project})
    with pytest.raises(InvalidInputError, match="GOOGLE_CLOUD_QUOTA_PROJECT is 'two words'"):
        await fetched(cloud.log_in(), {"GOOGLE_CLOUD_QUOTA_PROJECT": "two words"})


async def test_who_may_not_act_as_an_account_is_told_the_role(cloud: Cloud) -> None:
    acting = {"service_account_impersonation_url": f"{cloud.url}/impersonate/other@x"}
    given = {
        "type": "impersonated_service_account",
        "source_credentials": cloud.log_in(),
        **acting,
    }
    with pytest.raises(UnauthenticatedError, match=r"iam\.serviceAccountTokenCreator"):
        await fetched(given)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"file": "/no/such/token"}, "/no/such/token"),
        ({"certificate": {}}, "known are those with 'file', 'url' or 'executable'"),
    ],
)
async def test_a_subject_token_that_is_not_there(
    cloud: Cloud, source: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnauthenticatedError, match=words):
        await fetched(external(cloud, source))


async def test_a_refusal_says_what_to_try(cloud: Cloud) -> None:
    other = cloud.account(token_uri=f"{cloud.url}/token?x=1")  # the audience does not match
    with pytest.raises(UnauthenticatedError, match="the key was deleted, or this machine's clock"):
        await fetched(other)
    assert cloud.asked["jwt-bearer"] == 1  # asked once, not five times
    log_in = {**cloud.log_in(), "refresh_token": "revoked"}
    with pytest.raises(UnauthenticatedError, match="log in again"):
        await fetched(log_in)
    with pytest.raises(UnauthenticatedError, match="OAuth client"):
        await fetched({**cloud.log_in(), "client_secret": "wrong"})


async def test_an_endpoint_that_fails_may_mend(cloud: Cloud) -> None:
    cloud.failures += [(503, {"error": "backend"}), (429, {})]
    for _ in range(2):
        with pytest.raises(TransientStoreError):
            await fetched(cloud.account())
    assert cloud.is_good((await fetched(cloud.account())).token)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (
            "http://127.0.0.1:{port}/token",
            r"127\.0\.0\.1:\d+, .*\(Connection refused\)",
        ),
        ("https://nowhere.invalid/token", r"nowhere\.invalid:443, .*its name is not known"),
        ("https://{authority}/token", "TLS failed: WRONG_VERSION_NUMBER"),
    ],
)
async def test_an_endpoint_that_cannot_be_reached(cloud: Cloud, uri: str, words: str) -> None:
    authority = cloud.url.removeprefix("http://")
    found = cloud.account(token_uri=uri.format(port=free_port(), authority=authority))
    with pytest.raises(TransientStoreError, match=words) as caught:
        await fetched(found)
    assert "check the network, its proxy (HTTPS_PROXY), and token_uri in the JSON" in str(
        caught.value
    )


async def test_an_answer_without_a_token_is_none(cloud: Cloud) -> None:
    cloud.failures += [(200, {"hello": "world"})]
    with pytest.raises(UnauthenticatedError, match="answered without a token"):
        await fetched(cloud.account())


@pytest.mark.parametrize(
    "key", ["-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n", "PRIVATE KEY-----"]
)
async def test_a_cut_key_is_called_so(cloud: Cloud, key: str) -> None:
    with pytest.raises(UnauthenticatedError, match="cannot be read as a PEM key") as refused:
        await fetched(cloud.account(private_key=key))
    assert "hush" not in str(refused.value)


async def test_files_that_are_not_there_or_no_json(tmp_path: Path) -> None:
    with pytest.raises(UnauthenticatedError, match="No such file"):
        await fetched(tmp_path / "missing.json")
    (tmp_path / "x.json").write_text("{not json")
    with pytest.raises(InvalidInputError, match="no JSON at all"):
        await fetched(tmp_path / "x.json")


async def test_a_users_function_gives_tokens() -> None:
    until = now() + timedelta(hours=1)

    async def later() -> dict[str, Any]:
        return {"gcs_oauth_token": "t", "expires_at": until}

    assert await fetched(later) == BearerCredential("t", until)
    assert await fetched(lambda: BearerCredential("u")) == BearerCredential("u")
    with pytest.raises(InvalidInputError, match="must return"):
        await fetched(lambda: "t")


async def test_a_token_object_of_the_library_is_asked_past_its_cache(cloud: Cloud) -> None:
    import io

    from gcloud.aio.auth import Token

    token = Token(service_file=io.StringIO(json.dumps(cloud.account())), scopes=["s"])
    async with token:
        provider = provider_of(parse(token).source, now=now, environ={})
        assert await provider.fetch() != await provider.fetch()
        assert cloud.asked["jwt-bearer"] == 2
