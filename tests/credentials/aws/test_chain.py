"""Each place where AWS's chain looks; the keys found there open a server that checks them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiolake.credentials.aws import AwsProvider, aws_provider
from aiolake.credentials.aws_creds import parse_aws_creds
from aiolake.credentials.values import AwsCredential
from aiolake.errors import (
    AiolakeError,
    InvalidInputError,
    TransientStoreError,
    UnauthenticatedError,
)
from tests.servers.instance import Instance, instance_endpoint
from tests.servers.s3 import ROLE, S3Server
from tests.stores.azure.scripted import Reply, Seen, listening

LIFE_S = 7200
WEB_ROLE = "web"
ISSUER = "tokens.example.org"
ROLE_ARN = f"arn:aws:iam::000000000000:role/{ROLE}"

Environ = Callable[..., None]


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environ:
    """An environment that says nothing of AWS, and what adds to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def add(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return add


@pytest.fixture
def instance(ministack: S3Server, environ: Environ) -> Iterator[Instance]:
    with instance_endpoint(Instance(lambda: ministack.session(LIFE_S))) as instance:
        environ(
            AWS_EC2_METADATA_DISABLED="false",
            AWS_EC2_METADATA_SERVICE_ENDPOINT=instance.url,
            AWS_METADATA_SERVICE_NUM_ATTEMPTS="2",
        )
        yield instance


async def fetched(profile: str | None = None) -> tuple[AwsCredential, str]:
    """What the chain finds, and where it says it found it."""
    provider = AwsProvider(profile)
    found = await provider.fetch()
    assert isinstance(found, AwsCredential)
    return found, provider.source


async def failure(profile: str | None = None) -> AiolakeError:
    with pytest.raises(AiolakeError) as caught:
        await AwsProvider(profile).fetch()
    return caught.value


def opens(server: S3Server, keys: AwsCredential) -> bool:
    """Whether the server takes them; it refuses a session's key with another secret or token."""
    shown = replace(
        server,
        access_key=keys.access_key_id,
        secret_key=keys.secret_access_key,
        session_token=keys.session_token,
    )
    wrong = replace(shown, secret_key="x" * 40)
    return shown.request("GET", "/").status == 200 and wrong.request("GET", "/").status == 403


def lasts(found: AwsCredential, seconds: float) -> bool:
    assert found.expires_at is not None
    rest = found.expires_at - datetime.now(UTC)
    return timedelta(seconds=seconds - 60) < rest <= timedelta(seconds=seconds)


async def test_the_environment(ministack: S3Server, environ: Environ) -> None:
    keys = ministack.session(LIFE_S)
    environ(
        AWS_ACCESS_KEY_ID=keys["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"],
        AWS_SESSION_TOKEN=keys["SessionToken"],
    )
    found, source = await fetched()
    assert opens(ministack, found)
    assert source == "AWS's default chain (env)"


async def test_the_files_that_aws_configure_writes(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AK1\naws_secret_access_key = s1\n"
        "[team]\naws_access_key_id = AK2\naws_secret_access_key = s2\n"
    )
    found, source = await fetched()
    assert (found.access_key_id, found.secret_access_key) == ("AK1", "s1")
    assert source == "AWS's default chain (shared-credentials-file)"
    found, source = await fetched("team")
    assert (found.access_key_id, found.expires_at) == ("AK2", None)
    assert source == "the AWS profile 'team' (shared-credentials-file)"


async def test_a_profile_that_is_not_there() -> None:
    error = await failure("nobody")
    assert isinstance(error, UnauthenticatedError)
    assert "list-profiles" in str(error)


async def test_a_profile_that_assumes_a_role(
    ministack: S3Server, tmp_path: Path, environ: Environ
) -> None:
    environ(AWS_ENDPOINT_URL_STS=ministack.url)
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {ministack.access_key}\n"
        f"aws_secret_access_key = {ministack.secret_key}\n"
    )
    (tmp_path / "config").write_text(
        f"[profile lake]\nrole_arn = {ROLE_ARN}\nsource_profile = base\nregion = us-east-1\n"
    )
    found, source = await fetched("lake")
    assert opens(ministack, found)
    assert lasts(found, 3600)
    assert source == "the AWS profile 'lake' (assume-role)"


