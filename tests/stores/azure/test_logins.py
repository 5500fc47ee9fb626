"""Logins by azure-identity itself: its command, its endpoints, objects that users made."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import stat
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from aiolake.credentials.azure import SCOPE
from aiolake.credentials.azure_creds import read_azure_creds
from aiolake.credentials.provider import Provider
from aiolake.credentials.values import BearerCredential
from aiolake.errors import AiolakeError, TransientStoreError, UnauthenticatedError
from tests.servers.azure import AzureServer
from tests.servers.certificates import Certificate
from tests.stores.azure.places import store_at, token
from tests.stores.azure.scripted import Answering, Reply, Seen, listening


def login(creds: object = None) -> Provider:
    """What ``creds=`` means, in this environment."""
    return read_azure_creds("flowers1", creds, os.environ).provider


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of the machine's, no command, and nobody asks for a metadata service."""
    for name in os.environ:
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")


@pytest.fixture
def az(tmp_path: Path) -> Callable[[str], None]:
    """Put a command ``az`` into the path, of these lines of a shell."""

    def put(lines: str) -> None:
        command = tmp_path / "bin" / "az"
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\n{lines}\n")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)

    return put


def printed(value: str, life_s: float) -> str:
    """What ``az account get-access-token`` prints."""
    ends = int(time.time() + life_s)
    local = datetime.fromtimestamp(ends).strftime("%Y-%m-%d %H:%M:%S.000000")
    return json.dumps({"accessToken": value, "expiresOn": local, "expires_on": ends})


async def refused(provider: Provider) -> AiolakeError:
    with pytest.raises(AiolakeError) as caught:
        await provider.fetch()
    return caught.value


