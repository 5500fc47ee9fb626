"""Profiles of IAM Identity Center, by the login that ``aws sso login`` leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore import credentials, tokens

from aiolake.credentials.aws import AwsProvider
from aiolake.credentials.values import AwsCredential
from aiolake.errors import UnauthenticatedError
from tests.credentials.aws.test_chain import LIFE_S, Environ, fetched, lasts, opens
from tests.credentials.aws.test_chain import environ as environ
from tests.servers.s3 import S3Server
from tests.servers.sso import ACCOUNT, SSO_ROLE, Portal, portal_endpoint

START = "https://corp.awsapps.example/start"
CONFIG = f"""
[profile work]
sso_session = corp
sso_account_id = {ACCOUNT}
sso_role_name = {SSO_ROLE}
region = us-east-1

[sso-session corp]
sso_region = us-east-1
sso_start_url = {START}
sso_registration_scopes = sso:account:access

[profile old]
sso_start_url = {START}
sso_region = us-east-1
sso_account_id = {ACCOUNT}
sso_role_name = {SSO_ROLE}

[profile stranger]
sso_session = corp
sso_account_id = {ACCOUNT}
sso_role_name = Writer
"""


@pytest.fixture
def portal(
    ministack: S3Server, environ: Environ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Portal]:
    for module in (credentials.SSOProvider, tokens.SSOTokenProvider):  # $HOME, when it was loaded
        monkeypatch.setattr(module, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / ".aws/sso/cache"))
    (tmp_path / "config").write_text(CONFIG)
    with portal_endpoint(Portal(lambda: ministack.session(LIFE_S))) as portal:
        environ(AWS_ENDPOINT_URL_SSO=portal.url, AWS_ENDPOINT_URL_SSO_OIDC=portal.url)
        yield portal


def leave_login(
    home: Path, portal: Portal, name: str, life: timedelta = timedelta(hours=8)
) -> dict[str, str]:
    """What ``aws sso login`` writes for a session's name, or the start URL of an old profile."""
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    login = {
        "startUrl": START,
        "region": "us-east-1",
        "accessToken": portal.log_in(),
        "expiresAt": f"{now + life:%Y-%m-%dT%H:%M:%SZ}",
        "clientId": "client",
        "clientSecret": "client's secret",
        "registrationExpiresAt": f"{now + timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}",
    }
    if portal.refresh_token:
        login["refreshToken"] = portal.refresh_token
    path = cache / f"{hashlib.sha1(name.encode()).hexdigest()}.json"
    path.write_text(json.dumps(login))
    return login


@pytest.mark.parametrize(("profile", "name"), [("work", "corp"), ("old", START)])
async def test_a_profile_after_a_login(
    profile: str, name: str, portal: Portal, ministack: S3Server, tmp_path: Path
) -> None:
    leave_login(tmp_path, portal, name)
    found, source = await fetched(profile)
    assert opens(ministack, found)
    assert lasts(found, LIFE_S)
    assert source == f"the AWS profile {profile!r} (sso)"
    again = await AwsProvider(profile).fetch()
    assert isinstance(again, AwsCredential)
    assert again.access_key_id != found.access_key_id
    assert portal.n_lent == 2


async def test_a_login_that_ends_is_renewed(portal: Portal, tmp_path: Path) -> None:
    portal.refresh_token = "first"
    login = leave_login(tmp_path, portal, "corp", timedelta(seconds=30))
    portal.logins.clear()
    await fetched("work")
    assert (portal.n_renewed, portal.n_lent) == (1, 1)
    (kept,) = (tmp_path / ".aws" / "sso" / "cache").glob("*.json")
    assert json.loads(kept.read_text())["accessToken"] != login["accessToken"]


@pytest.mark.parametrize("state", ["none", "over", "withdrawn"])
@pytest.mark.parametrize(("profile", "name"), [("work", "corp"), ("old", START)])
async def test_without_a_login_it_is_asked_for(
    profile: str, name: str, state: str, portal: Portal, tmp_path: Path
) -> None:
    if state != "none":
        life = timedelta(hours=-1 if state == "over" else 8)
        login = leave_login(tmp_path, portal, name, life)
        portal.logins.clear()
    with pytest.raises(UnauthenticatedError, match="aws sso login --profile") as caught:
        await AwsProvider(profile).fetch()
    if state != "none":
        assert login["accessToken"] not in str(caught.value)


async def test_a_role_one_has_no_access_to(portal: Portal, tmp_path: Path) -> None:
    leave_login(tmp_path, portal, "corp")
    with pytest.raises(UnauthenticatedError, match="ask who administers") as caught:
        await AwsProvider("stranger").fetch()
    assert "No access" in str(caught.value)