async def test_a_command_that_prints_keys(ministack: S3Server, tmp_path: Path) -> None:
    printed = tmp_path / "printed.json"
    printed.write_text(json.dumps({"Version": 1, **ministack.session(LIFE_S)}))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {printed}\n")
    found, source = await fetched()
    assert opens(ministack, found)
    assert lasts(found, LIFE_S)
    assert source == "AWS's default chain (custom-process)"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("/not/there", UnauthenticatedError),
        ("/bin/echo no JSON", InvalidInputError),
        ("/bin/false", TransientStoreError),
    ],
)
async def test_a_command_that_prints_none(
    command: str, kind: type[AiolakeError], tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(f"[profile cmd]\ncredential_process = {command}\n")
    error = await failure("cmd")
    assert type(error) is kind
    assert "credential_process" in str(error)


@pytest.mark.parametrize("creds", [None, "ENV"])
async def test_a_line_break_of_the_environment_is_said(environ: Environ, creds: str | None) -> None:
    environ(AWS_ACCESS_KEY_ID="AK1", AWS_SECRET_ACCESS_KEY="s3cret\n")
    with pytest.raises(InvalidInputError, match=r"secret_access_key.*line break") as caught:
        await aws_provider(parse_aws_creds(creds)).fetch()
    assert str(caught.value).startswith(("the environment", "AWS's default chain"))
    assert "s3cret" not in str(caught.value)


class TestInstances:
    async def test_the_role_of_an_instance(self, ministack: S3Server, instance: Instance) -> None:
        found, source = await fetched()
        assert opens(ministack, found)
        assert lasts(found, LIFE_S)
        assert source == "AWS's default chain (iam-role)"
        assert (instance.n_lent, instance.n_without_token) == (1, 0)

    async def test_each_fetch_asks_anew(self, instance: Instance) -> None:
        provider = AwsProvider(None)
        first, second = await provider.fetch(), await provider.fetch()
        assert first != second
        assert instance.n_lent == 2

    async def test_one_bad_answer_is_asked_again(self, instance: Instance) -> None:
        instance.failures = [500]
        await fetched()
        assert instance.n_lent == 1

    async def test_an_instance_without_a_role(self, instance: Instance) -> None:
        instance.has_role = False
        error = await failure()
        assert isinstance(error, UnauthenticatedError)
        assert "an EC2 instance's" in str(error)

    async def test_keys_of_the_environment_come_first(
        self, instance: Instance, environ: Environ
    ) -> None:
        environ(AWS_ACCESS_KEY_ID="AK1", AWS_SECRET_ACCESS_KEY="s1")
        found, _ = await fetched()
        assert found.access_key_id == "AK1"
        assert instance.n_lent == 0


class TestWebIdentities:
    @pytest.fixture(autouse=True)
    def _role(self, ministack: S3Server, environ: Environ, tmp_path: Path) -> None:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Principal": {"Federated": f"arn:aws:iam::000000000000:oidc-provider/{ISSUER}"},
                }
            ],
        }
        role = f"{WEB_ROLE}-{tmp_path.name}"
        policy = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        ministack.call(
            "iam", "CreateRole", RoleName=role, AssumeRolePolicyDocument=json.dumps(trust)
        )
        ministack.call(
            "iam", "PutRolePolicy", RoleName=role, PolicyName="s3", PolicyDocument=document
        )
        self.file = tmp_path / "token"
        environ(
            AWS_ENDPOINT_URL_STS=ministack.url,
            AWS_REGION="us-east-1",
            AWS_ROLE_ARN=f"arn:aws:iam::000000000000:role/{role}",
            AWS_WEB_IDENTITY_TOKEN_FILE=str(self.file),
        )

    async def test_a_pod_with_a_token(self, ministack: S3Server) -> None:
        self.file.write_text(web_token(ISSUER))
        found, source = await fetched()
        assert opens(ministack, found)
        assert lasts(found, 3600)
        assert source == "AWS's default chain (assume-role-with-web-identity)"

    async def test_a_token_that_is_exchanged_later_is_read_later(self) -> None:
        provider = AwsProvider(None)
        self.file.write_text(web_token("strangers.example.org"))
        with pytest.raises(UnauthenticatedError, match="trust policy") as caught:
            await provider.fetch()
        assert web_token("strangers.example.org") not in str(caught.value)
        self.file.write_text(web_token(ISSUER))
        await provider.fetch()

    async def test_a_token_file_that_is_missing_is_named(self) -> None:
        error = await failure()
        assert str(self.file) in str(error)


def web_token(issuer: str) -> str:
    """What a cluster writes into a pod, but for its signature, at which ministack does not look."""
    parts = ({"alg": "RS256"}, {"iss": f"https://{issuer}", "sub": "pod", "aud": "sts"})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([part.rstrip("=") for part in encoded] + ["c2lnbmVk"])


async def test_a_role_is_assumed_with_the_chains_keys(
    ministack: S3Server, environ: Environ
) -> None:
    environ(
        AWS_ENDPOINT_URL_STS=ministack.url,
        AWS_ACCESS_KEY_ID=ministack.access_key,
        AWS_SECRET_ACCESS_KEY=ministack.secret_key,
    )
    provider = aws_provider(parse_aws_creds({"role_arn": ROLE_ARN}))
    found = await provider.fetch()
    assert isinstance(found, AwsCredential)
    assert opens(ministack, found)
    assert lasts(found, 3600)


@pytest.mark.parametrize(
    ("variables", "creds", "region"),
    [
        ({"AWS_DEFAULT_REGION": "cn-north-1"}, {}, "cn-north-1"),
        ({"AWS_DEFAULT_REGION": "cn-north-1"}, {"region_name": "eu-west-3"}, "eu-west-3"),
        ({}, {}, "us-east-1"),
    ],
)
async def test_a_role_is_assumed_in_the_region_that_aws_itself_would_take(
    environ: Environ, variables: dict[str, str], creds: dict[str, str], region: str
) -> None:
    seen: list[Seen] = []

    def answer(request: Seen) -> Reply:
        seen.append(request)
        return Reply(
            403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        )

    async with listening(answer) as port:
        environ(
            AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="AK1",
            AWS_SECRET_ACCESS_KEY="s1",
            **variables,
        )
        with pytest.raises(UnauthenticatedError, match="trust policy"):
            await aws_provider(parse_aws_creds({"role_arn": ROLE_ARN, **creds})).fetch()
    assert f"/{region}/sts/aws4_request" in seen[0].headers["authorization"]


async def test_an_endpoint_that_is_away_may_be_back_later(environ: Environ) -> None:
    environ(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/credentials")
    assert isinstance(await failure(), TransientStoreError)


async def test_nothing_anywhere_says_where_was_looked() -> None:
    error = await failure()
    assert isinstance(error, UnauthenticatedError)
    for words in ("AWS_ACCESS_KEY_ID", "~/.aws/credentials", "a web identity", "anonymous"):
        assert words in " ".join(str(error).split())