class TestCommand:
    async def test_whoever_is_logged_in(self, az: Callable[[str], None]) -> None:
        az(f"case \"$*\" in *https://storage.azure.com*) echo '{printed('t1', 3600)}';; esac")
        provider = login()
        found = await provider.fetch()
        assert isinstance(found, BearerCredential)
        assert found.token == "t1"
        assert found.expires_at is not None
        assert timedelta(minutes=59) < found.expires_at - datetime.now(UTC) <= timedelta(hours=1)
        assert provider.source == "the default Azure login (AzureCliCredential)"

    async def test_is_asked_each_time(self, az: Callable[[str], None], tmp_path: Path) -> None:
        count = tmp_path / "count"
        az(f"echo >> {count}; echo '{printed('t', 3600)}'")
        provider = login()
        for _ in range(3):
            await provider.fetch()
        assert count.read_text() == "\n" * 3

    async def test_reads_a_dataset(
        self, az: Callable[[str], None], azurite_oauth: AzureServer
    ) -> None:
        az(f"echo '{printed(token(3600), 3600)}'")
        async with store_at(azurite_oauth, tenant_id="72f988bf-86f1-41af-91ab-2d7cd011db47") as s:
            await s.put("a", [b"x"])
            assert bytes(await s.get("a")) == b"x"

    async def test_none_on_the_machine(self) -> None:
        error = await refused(login())
        assert isinstance(error, UnauthenticatedError)
        first, *tried = str(error).splitlines()
        assert "install the Azure CLI and run: az login" in first
        assert "  az login: there is no 'az' on this machine" in tried
        assert len(tried) >= 3

    async def test_nobody_logged_in(self, az: Callable[[str], None]) -> None:
        az("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
        assert "nobody is logged in; run: az login" in str(await refused(login()))

    async def test_a_login_that_was_revoked(self, az: Callable[[str], None]) -> None:
        az('echo "ERROR: AADSTS700082: The refresh token has expired. Trace ID: 1" >&2; exit 1')
        text = str(await refused(login()))
        assert "the login is too old; run: az login" in text
        assert "Trace ID" not in text

    async def test_a_cancelled_fetch_waits_for_the_command(
        self, az: Callable[[str], None], tmp_path: Path
    ) -> None:
        az(f"sleep 0.5; echo done > {tmp_path}/done; echo '{printed('t', 3600)}'")
        monkey = os.environ["PATH"]
        os.environ["PATH"] = f"{monkey}:/usr/bin:/bin"
        task = asyncio.get_running_loop().create_task(login().fetch())
        await asyncio.sleep(0.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (tmp_path / "done").exists()


@dataclass
class Token:
    token: str
    expires_on: int


class SyncLogin:
    """As azure-identity's own credentials."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def get_token(self, *scopes: str, **named: object) -> Token:
        assert scopes == (SCOPE,)
        self.threads.append(threading.current_thread())
        return Token(f"t{len(self.threads)}", int(time.time()) + 600)


class AsyncLogin:
    """As those of azure.identity.aio."""

    closed = False

    async def get_token(self, *scopes: str, **named: object) -> Token:
        assert scopes == (SCOPE,)
        await asyncio.sleep(0)
        return Token("t", int(time.time()) + 600)

    async def close(self) -> None:
        self.closed = True


class InfoLogin:
    """As credentials that have the newer call alone."""

    async def get_token_info(self, *scopes: str, options: object = None) -> Token:
        return Token("info", int(time.time()) + 600)


class FailingLogin:
    """One that says no in its own words."""

    async def get_token(self, *scopes: str) -> Token:
        raise RuntimeError("the moon is wrong")


class TestObjects:
    async def test_a_sync_one_is_asked_in_a_thread_each_time(self) -> None:
        given = SyncLogin()
        provider = login(given)
        assert [(await provider.fetch()).token for _ in range(2)] == ["t1", "t2"]  # type: ignore[union-attr]
        assert threading.main_thread() not in given.threads

    async def test_an_async_one_is_its_makers_to_close(self) -> None:
        given = AsyncLogin()
        found = await login(given).fetch()
        assert found.expires_at is not None
        assert not given.closed

    async def test_the_newer_call(self) -> None:
        found = await login(InfoLogin()).fetch()
        assert isinstance(found, BearerCredential)
        assert found.token == "info"

    async def test_one_that_fails(self) -> None:
        error = await refused(login(FailingLogin()))
        assert isinstance(error, UnauthenticatedError)
        assert "the FailingLogin in creds=" in str(error)
        assert "the moon is wrong" in str(error)

    async def test_one_of_azure_identity(self, az: Callable[[str], None]) -> None:
        from azure.identity import AzureCliCredential as SyncCommand
        from azure.identity.aio import AzureCliCredential

        az(f"echo '{printed('t', 3600)}'")
        for given in (AzureCliCredential(), SyncCommand()):
            found = await login(given).fetch()
            assert isinstance(found, BearerCredential)
            assert found.token == "t"


def issued(value: str, life_s: int = 3600) -> Reply:
    """What Entra and the metadata services of machines answer."""
    ends = int(time.time()) + life_s
    body = {"access_token": value, "expires_in": life_s, "expires_on": str(ends)}
    body |= {"resource": "https://storage.azure.com", "token_type": "Bearer"}
    return Reply(200, json.dumps(body).encode(), {"content-type": "application/json"})


class TestMachines:
    async def test_an_app_service(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[Seen] = []

        def answer(request: Seen) -> Reply:
            seen.append(request)
            return issued(f"t{len(seen)}")

        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        async with listening(answer) as port:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", "secret")
            chain, assigned = login(), login({"client_id": "c-1"})
            found = [await provider.fetch() for provider in (chain, chain, assigned)]
        assert [each.token for each in found if isinstance(each, BearerCredential)] == [
            "t1",
            "t2",
            "t3",
        ]
        assert {each.headers["x-identity-header"] for each in seen} == {"secret"}
        assert "client_id=c-1" in seen[2].target
        assert "resource=https" in seen[0].target
        assert chain.source == "the default Azure login (ManagedIdentityCredential)"

    async def test_a_virtual_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def answer(request: Seen) -> Reply:
            assert request.headers["metadata"] == "true"
            return issued("t")

        async with listening(answer) as port:
            host = f"http://127.0.0.1:{port}"
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)
            found = await login({"client_id": "c-1"}).fetch()
        assert isinstance(found, BearerCredential)
        assert found.token == "t"

    async def test_an_identity_that_is_not_assigned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        words = json.dumps({"error": "invalid_request", "error_description": "Identity not found"})
        refused_so = Reply(400, words.encode(), {"content-type": "application/json"})
        async with listening(lambda _: refused_so) as port:
            host = f"http://127.0.0.1:{port}"
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)
            error = await refused(login({"client_id": "c-1"}))
        assert isinstance(error, UnauthenticatedError)
        assert "the managed identity c-1" in str(error)
        assert "check client_id" in str(error)


PRINT_TOKENS = """
import asyncio, os
from aiolake.credentials.azure_creds import read_azure_creds
from aiolake.errors import AiolakeError

async def main():
    for creds in ({"tenant_id": "t-1", "client_id": "c-1", "client_secret": "s-1"}, "ENV", None):
        provider = read_azure_creds("flowers1", creds, os.environ).provider
        try:
            print((await provider.fetch()).token, provider.source)
        except AiolakeError as error:
            print(type(error).__name__, error)

asyncio.run(main())
"""


class TestApplications:
    """At an authority of the tests; only a new process trusts its certificate."""

    async def answered(
        self, certificate: Certificate, answer: Answering, **environ: str
    ) -> list[str]:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate.chain, certificate.key)
        async with listening(answer, tls) as port:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                PRINT_TOKENS,
                env={
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "SSL_CERT_FILE": str(certificate.ca),
                    "AZURE_AUTHORITY_HOST": f"https://127.0.0.1:{port}",
                    **environ,
                },
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().splitlines()

    async def test_a_secret(self, certificate: Certificate) -> None:
        def answer(request: Seen) -> Reply:
            assert request.target == "/t-1/oauth2/v2.0/token"
            fields = parse_qs(request.body.decode())
            assert fields["grant_type"] == ["client_credentials"]
            assert fields["scope"] == [SCOPE]
            return issued(f"{fields['client_id'][0]}:{fields['client_secret'][0]}")

        named = {"AZURE_TENANT_ID": "t-1", "AZURE_CLIENT_ID": "c-2", "AZURE_CLIENT_SECRET": "s-2"}
        assert await self.answered(certificate, answer, **named) == [
            "c-1:s-1 the service principal c-1 of tenant t-1",
            "c-2:s-2 the service principal of the environment",
            "c-2:s-2 the default Azure login (EnvironmentCredential)",
        ]

    async def test_a_workload(self, certificate: Certificate, tmp_path: Path) -> None:
        def answer(request: Seen) -> Reply:
            fields = parse_qs(request.body.decode())
            return issued(fields.get("client_assertion", ["none"])[0])

        (tmp_path / "federated").write_text("written-by-Kubernetes")
        named = {"AZURE_TENANT_ID": "t-1", "AZURE_CLIENT_ID": "c-2"}
        named |= {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "federated")}
        _, env, chain = await self.answered(certificate, answer, **named)
        assert env.startswith("written-by-Kubernetes")
        assert chain.endswith("(WorkloadIdentityCredential)")

    async def test_a_workloads_file_that_is_missing_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        named = {"AZURE_TENANT_ID": "t-1", "AZURE_CLIENT_ID": "c-2"}
        for name, value in {**named, "AZURE_FEDERATED_TOKEN_FILE": "/not/mounted"}.items():
            monkeypatch.setenv(name, value)
        error = await refused(login("ENV"))
        assert type(error) is UnauthenticatedError
        assert "the workload identity of the environment" in str(error)
        assert "'/not/mounted'; check its path" in str(error)

    async def test_a_tenant_that_can_be_none(self) -> None:
        given = {"tenant_id": "a b", "client_id": "c", "client_secret": "hidden"}
        error = await refused(login(given))
        assert type(error) is UnauthenticatedError
        assert "check tenant_id in creds=" in str(error)

    async def test_refusals(self, certificate: Certificate) -> None:
        words = {
            "error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret. Trace ID: 1",
        }
        body = json.dumps(words).encode()
        answer = Reply(401, body, {"content-type": "application/json"})
        named = {"AZURE_TENANT_ID": "t-1", "AZURE_CLIENT_ID": "c-2", "AZURE_CLIENT_SECRET": "s-2"}
        lines = await self.answered(certificate, lambda _: answer, **named)
        assert lines[0].startswith("UnauthenticatedError the service principal c-1 of tenant t-1")
        assert "the client secret is wrong" in lines[0]
        assert "Trace" not in "".join(lines)
        assert "s-1" not in "".join(lines)


class TestServicePrincipals:
    async def test_an_authority_that_cannot_be_reached_may_be_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
        given = {"tenant_id": "t", "client_id": "c", "client_secret": "hidden"}
        # Its own retries take their time, so they are not waited for here.
        monkeypatch.setattr("aiolake.credentials.azure._LONGEST", timedelta(seconds=1.5))
        error = await refused(login(given))
        assert isinstance(error, TransientStoreError)
        assert "the service principal c of tenant t" in str(error)
        assert "hidden" not in str(error)
